/* Setting up a mail account, in the steps that pages, API and command line share:
 *
 *  1. setup_begin_discovery: which servers does this address have? -> trial -> setup_candidates
 *  2. setup_begin_trial: do these settings work with this password? -> trial -> setup_outcome
 *  3. setup_save: the tried settings become an account. The sealed password stays with the caller
 *     between 2 and 3 (in `trial.secret`); the row's copy is wiped once the sync role has used it.
 *
 * Waiting in between is the caller's business (handlers/wait.h; the command line polls). */
#ifndef RESTANTE_HANDLERS_SETUP_H
#define RESTANTE_HANDLERS_SETUP_H

#include "server/base/config.h"
#include "server/base/seal.h"
#include "server/store/accounts.h"

/* One way to reach a person's mail. */
struct setup_settings {
    struct str email;
    enum account_kind kind;
    struct server_settings incoming; /* port 0: the usual one */
    struct server_settings smtp;     /* host empty: no sending */
    struct str source;               /* of a candidate: "table", "autoconfig", "srv", "guess" */
};

/* What a person needs to know of a kind of account to choose it, in sentences that pages and
 * programs show. */
struct setup_reason {
    const char *topic; /* "folders", "devices", "speed", "offline", "removal" */
    const char *sentence;
};
enum { SETUP_REASONS = 3 };
extern const struct setup_reason setup_reasons[][SETUP_REASONS]; /* by enum account_kind */

/* The port usually used: imap 993/143, pop3 995/110, smtp 465/587. */
int setup_usual_port(enum account_kind kind, bool is_smtp, enum tls_mode tls);
/* Fills what was left out (ports, username = email) and checks the rest: ERROR_INVALID with a
 * sentence for the person. `allow_plaintext` as the configuration says. */
bool setup_check(struct arena *arena, struct setup_settings *settings, bool allow_plaintext,
                 struct error *err);

/* Writes a discovery trial; its id is in `trial`. */
bool setup_begin_discovery(struct db *db, struct arena *arena, int64_t user_id, struct str email,
                           struct trial *trial, struct error *err);
/* The proposals of a finished one, best first; `*recommended` is an index. */
bool setup_candidates(struct arena *arena, const struct trial *trial,
                      struct setup_settings **candidates, size_t *count, size_t *recommended,
                      struct error *err);

/* Writes a trial of checked settings; the password is sealed to the sync role, bound to a new
 * account id (or to `account_id` when an account gets new settings). `kind` TRIAL_ACCOUNT or
 * TRIAL_SIGN_IN. */
bool setup_begin_trial(struct db *db, struct arena *arena, const struct seal_public_key *key,
                       enum trial_kind kind, int64_t user_id, int64_t account_id,
                       const struct setup_settings *settings, struct str password,
                       struct trial *trial, struct error *err);

/* Tries an account as it stands, with the secret it has: the sync role takes it from the account.
 */
bool setup_begin_retrial(struct db *db, struct arena *arena, const struct account *account,
                         struct trial *trial, struct error *err);

/* What came out. A failure is not an error of the call. */
struct setup_outcome {
    bool is_good;
    struct str part;    /* "incoming" or "smtp" */
    struct str step;    /* "resolve", "connect", "tls", "greeting", "sign-in"; empty */
    struct str kind;    /* an error kind's name */
    struct str message; /* a sentence for the person */
    struct str hint;    /* what to do */
};
bool setup_read_outcome(struct arena *arena, const struct trial *trial,
                        struct setup_outcome *outcome, struct error *err);
/* The settings a trial was made of. */
bool setup_read_settings(struct arena *arena, const struct trial *trial,
                         struct setup_settings *settings, struct error *err);

/* What becomes of mail on a POP3 server. Whoever names a policy that removes mail has agreed to it;
 * without one, the account removes nothing before the person says so (account_asks_to_remove). */
struct setup_pop3 {
    bool is_chosen;
    enum pop3_policy policy;
    int days;
    int64_t max_bytes;
};
extern const struct setup_pop3 setup_pop3_default;
/* Puts it into the account's row. */
void setup_choose_pop3(struct account *account, const struct setup_pop3 *pop3);

/* Makes the account of a successful trial (or of any, with `is_untested`), and deletes the trial.
 * `name` empty: the address. `sealed` is `trial.secret` as setup_begin_trial left it.
 * ERROR_CONFLICT: the person has this account already. */
bool setup_save(struct db *db, struct arena *arena, int64_t user_id, struct str name,
                const struct trial *trial, struct str sealed, const struct setup_pop3 *pop3,
                int64_t *account_id, struct error *err);

/* The same for a person who signed in through the mail server: an account that is there already
 * (trial->account_id) gets the sealed password, a new one is made. */
bool setup_save_sign_in(struct db *db, struct arena *arena, int64_t user_id,
                        const struct trial *trial, struct str sealed, int64_t *account_id,
                        struct error *err);

#endif
