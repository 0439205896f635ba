/* The pool's inside: one exchange with a child. calls.c builds parser.h's functions on it. */
#ifndef RESTANTE_PARSER_POOL_H
#define RESTANTE_PARSER_POOL_H

#include "server/parser/parser.h"
#include "server/parser/protocol.h"
#include "server/parser/wire.h"

/* A request: the payload is `head` and then `tail`. */
struct parser_ask {
    enum protocol_kind kind;
    struct str head, tail;
    int fd;    /* a file that goes along; -1: none */
    int tries; /* with a fresh child each; 2, or 1 for a batch that will be split */
};

/* Reads a reply; false when it is not what was asked for: then the child is taken for broken. */
typedef bool parser_reply(void *context, struct wire *in);

enum parser_outcome {
    PARSER_ANSWERED,
    PARSER_FELLED,   /* all tries ended the child */
    PARSER_NO_CHILD, /* none could be started: `err` */
};

enum parser_outcome parser_exchange(struct parser_pool *pool, const struct parser_ask *ask,
                                    parser_reply *reply, void *context, struct error *err);
/* Counts a message found to be poison. */
void parser_count_poison(struct parser_pool *pool);

#endif
