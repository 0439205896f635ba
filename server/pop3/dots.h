/* Undoing dot-stuffing (RFC 1939 section 3) on bytes as they come, however they are cut: a 50 MB
 * message passes without being held. Pure. */
#ifndef RESTANTE_POP3_DOTS_H
#define RESTANTE_POP3_DOTS_H

#include "server/base/str.h"

enum pop3_dots_state {
    POP3_DOTS_LINE, /* at the beginning of a line */
    POP3_DOTS_DOT,  /* behind a dot that began one */
    POP3_DOTS_CR,   /* behind ".\r" */
    POP3_DOTS_TEXT,
    POP3_DOTS_DONE, /* the terminating line was met */
};

/* Starts zeroed. Only CRLF ends a line: a lone LF in a message must not make ".\n" behind it the
 * end, or what a stranger wrote after it would be read as the server's answers. A server that ends
 * its own status line with a bare LF ends them all so: `is_lf_only`. */
struct pop3_dots {
    enum pop3_dots_state state;
    bool is_lf_only;
    bool has_cr; /* the last byte so far was CR */
};

/* False: no more is wanted. */
typedef bool pop3_write_fn(void *context, struct str bytes);

/* Takes bytes up to the terminating line and returns how many it took: all of them until the state
 * is POP3_DOTS_DONE. The message's bytes go to `write` in pieces; once that returns false, or with
 * NULL, nowhere. `*is_wanted` starts as true and tells which. */
size_t pop3_dots_feed(struct pop3_dots *dots, struct str bytes, pop3_write_fn *write, void *context,
                      bool *is_wanted);

#endif
