/* Bytes to responses: joins the lines and literals of one response. Knows no commands and no
 * meaning, only where a response ends. */
#ifndef RESTANTE_IMAP_WIRE_PRIVATE_H
#define RESTANTE_IMAP_WIRE_PRIVATE_H

#include "server/imap/parse.h"
#include "server/net/stream.h"

enum {
    WIRE_LINE_BYTES_MAX = 8 << 20, /* of one response outside its literals: a SEARCH with a million
                                      UIDs of seven digits */
    WIRE_LITERAL_BYTES_MAX = 1 << 30, /* longer ones end the session */
    WIRE_RESERVE_BYTES = 64 << 10,    /* room kept for the lines behind a literal that is cut */
};

/* Where literals may go instead of into the response. `wants` looks at the response so far, which
 * ends where the literal's bytes would begin; when it says yes, `write` gets them. */
struct wire_sink {
    void *context;
    bool (*wants)(void *context, const struct imap_text *text, uint64_t size);
    void (*write)(void *context, struct str bytes);
    void (*end)(void *context);
};

struct wire {
    struct stream *stream;
    struct buf text;
    struct imap_literal *literals; /* owned */
    size_t literal_count, literal_capacity;
};

void wire_init(struct wire *wire, struct stream *stream);
void wire_free(struct wire *wire);
/* Reads one response; `text` lives until the next call. `sink` may be NULL. */
bool wire_read(struct wire *wire, const struct wire_sink *sink, struct imap_text *text,
               struct error *err);
/* Gives back the memory of large responses. */
void wire_park(struct wire *wire);

#endif
