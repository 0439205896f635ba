/* Content-Transfer-Encodings, decoded a chunk at a time (a 25 MB attachment needs no 25 MB of
 * memory), tolerant of all that is found in the wild: line ends anywhere, "=" in mid-stream,
 * missing padding, foreign characters, lower-case hex, soft line breaks with white space. */
#ifndef RESTANTE_MAIL_DECODE_H
#define RESTANTE_MAIL_DECODE_H

#include "server/base/buf.h"
#include "server/mail/mime.h"

struct mime_decoder {
    enum mime_encoding encoding;
    uint32_t bits;      /* base64: bits not yet written */
    unsigned bit_count; /* base64: sextets in `bits` */
    char held[80]; /* quoted-printable: "=", or white space that may end a line; uuencode: line */
    unsigned held_count;
    unsigned state;
};

struct mime_decoder mime_decoder(enum mime_encoding encoding);
/* Appends what `chunk` decodes to; false when `out` was full. */
bool mime_decoder_feed(struct mime_decoder *decoder, struct str chunk, struct buf *out);
/* Appends what was held back at the end. */
bool mime_decoder_finish(struct mime_decoder *decoder, struct buf *out);
/* How many bytes `body` decodes to, without decoding it. */
size_t mime_decoded_size(struct str body, enum mime_encoding encoding);

#endif
