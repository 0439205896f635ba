#include "server/store/users.h"

#include <assert.h>

#include "server/base/clock.h"
#include "server/base/utf8.h"
#include "server/store/db.h"
#include "server/store/leases.h"

enum {
    REMOTE_MAX_BYTES = 64, /* an IPv6 address with a zone is shorter */
    AGENT_MAX_BYTES = 256, /* for people to tell their browsers apart; no more is needed */
    PURGE_MS = 500         /* of one sweep: the rest at the next one */
};

/* One row was meant: ERROR_NOT_FOUND with the sentence if there was none. */
static bool found(bool is_good, int64_t affected, const char *missing, struct error *err)
{
    if (is_good && affected == 0)
        return error_set(err, ERROR_NOT_FOUND, "%s", missing);
    return is_good;
}

/* --- people ---------------------------------------------------------------------------------- */

static const char no_user[] = "there is no such user";

static void read_user(struct db_rows *rows, struct arena *arena, struct user *user)
{
    user->id = db_get_i64(rows);
    user->login = db_get_str(rows, arena);
    user->password_hash = db_get_str(rows, arena);
    user->is_admin = db_get_bool(rows);
    user->is_mail_login = db_get_bool(rows);
    user->created_at = db_get_time(rows);
}

bool user_create(struct db *db, struct str login, struct str password_hash, bool is_mail_login,
                 int64_t *id, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "user_create", &rows, err, db_text(login),
                   db_or_null(db_text(password_hash)), db_bool(is_mail_login)))
        return false;
    bool is_new = db_next(&rows);
    if (is_new)
        *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return is_new || error_set(err, ERROR_CONFLICT, "this name is taken");
}

bool user_by_login(struct db *db, struct arena *arena, struct str login, struct user *user,
                   struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "user_by_login", &rows, no_user, err, db_text(login)))
        return false;
    read_user(&rows, arena, user);
    db_rows_free(&rows);
    return true;
}

bool user_by_id(struct db *db, struct arena *arena, int64_t id, struct user *user,
                struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "user_by_id", &rows, no_user, err, db_i64(id)))
        return false;
    read_user(&rows, arena, user);
    db_rows_free(&rows);
    return true;
}

bool user_list(struct db *db, struct arena *arena, struct user **users, size_t *count,
               struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "user_list", &rows, err))
        return false;
    *count = (size_t)rows.row_count;
    *users = ARENA_ARRAY(arena, *count, struct user);
    for (struct user *user = *users; db_next(&rows); user++)
        read_user(&rows, arena, user);
    db_rows_free(&rows);
    return true;
}

bool user_set_password(struct db *db, int64_t id, struct str password_hash, struct error *err)
{
    int64_t affected = 0;
    bool is_good = db_execute(db, "user_set_password", &affected, err, db_i64(id),
                              db_or_null(db_text(password_hash)));
    return found(is_good, affected, no_user, err);
}

bool user_set_lists(struct db *db, int64_t id, bool lists_conversations, struct error *err)
{
    return db_execute(db, "user_set_lists", NULL, err, db_i64(id), db_bool(lists_conversations));
}

bool user_set_admin(struct db *db, int64_t id, bool is_admin, struct error *err)
{
    int64_t affected = 0;
    bool is_good = db_execute(db, "user_set_admin", &affected, err, db_i64(id), db_bool(is_admin));
    return found(is_good, affected, no_user, err);
}

bool user_delete(struct db *db, int64_t id, struct error *err)
{
    int64_t affected = 0;
    bool is_good = db_execute(db, "user_delete", &affected, err, db_i64(id));
    return found(is_good, affected, no_user, err);
}

/* --- sessions -------------------------------------------------------------------------------- */

/* What a browser or a proxy says, as PostgreSQL takes it. */
static void clean_text(struct buf *out, struct str text, size_t limit)
{
    utf8_repair(out, str_sub(text, 0, limit));
    out->length = utf8_prefix(buf_view(out), limit).length;
}

bool session_create(struct db *db, const unsigned char token_hash[TOKEN_HASH_BYTES],
                    int64_t user_id, int64_t lifetime_s, struct str remote, struct str agent,
                    struct error *err)
{
    unsigned char csrf[sizeof((struct session *)0)->csrf];
    /* one ill-formed byte becomes three */
    struct buf clean_remote = BUF_INIT(3 * REMOTE_MAX_BYTES);
    struct buf clean_agent = BUF_INIT(3 * AGENT_MAX_BYTES);
    random_bytes(csrf, sizeof csrf);
    clean_text(&clean_remote, remote, REMOTE_MAX_BYTES);
    clean_text(&clean_agent, agent, AGENT_MAX_BYTES);
    bool is_good = db_execute(db, "session_create", NULL, err,
                              db_bytes(str_make(token_hash, TOKEN_HASH_BYTES)), db_i64(user_id),
                              db_bytes(str_make(csrf, sizeof csrf)), db_i64(lifetime_s),
                              db_text(buf_view(&clean_remote)), db_text(buf_view(&clean_agent)));
    buf_free(&clean_remote);
    buf_free(&clean_agent);
    return is_good;
}

static void read_bytes(struct db_rows *rows, unsigned char *at, size_t length)
{
    struct str bytes = db_get_slice(rows);
    assert(bytes.length == length);
    memcpy(at, bytes.at, length);
}

static void read_session(struct db_rows *rows, struct arena *arena, struct session *session)
{
    read_bytes(rows, session->token_hash, sizeof session->token_hash);
    session->user_id = db_get_i64(rows);
    session->login = db_get_str(rows, arena);
    session->is_admin = db_get_bool(rows);
    read_bytes(rows, session->csrf, sizeof session->csrf);
    session->created_at = db_get_time(rows);
    session->used_at = db_get_time(rows);
    session->expires_at = db_get_time(rows);
    session->remote = db_get_str(rows, arena);
    session->agent = db_get_str(rows, arena);
    session->lists_conversations = db_get_bool(rows);
}

bool session_use(struct db *db, struct arena *arena,
                 const unsigned char token_hash[TOKEN_HASH_BYTES], int64_t idle_s,
                 struct session *session, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "session_use", &rows, "the session has ended", err,
                       db_bytes(str_make(token_hash, TOKEN_HASH_BYTES)), db_i64(idle_s)))
        return false;
    read_session(&rows, arena, session);
    db_rows_free(&rows);
    return true;
}

bool session_list(struct db *db, struct arena *arena, int64_t user_id, struct session **sessions,
                  size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "session_list", &rows, err, db_i64(user_id)))
        return false;
    *count = (size_t)rows.row_count;
    *sessions = ARENA_ARRAY(arena, *count, struct session);
    for (struct session *session = *sessions; db_next(&rows); session++)
        read_session(&rows, arena, session);
    db_rows_free(&rows);
    return true;
}

bool session_delete(struct db *db, const unsigned char token_hash[TOKEN_HASH_BYTES],
                    struct error *err)
{
    return db_execute(db, "session_delete", NULL, err,
                      db_bytes(str_make(token_hash, TOKEN_HASH_BYTES)));
}

bool session_delete_all(struct db *db, int64_t user_id, struct error *err)
{
    return db_execute(db, "session_delete_all", NULL, err, db_i64(user_id));
}

/* --- tokens ---------------------------------------------------------------------------------- */

static const struct {
    enum token_scope scope;
    const char *name;
} scope_names[] = {{TOKEN_READ, "read"}, {TOKEN_WRITE, "write"}, {TOKEN_SEND, "send"}};
enum { SCOPES = sizeof scope_names / sizeof *scope_names };

static unsigned read_scopes(struct str words)
{
    unsigned scopes = 0;
    while (words.at) {
        struct str word = str_cut(&words, ' ');
        for (size_t i = 0; i < SCOPES; i++)
            if (str_equal(word, str_of(scope_names[i].name)))
                scopes |= scope_names[i].scope;
    }
    return scopes;
}

static void read_token(struct db_rows *rows, struct arena *arena, struct token *token)
{
    token->id = db_get_i64(rows);
    token->user_id = db_get_i64(rows);
    token->login = db_get_str(rows, arena);
    token->is_admin = db_get_bool(rows);
    token->name = db_get_str(rows, arena);
    token->scopes = read_scopes(db_get_words(rows, arena));
    token->created_at = db_get_time(rows);
    token->used_at = db_get_time(rows);
    token->expires_at = db_get_time(rows);
}

bool token_create(struct db *db, int64_t user_id, struct str name, unsigned scopes,
                  const unsigned char token_hash[TOKEN_HASH_BYTES], int64_t expires_at, int64_t *id,
                  struct error *err)
{
    struct str words[SCOPES];
    size_t count = 0;
    for (size_t i = 0; i < SCOPES; i++)
        if (scopes & scope_names[i].scope)
            words[count++] = str_of(scope_names[i].name);
    assert(scopes);
    struct db_rows rows;
    if (!db_select_one(db, "token_create", &rows, no_user, err,
                       db_bytes(str_make(token_hash, TOKEN_HASH_BYTES)), db_i64(user_id),
                       db_text(name), db_text_array(words, count), db_or_null(db_time(expires_at))))
        return false;
    *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool token_use(struct db *db, struct arena *arena, const unsigned char token_hash[TOKEN_HASH_BYTES],
               struct token *token, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "token_use", &rows, "there is no such token", err,
                       db_bytes(str_make(token_hash, TOKEN_HASH_BYTES))))
        return false;
    read_token(&rows, arena, token);
    db_rows_free(&rows);
    return true;
}

bool token_list(struct db *db, struct arena *arena, int64_t user_id, struct token **tokens,
                size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "token_list", &rows, err, db_i64(user_id)))
        return false;
    *count = (size_t)rows.row_count;
    *tokens = ARENA_ARRAY(arena, *count, struct token);
    for (struct token *token = *tokens; db_next(&rows); token++)
        read_token(&rows, arena, token);
    db_rows_free(&rows);
    return true;
}

bool token_revoke(struct db *db, int64_t user_id, int64_t id, struct error *err)
{
    int64_t affected = 0;
    bool is_good = db_execute(db, "token_revoke", &affected, err, db_i64(user_id), db_i64(id));
    return found(is_good, affected, "there is no such token", err);
}

/* --- rate limits ----------------------------------------------------------------------------- */

bool rate_hit(struct db *db, struct str bucket, int window_s, int *hits, int *left_s,
              struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "rate_hit", &rows, "no answer", err, db_text(bucket), db_i64(window_s)))
        return false;
    *hits = db_get_i32(&rows);
    *left_s = db_get_i32(&rows);
    db_rows_free(&rows);
    return true;
}

bool rate_clear(struct db *db, struct str bucket, struct error *err)
{
    return db_execute(db, "rate_clear", NULL, err, db_text(bucket));
}

bool rate_forgive(struct db *db, struct str bucket, struct error *err)
{
    return db_execute(db, "rate_forgive", NULL, err, db_text(bucket));
}

/* --- what is past its end -------------------------------------------------------------------- */

bool store_sweep(struct db *db, struct error *err)
{
    static const char *const sweeps[] = {"sweep_sessions",  "sweep_tokens",       "sweep_rates",
                                         "sweep_trials",    "sweep_operations",   "sweep_changes",
                                         "sweep_processes", "submission_sweep",   "transfer_sweep",
                                         "upload_sweep",    "sweep_request_keys", "search_tidy"};
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++)
        if (!db_execute(db, sweeps[i], NULL, err))
            return false;
    int64_t end_ms = clock_monotonic_ms() + PURGE_MS;
    bool is_more = true;
    while (is_more && clock_monotonic_ms() < end_ms)
        if (!account_purge(db, &is_more, err))
            return false;
    return true;
}
