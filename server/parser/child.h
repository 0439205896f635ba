/* The child's side: what `restante parser` runs. parser_child_main (parser.h) serves with
 * parser_answer; tests serve with handlers of their own. */
#ifndef RESTANTE_PARSER_CHILD_H
#define RESTANTE_PARSER_CHILD_H

#include "server/base/arena.h"
#include "server/parser/protocol.h"

/* What came with a request. */
struct parser_request {
    enum protocol_kind kind;
    struct str payload;
    int fd; /* a file that came along, or -1; closed by the loop */
};

/* Answers into `reply`. False when the request is none that we know: the child ends. */
typedef bool parser_handler(struct arena *arena, const struct parser_request *request,
                            struct buf *reply);

/* Enters the sandbox as the first frame says, then answers until the other end closes. Returns the
 * exit status. */
int parser_child_serve(int fd, parser_handler *handler);

/* summary.c and render.c: the real one. */
bool parser_answer(struct arena *arena, const struct parser_request *request, struct buf *reply);

#endif
