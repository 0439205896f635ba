/* The address book: one a person, shared by their accounts. People written to are collected. */
#ifndef RESTANTE_STORE_CONTACTS_H
#define RESTANTE_STORE_CONTACTS_H

#include "server/store/store.h"

enum { CONTACT_EMAILS_MAX = 50 };

struct contact {
    int64_t id; /* 0: a new one */
    struct str name;
    struct str emails; /* separated by spaces */
    struct str organization, note;
    bool is_collected;
    int64_t used_at; /* 0: never */
};

/* In the order of ids, those beyond `after`. */
bool contact_list(struct db *db, struct arena *arena, int64_t user_id, bool with_collected,
                  int64_t after, int limit, struct contact **contacts, size_t *count,
                  struct error *err);
bool contact_by_id(struct db *db, struct arena *arena, int64_t user_id, int64_t id,
                   struct contact *contact, struct error *err);
/* Who has that address. ERROR_NOT_FOUND: nobody. */
bool contact_by_email(struct db *db, int64_t user_id, struct str email, int64_t *id,
                      struct error *err);
/* Makes (filling `id`) or changes it. */
bool contact_put(struct db *db, int64_t user_id, struct contact *contact, struct error *err);
bool contact_delete(struct db *db, int64_t user_id, int64_t id, struct error *err);

/* Addresses whose name or text begins with what was typed, likeliest first. */
struct contact_match {
    int64_t id;
    struct str name, email;
};
bool contact_complete(struct db *db, struct arena *arena, int64_t user_id, struct str typed,
                      int limit, struct contact_match **matches, size_t *count, struct error *err);
/* These were written to: for completion, so the disk is not waited for. Outside of a transaction.
 */
bool contact_collect(struct db *db, int64_t user_id, const struct str *emails,
                     const struct str *names, size_t count, struct error *err);

#endif
