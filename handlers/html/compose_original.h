/* The message that is answered or forwarded, as the form begins with it. */
#ifndef RESTANTE_HANDLERS_HTML_COMPOSE_ORIGINAL_H
#define RESTANTE_HANDLERS_HTML_COMPOSE_ORIGINAL_H

#include "handlers/html/body.h"
#include "handlers/html/page.h"
#include "handlers/writing.h"

enum { PEOPLE_MAX = 500, QUOTED_BYTES_MAX = 256 * 1024 };

/* Addresses, each once. */
struct people {
    struct compose_address at[PEOPLE_MAX];
    size_t count;
};
/* [{"name", "email"}] of an email's row. */
void people_add(struct arena *arena, struct people *people, struct str json);
bool people_have(const struct people *people, struct str email);
void people_remove(struct people *people, const struct people *others);
struct str people_show(struct arena *arena, const struct people *people);

struct original {
    struct email email;
    struct identity identity; /* the sender it was written to, else the account's first */
    struct people own;        /* our addresses */
    bool has_html, has_text;  /* the forms that there are of it */
    /* filled by original_read: */
    bool is_here; /* false: it was not here in time, and there is no text */
    struct str text;
    struct str
        html; /* sanitised; pictures as writing_picture_cid names them; empty: not asked for */
};

/* Who and what, without the text. */
bool original_find(struct request *req, struct db *db, int64_t account_id, int64_t email_id,
                   struct original *original, struct error *err);
/* Its text; with `as_html` the formatted form as well, with pictures from elsewhere if
 * `with_remote` (which a quote does not pass on: they tell of its being read). `db` is given back
 * while it is fetched. */
bool original_read(struct request *req, struct db **db, struct original *original, bool as_html,
                   bool with_remote, struct error *err);

#endif
