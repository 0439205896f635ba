/* Bytes in any charset that mail uses, as valid UTF-8. Labels are read the WHATWG way (latin1 is
 * windows-1252, gb2312 is gb18030, ks_c_5601-1987 is windows-949) plus what only mail has (utf-7,
 * iso-2022-kr, hz-gb-2312). Converters come from ICU, which carries its tables inside the library:
 * iconv would have to open gconv modules, which the parser's sandbox forbids. */
#ifndef RESTANTE_MAIL_CHARSET_H
#define RESTANTE_MAIL_CHARSET_H

#include "server/base/buf.h"

/* The name of the charset a label stands for ("windows-1252"); NULL when it is not on our list. */
const char *charset_name(struct str label);

/* What unlabelled (or wrongly labelled) bytes most likely are: utf-8 when they are valid UTF-8,
 * utf-16 by a byte order mark, iso-2022-jp by its escapes, shift_jis, euc-jp, gb18030, euc-kr,
 * big5, windows-1251, koi8-r, iso-8859-2 by the frequencies of their bytes, else windows-1252. */
const char *charset_guess(struct str bytes);

/* Appends `bytes` as valid UTF-8. Ill-formed sequences and NUL become U+FFFD; an empty or unknown
 * label, or "us-ascii" over 8-bit bytes, means a guess. Bytes labelled otherwise that are valid
 * multibyte UTF-8 are taken as UTF-8 only for single-byte labels' obvious mislabelling
 * (us-ascii, iso-8859-1 declared by default). Returns false when anything was replaced. */
bool charset_decode(struct buf *out, struct str bytes, struct str label);

/* Touches the tables of all charsets on our list, so that nothing is opened later: called once
 * before the sandbox closes. */
void charset_prepare(void);

#endif
