/* What was met in the maildrop of a POP3 account: one row a message, by its UIDL. Sync role only,
 * but for pop3_uidl_of_email.
 * Everything here is written inside the caller's transaction where one is open, so that a message
 * and the word that it is here are durable together. */
#ifndef RESTANTE_STORE_POP3_H
#define RESTANTE_STORE_POP3_H

#include "server/store/store.h"

enum pop3_uidl_state {
    POP3_UIDL_PARTIAL,   /* only its beginning is here: larger than the account wants */
    POP3_UIDL_OVERSIZED, /* the same, and more is not to be had: larger than is taken here */
    POP3_UIDL_HERE,      /* all of it is */
    POP3_UIDL_DELE_SENT, /* DELE was or is about to be sent; counts once QUIT is answered */
    POP3_UIDL_REMOVED,   /* QUIT was answered with +OK */
};

struct pop3_uidl {
    struct str uidl;    /* ASCII, as pop3_plan_key makes it */
    int occurrence;     /* of several with that UIDL */
    int64_t email_id;   /* 0: deleted here */
    int64_t size_bytes; /* as the server listed it */
    struct str fingerprint;
    enum pop3_uidl_state state;
    int64_t received_at;  /* when it came here; put: 0 is now */
    int64_t absent_since; /* not listed since then; 0: it is */
};

/* All of an account, by uidl (bytewise) and occurrence. */
bool pop3_uidls(struct db *db, struct arena *arena, int64_t account_id, struct pop3_uidl **rows,
                size_t *count, struct error *err);
/* ERROR_NOT_FOUND: never met, or forgotten. */
bool pop3_uidl_of_email(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                        struct pop3_uidl *row, struct error *err);

/* Whole messages whose words are not here yet, the newest first: until replica_text_settled names
 * them. */
struct pop3_wordless {
    int64_t email_id, size_bytes;
};
bool pop3_wordless(struct db *db, struct arena *arena, int64_t account_id, int limit,
                   struct pop3_wordless **found, size_t *count, struct error *err);

/* Adds, or takes over the key. */
bool pop3_uidls_put(struct db *db, int64_t account_id, const struct pop3_uidl *rows, size_t count,
                    struct error *err);
/* By uidl and occurrence of each. */
bool pop3_uidls_set_state(struct db *db, int64_t account_id, const struct pop3_uidl *rows,
                          size_t count, enum pop3_uidl_state state, struct error *err);
bool pop3_uidls_set_absent(struct db *db, int64_t account_id, const struct pop3_uidl *rows,
                           size_t count, bool is_absent, struct error *err);
bool pop3_uidls_forget(struct db *db, int64_t account_id, const struct pop3_uidl *rows,
                       size_t count, struct error *err);

#endif
