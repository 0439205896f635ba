/* One message as a page shows it: who, when, what it says, where it comes from, what is attached. A
 * page may show several. */
#ifndef RESTANTE_HANDLERS_HTML_LETTER_VIEW_H
#define RESTANTE_HANDLERS_HTML_LETTER_VIEW_H

#include "handlers/html/body.h"
#include "handlers/html/page.h"
#include "server/store/identities.h"
#include "server/store/labels.h"
#include "server/store/senders.h"

struct letter {
    const struct email *email;
    const struct email *inner;  /* the head of the message at `inside`; NULL: of `email` itself */
    struct str inside;          /* part number of a message within `email`; empty: itself */
    struct str here;            /* path and query of the page that shows it, for its links */
    const struct label *labels; /* of the account */
    size_t label_count;
    struct str place;          /* "Work account, Inbox": where it lies; empty: not said */
    bool as_text;              /* ?view=text */
    bool allow_remote;         /* ?remote=1, or as the person has decided: */
    enum remote_choice remote; /* filled */
    int64_t wait_ms;           /* for what has to be fetched */
};

/* What the request asks for: `as_text` and `allow_remote`. */
void letter_read(const struct request *req, struct letter *letter);
/* Fills the view for partials/letter. `db` may be another one afterwards (body_load). */
bool letter_set(struct request *req, struct response *res, struct db **db, struct value *view,
                struct letter *letter, struct error *err);
/* Its head alone, for a message that is folded. */
void letter_set_head(struct value *view, const struct email *email, struct arena *arena);
/* The address that mail of it is known by, empty if there is none. */
struct str letter_sender(struct arena *arena, const struct email *email);

/* letter_sender.c: `authentication`, `unsubscribe`, whether it came over a list (`isList`), and
 * what a careful reader would notice; of one that is `is_inner` only the latter. */
void letter_set_marks(const struct request *req, struct value *view, const struct email *email,
                      bool is_inner);

/* As whom to answer it by a button, a list that is left or a receipt: the sender it was written
 * to. */
bool letter_identity(const struct request *req, struct db *db, const struct email *email,
                     struct identity *identity, struct error *err);

/* receipt.c: `receipt`, where the sender asks for one and nobody has answered yet; `fates`, of what
 * was sent from here. */
bool letter_set_receipt(struct request *req, struct db *db, struct value *view,
                        const struct email *email, struct error *err);

#endif
