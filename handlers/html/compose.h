/* The form in which mail is written: what compose.c and compose_answer.c share. */
#ifndef RESTANTE_HANDLERS_HTML_COMPOSE_H
#define RESTANTE_HANDLERS_HTML_COMPOSE_H

#include "handlers/html/page.h"
#include "handlers/writing.h"

struct composing {
    int64_t account_id;
    struct draft draft;
    struct writing_take take; /* what comes along when the draft is first saved */
    enum quoting quoting;     /* of an answer that begins: where one's own words go */
    bool is_quote_missing;    /* the original was not here in time */
};

/* What an answer, a forward or an edit as new begins with: ?reply=7 (&all=1, &list=1), ?forward=7,
 * ?attach=7, ?again=7, ?to=…&subject=…&body=… (of a mailto: link); &as=html, &as=plain rather than
 * as the sender is used to. `db` is given back while the original is fetched. */
bool compose_begin(struct request *req, struct db **db, struct composing *composing,
                   struct error *err);
/* Puts the text of the original into an answer that has it not. ERROR_INVALID: it is not here yet.
 */
bool compose_add_quote(struct request *req, struct db **db, struct composing *composing,
                       struct error *err);

#endif
