/* Who a person writes as (RFC 8621 section 6), and how long they may change their mind. */
#ifndef RESTANTE_STORE_IDENTITIES_H
#define RESTANTE_STORE_IDENTITIES_H

#include "server/store/store.h"

/* Where the original's text stands in an answer. */
enum quoting { QUOTING_BELOW, QUOTING_ABOVE, QUOTING_NONE, QUOTINGS };
const char *quoting_name(enum quoting quoting);
/* False: no such name. */
bool quoting_parse(struct str name, enum quoting *quoting);

struct identity {
    int64_t account_id, id; /* 0: a new one */
    struct str name, email;
    struct str reply_to, bcc;                  /* as typed; empty: none */
    struct str text_signature, html_signature; /* the HTML is sanitised */
    enum quoting quoting;
    bool is_html; /* what is written as this sender begins formatted */
};

bool identity_list(struct db *db, struct arena *arena, int64_t account_id,
                   struct identity **identities, size_t *count, struct error *err);
bool identity_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                    struct identity *identity, struct error *err);
/* As whom to answer what these addresses got: the account's first sender that is among them, else
 * its first. */
bool identity_among(struct db *db, struct arena *arena, int64_t account_id,
                    const struct str *emails, size_t email_count, struct identity *identity,
                    struct error *err);
/* Whether one of the account's senders has the address. */
bool identity_has(struct db *db, struct arena *arena, int64_t account_id, struct str email,
                  bool *is_own, struct error *err);
/* Makes (filling `id`) or changes it. */
bool identity_put(struct db *db, struct identity *identity, struct error *err);
/* ERROR_CONFLICT: an account keeps its last one. */
bool identity_delete(struct db *db, int64_t account_id, int64_t id, struct error *err);

/* Seconds between "send" and sending. */
enum { SEND_DELAY_MAX_S = 120 };
bool send_delay(struct db *db, int64_t user_id, int *seconds, struct error *err);
bool send_delay_set(struct db *db, int64_t user_id, int seconds, struct error *err);

#endif
