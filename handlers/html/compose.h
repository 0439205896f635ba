/* The form in which mail is written: what compose.c and compose_answer.c share. */
#ifndef RESTANTE_HANDLERS_HTML_COMPOSE_H
#define RESTANTE_HANDLERS_HTML_COMPOSE_H

#include "handlers/html/page.h"
#include "handlers/writing.h"

/* Whose attachments come along when the draft is first saved. */
enum take { TAKE_NOTHING, TAKE_PARTS, TAKE_MESSAGE };

struct composing {
    int64_t account_id;
    struct draft draft;
    enum take take;
    int64_t take_from; /* an email */
};

/* What an answer, a forward or an edit as new begins with: ?reply=7 (&all=1, &list=1), ?forward=7,
 * ?attach=7, ?again=7, ?to=…&subject=…&body=… (of a mailto: link). `db` is given back while the
 * original is fetched. */
bool compose_begin(struct request *req, struct db **db, struct composing *composing,
                   struct error *err);
/* Takes the attachments (or the whole message) of `take_from` into the saved draft. ERROR_TIMEOUT
 * while it is not here yet. */
bool compose_take(struct request *req, struct db **db, const struct composing *composing,
                  struct error *err);

#endif
