/* A message on its way into DATA or BDAT: every line end becomes CRLF, so that whatever a server
 * takes for one, no sequence of the message ends it early; for DATA dots are stuffed (RFC 5321
 * section 4.5.2). Pure. */
#ifndef RESTANTE_SMTP_DOTS_H
#define RESTANTE_SMTP_DOTS_H

#include "server/base/buf.h"

/* Starts zeroed. */
struct smtp_dots {
    bool has_begun_line; /* the last byte out belongs to a line that is not ended */
    bool has_cr;         /* the last byte in was CR: its CRLF is out, a LF behind it is left out */
};

/* Appends what goes out for `bytes`; at most twice as long, plus one. */
void smtp_dots_put(struct smtp_dots *dots, bool is_stuffed, struct str bytes, struct buf *out);
/* Ends the last line, if it is not. */
void smtp_dots_end(struct smtp_dots *dots, struct buf *out);

#endif
