/* Rich text that Outlook puts into winmail.dat in place of a plain body: unpacked (MS-OXRTFCP) and
 * read as text (RTF 1.9.1, and MS-OXRTFEX where it wraps plain text or HTML). Bounded: what is
 * unpacked and what is read stop at the caller's buffer. */
#ifndef RESTANTE_MAIL_RTF_H
#define RESTANTE_MAIL_RTF_H

#include "server/base/buf.h"

enum { RTF_DEPTH_MAX = 100 };

/* PidTagRtfCompressed as RTF. False when it is none; what is cut off or too long gives its
 * beginning, with `*is_cut` set. */
bool rtf_unpack(struct buf *out, struct str packed, bool *is_cut);
/* The visible text: UTF-8, "\n" between paragraphs. False when `rtf` is no RTF. Characters that it
 * names by code are those of `codepage` (0: 1252) unless it names another. */
bool rtf_to_text(struct buf *out, struct str rtf, unsigned codepage);

#endif
