/* What a message says, made fit to show: its text parts, rendered by the parser children. */
#ifndef RESTANTE_HANDLERS_HTML_BODY_H
#define RESTANTE_HANDLERS_HTML_BODY_H

#include "handlers/content.h"

enum { BODY_PARTS_MAX = 10 }; /* text parts shown of one message; more are attachments */

struct body_part {
    const struct mime_part *part;
    struct parser_rendered rendered;
};

struct body {
    const struct mime_message *message; /* NULL: structure not known; of the one inside, if asked */
    struct body_part parts[BODY_PARTS_MAX];
    size_t count;
    bool is_here;            /* false: `why` says what is the matter */
    struct error why;        /* ERROR_TIMEOUT: being fetched */
    bool has_html, has_text; /* there is something to choose between */
    struct str wrapped;      /* number of the encoded part that `message` lies in; empty: none */
};

struct body_options {
    bool as_text;           /* prefer the plain text */
    bool allow_remote;      /* load pictures from elsewhere */
    struct str picture_url; /* what stands before the part id of a cid: picture; empty: none */
    int64_t wait_ms;        /* for what has to be fetched */
    struct str inside;      /* part number of a message within it; empty: itself */
};

/* Loads and renders the text of a message. `db` is given back while waiting for the sync role, and
 * is then another one. False only for faults; what is missing is told in `body`. */
bool body_load(struct request *req, struct db **db, const struct email *email,
               const struct body_options *options, struct body *body, struct error *err);

/* inside.c: the bytes of the message that lies in a part that is here, decoded; ERROR_NOT_FOUND
 * unless it is one and not too large. What it is made of. */
bool inside_read(struct request *req, struct db *db, const struct content_place *place,
                 struct str *raw, struct error *err);
bool inside_parse(struct request *req, struct str raw, struct parser_summary *summary,
                  const struct mime_message **message, struct error *err);

/* A ticket that lets a sandboxed frame, which has no cookies, load this message's pictures for an
 * hour or until the person signs out: "/picture/<ticket>/". */
bool picture_prefix(const struct request *req, struct db *db, const struct email *email,
                    struct str *prefix, struct error *err);

#endif
