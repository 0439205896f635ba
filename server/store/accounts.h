/* Upstream accounts and the trials that come before them. */
#ifndef RESTANTE_STORE_ACCOUNTS_H
#define RESTANTE_STORE_ACCOUNTS_H

#include "server/store/store.h"

enum account_kind { ACCOUNT_IMAP, ACCOUNT_POP3 };
enum tls_mode { TLS_IMPLICIT, TLS_STARTTLS, TLS_NONE };
enum prefetch { PREFETCH_HEADERS, PREFETCH_RECENT, PREFETCH_TEXT, PREFETCH_ALL };
enum pop3_policy { POP3_REMOVE, POP3_LEAVE, POP3_REMOVE_AFTER, POP3_REMOVE_DELETED };
enum sync_state {
    SYNC_NEW,
    SYNC_SYNCING,
    SYNC_CURRENT,
    SYNC_UNREACHABLE,
    SYNC_REFUSED,
    SYNC_PAUSED
};

/* Names as in the schema ("imap", "starttls", "remove-after"…); parse returns false if unknown. */
const char *account_kind_name(enum account_kind kind);
bool account_kind_parse(struct str name, enum account_kind *kind);
const char *tls_mode_name(enum tls_mode mode);
bool tls_mode_parse(struct str name, enum tls_mode *mode);
const char *prefetch_name(enum prefetch prefetch);
bool prefetch_parse(struct str name, enum prefetch *prefetch);
const char *pop3_policy_name(enum pop3_policy policy);
bool pop3_policy_parse(struct str name, enum pop3_policy *policy);
const char *sync_state_name(enum sync_state state);

struct server_settings {
    struct str host; /* empty: not configured */
    int port;
    enum tls_mode tls;
    struct str username;
};

struct account {
    int64_t id; /* 0: to be allocated */
    int64_t user_id;
    struct str name, email;
    enum account_kind kind;
    struct server_settings incoming;
    struct server_settings smtp; /* username empty: as incoming, with the same secret */
    enum prefetch prefetch;
    int prefetch_days, poll_seconds;
    enum pop3_policy pop3_policy;
    int pop3_days;
    int64_t pop3_max_bytes;
    /* The person has agreed that mail is removed upstream. Until then nothing is, whatever the
     * policy says. */
    bool pop3_may_remove;
    int pop3_expire_days; /* the server throws read mail away after that; < 0: it does not say */
    enum sync_state sync_state;
    struct str sync_error, sync_hint;
    struct str send_error, send_hint; /* the server for outgoing mail refuses the account */
    int64_t sync_since, synced_at /* 0: never */, next_sync_at;
    int failures;
    int64_t sync_done, sync_total;
    int64_t modseq;
    int64_t created_at;
};

/* Ids are allocated before the row so that secrets can be sealed to "account:<id>". */
bool account_allocate_id(struct db *db, int64_t *id, struct error *err);
/* `secret` and `smtp_secret` (may be empty) are sealed. ERROR_CONFLICT if the person has it
 * already. Writes an identity for the address, a change row, and NOTIFYs the sync role. For POP3 it
 * also creates the local mailboxes (Inbox, Drafts, Sent, Archive, Junk, Trash). */
bool account_create(struct db *db, const struct account *account, struct str secret,
                    struct str smtp_secret, struct error *err);
/* The viewer's accounts, oldest first (SYNC/OWNER: of the given user; 0: all). */
bool account_list(struct db *db, struct arena *arena, int64_t user_id, struct account **accounts,
                  size_t *count, struct error *err);
/* ERROR_NOT_FOUND if it is not the viewer's. */
bool account_by_id(struct db *db, struct arena *arena, int64_t id, struct account *account,
                   struct error *err);
/* Name, policy and polling; not servers or secrets. A changed POP3 policy is acted on at once. */
bool account_update_policy(struct db *db, const struct account *account, struct error *err);
/* Servers, names and secrets after a successful trial; NULL-pointer secrets stay as they are. What
 * waits for them, to be fetched or sent, is tried at once. */
bool account_update_servers(struct db *db, const struct account *account, struct str secret,
                            struct str smtp_secret, struct error *err);
/* Whether a policy that removes mail waits for the person's word (pop3_may_remove). */
bool account_asks_to_remove(const struct account *account);
/* Out of everybody's sight at once, secrets wiped; its rows go in the background (account_purge in
 * leases.h), since a large account's take their time. */
bool account_delete(struct db *db, int64_t id, struct error *err);
/* Asks the sync role to look now ("check now"): sets next_sync_at and NOTIFYs. */
bool account_sync_now(struct db *db, int64_t id, struct error *err);

/* --- trials ---------------------------------------------------------------------------------- */
enum trial_kind { TRIAL_DISCOVER, TRIAL_ACCOUNT, TRIAL_SIGN_IN };
enum { TRIAL_ID_BYTES = 33 };
struct trial {
    char id[TRIAL_ID_BYTES]; /* 32 hex digits; made by trial_create */
    enum trial_kind kind;
    int64_t user_id;     /* 0: none */
    int64_t account_id;  /* what `secret` is bound to; 0: none */
    struct str settings; /* JSON: discover {"email"}; account and sign-in as account_to_json */
    struct str secret;   /* sealed */
    bool is_done;
    struct str result; /* JSON, see server/sync/trials.h; empty until done */
};
bool trial_create(struct db *db, struct trial *trial, struct error *err);
/* For a person's trial the user must match; 0 for sign-in trials (the id is the authority). Its
 * secret only once it went well and is not saved yet. */
bool trial_by_id(struct db *db, struct arena *arena, struct str id, int64_t user_id,
                 struct trial *trial, struct error *err);
bool trial_delete(struct db *db, struct str id, struct error *err);
/* Sync role: takes the oldest pending one (false with ERROR_NOT_FOUND: none), FOR UPDATE SKIP
 * LOCKED; and writes its result, wiping the secret unless an account's settings worked, and
 * NOTIFYing (ERROR_NOT_FOUND: not running, or deleted meanwhile). */
bool trial_take(struct db *db, struct arena *arena, struct trial *trial, struct error *err);
bool trial_finish(struct db *db, struct str id, struct str result, struct error *err);

#endif
