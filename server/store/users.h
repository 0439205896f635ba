/* People who sign in here, their browser sessions, API tokens and the rate limits of signing in. */
#ifndef RESTANTE_STORE_USERS_H
#define RESTANTE_STORE_USERS_H

#include "server/base/seal.h"
#include "server/store/store.h"

struct user {
    int64_t id;
    struct str login;         /* lower case */
    struct str password_hash; /* empty: none set */
    bool is_admin;
    bool is_mail_login;
    int64_t created_at; /* UTC microseconds, as all *_at */
};

/* ERROR_CONFLICT if the login is taken. `password_hash` may be empty. */
bool user_create(struct db *db, struct str login, struct str password_hash, bool is_mail_login,
                 int64_t *id, struct error *err);
/* ERROR_NOT_FOUND if there is none. */
bool user_by_login(struct db *db, struct arena *arena, struct str login, struct user *user,
                   struct error *err);
bool user_by_id(struct db *db, struct arena *arena, int64_t id, struct user *user,
                struct error *err);
bool user_list(struct db *db, struct arena *arena, struct user **users, size_t *count,
               struct error *err);
bool user_set_admin(struct db *db, int64_t id, bool is_admin, struct error *err);
/* Whether lists show a conversation as one row. */
bool user_set_lists(struct db *db, int64_t id, bool lists_conversations, struct error *err);
bool user_set_password(struct db *db, int64_t id, struct str password_hash, struct error *err);
/* With all accounts and mail of the user: nobody sees them from now on; store_sweep purges them. */
bool user_delete(struct db *db, int64_t id, struct error *err);

struct session {
    int64_t user_id;
    struct str login; /* the user's */
    bool is_admin;
    unsigned char token_hash[TOKEN_HASH_BYTES];
    unsigned char csrf[32];
    int64_t created_at, used_at, expires_at;
    struct str remote, agent;
    bool lists_conversations; /* the user's wish: a conversation is one row of a list */
};

/* `token_hash` is token_hash() of the new cookie; the CSRF secret is made here. `remote` and
 * `agent` are capped and repaired, whatever a browser sent. */
bool session_create(struct db *db, const unsigned char token_hash[TOKEN_HASH_BYTES],
                    int64_t user_id, int64_t lifetime_s, struct str remote, struct str agent,
                    struct error *err);
/* The session if neither its absolute end nor the idle time has passed (ERROR_NOT_FOUND), and notes
 * its use at most once a minute. One statement. */
bool session_use(struct db *db, struct arena *arena,
                 const unsigned char token_hash[TOKEN_HASH_BYTES], int64_t idle_s,
                 struct session *session, struct error *err);
bool session_list(struct db *db, struct arena *arena, int64_t user_id, struct session **sessions,
                  size_t *count, struct error *err);
bool session_delete(struct db *db, const unsigned char token_hash[TOKEN_HASH_BYTES],
                    struct error *err);
bool session_delete_all(struct db *db, int64_t user_id, struct error *err);
/* Rows past their end: sessions, tokens, trials, rates, operations finished a week ago (their
 * idempotency keys with them), changes older than 30 days; keys of
 * requests after a day; the words that wait before their index
 * (search_tidy); and for half a second accounts that were removed (account_purge). Called now and
 * then by the sync role. */
bool store_sweep(struct db *db, struct error *err);

enum token_scope { TOKEN_READ = 1, TOKEN_WRITE = 2, TOKEN_SEND = 4 };
struct token {
    int64_t id;
    int64_t user_id;
    struct str login; /* the user's */
    bool is_admin;    /* the user's */
    struct str name;
    unsigned scopes; /* enum token_scope, or-ed */
    int64_t created_at;
    int64_t used_at;    /* 0: never */
    int64_t expires_at; /* 0: never */
};
bool token_create(struct db *db, int64_t user_id, struct str name, unsigned scopes,
                  const unsigned char token_hash[TOKEN_HASH_BYTES], int64_t expires_at, int64_t *id,
                  struct error *err);
bool token_use(struct db *db, struct arena *arena, const unsigned char token_hash[TOKEN_HASH_BYTES],
               struct token *token, struct error *err);
bool token_list(struct db *db, struct arena *arena, int64_t user_id, struct token **tokens,
                size_t *count, struct error *err);
bool token_revoke(struct db *db, int64_t user_id, int64_t id, struct error *err);

/* Counts a hit in `bucket` and tells how many there are in its window (which starts at the first
 * hit and lasts `window_s`) and the seconds until it ends. */
bool rate_hit(struct db *db, struct str bucket, int window_s, int *hits, int *left_s,
              struct error *err);
bool rate_clear(struct db *db, struct str bucket, struct error *err);
/* Takes one hit back. */
bool rate_forgive(struct db *db, struct str bucket, struct error *err);

#endif
