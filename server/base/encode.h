/* Bytes as text and back: hex, base64 (RFC 4648, with and without the URL alphabet), percent. All
 * append to a buffer; decoders return false on anything that is not the encoding. */
#ifndef RESTANTE_BASE_ENCODE_H
#define RESTANTE_BASE_ENCODE_H

#include "server/base/buf.h"

void encode_hex(struct buf *out, struct str bytes);
bool decode_hex(struct buf *out, struct str text);
/* With padding. */
void encode_base64(struct buf *out, struct str bytes);
/* Strict: no white space; padding required. (MIME's tolerant decoder lives in server/mail/.) */
bool decode_base64(struct buf *out, struct str text);
/* URL alphabet, no padding (RFC 4648 section 5). */
void encode_base64url(struct buf *out, struct str bytes);
bool decode_base64url(struct buf *out, struct str text);
/* Everything but RFC 3986's unreserved characters becomes %XX. */
void encode_percent(struct buf *out, struct str text);
/* False on a broken %XX. With `plus_is_space`, "+" becomes a space (HTML forms). */
bool decode_percent(struct buf *out, struct str text, bool plus_is_space);
/* & < > " ' as HTML entities. */
void encode_html(struct buf *out, struct str text);

#endif
