#include "server/store/accounts.h"

#include <assert.h>

#include "server/store/accounts_private.h"
#include "server/store/changes_private.h"

static const char no_account[] = "there is no such account";

/* --- names ----------------------------------------------------------------------------------- */

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const char *const kind_names[] = {[ACCOUNT_IMAP] = "imap", [ACCOUNT_POP3] = "pop3"};
static const char *const tls_names[] = {
    [TLS_IMPLICIT] = "implicit", [TLS_STARTTLS] = "starttls", [TLS_NONE] = "none"};
static const char *const prefetch_names[] = {[PREFETCH_HEADERS] = "headers",
                                             [PREFETCH_RECENT] = "recent",
                                             [PREFETCH_TEXT] = "text",
                                             [PREFETCH_ALL] = "all"};
static const char *const pop3_policy_names[] = {[POP3_REMOVE] = "remove",
                                                [POP3_LEAVE] = "leave",
                                                [POP3_REMOVE_AFTER] = "remove-after",
                                                [POP3_REMOVE_DELETED] = "remove-deleted"};
static const char *const sync_state_names[] = {
    [SYNC_NEW] = "new",         [SYNC_SYNCING] = "syncing",
    [SYNC_CURRENT] = "current", [SYNC_UNREACHABLE] = "unreachable",
    [SYNC_REFUSED] = "refused", [SYNC_PAUSED] = "paused"};

/* The index of the name, or -1. */
static int find_name(const char *const *names, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(name, str_of(names[i])))
            return (int)i;
    return -1;
}
#define FIND_NAME(names, name) find_name(names, COUNT_OF(names), name)

const char *account_kind_name(enum account_kind kind)
{
    return kind_names[kind];
}

bool account_kind_parse(struct str name, enum account_kind *kind)
{
    int found = FIND_NAME(kind_names, name);
    if (found >= 0)
        *kind = (enum account_kind)found;
    return found >= 0;
}

const char *tls_mode_name(enum tls_mode mode)
{
    return tls_names[mode];
}

bool tls_mode_parse(struct str name, enum tls_mode *mode)
{
    int found = FIND_NAME(tls_names, name);
    if (found >= 0)
        *mode = (enum tls_mode)found;
    return found >= 0;
}

const char *prefetch_name(enum prefetch prefetch)
{
    return prefetch_names[prefetch];
}

bool prefetch_parse(struct str name, enum prefetch *prefetch)
{
    int found = FIND_NAME(prefetch_names, name);
    if (found >= 0)
        *prefetch = (enum prefetch)found;
    return found >= 0;
}

const char *pop3_policy_name(enum pop3_policy policy)
{
    return pop3_policy_names[policy];
}

bool pop3_policy_parse(struct str name, enum pop3_policy *policy)
{
    int found = FIND_NAME(pop3_policy_names, name);
    if (found >= 0)
        *policy = (enum pop3_policy)found;
    return found >= 0;
}

const char *sync_state_name(enum sync_state state)
{
    return sync_state_names[state];
}

/* --- reading --------------------------------------------------------------------------------- */

static void read_servers(struct db_rows *rows, struct arena *arena, struct server_settings *server)
{
    server->host = db_get_str(rows, arena);
    server->port = db_get_i32(rows);
    server->tls = (enum tls_mode)DB_GET_NAME(rows, tls_names);
    server->username = db_get_str(rows, arena);
}

void account_read(struct db_rows *rows, struct arena *arena, struct account *account)
{
    account->id = db_get_i64(rows);
    account->user_id = db_get_i64(rows);
    account->name = db_get_str(rows, arena);
    account->email = db_get_str(rows, arena);
    account->kind = (enum account_kind)DB_GET_NAME(rows, kind_names);
    read_servers(rows, arena, &account->incoming);
    read_servers(rows, arena, &account->smtp);
    account->prefetch = (enum prefetch)DB_GET_NAME(rows, prefetch_names);
    account->prefetch_days = db_get_i32(rows);
    account->poll_seconds = db_get_i32(rows);
    account->pop3_policy = (enum pop3_policy)DB_GET_NAME(rows, pop3_policy_names);
    account->pop3_days = db_get_i32(rows);
    account->pop3_max_bytes = db_get_i64(rows);
    account->pop3_may_remove = db_get_bool(rows);
    account->pop3_expire_days = db_get_i32(rows);
    account->sync_state = (enum sync_state)DB_GET_NAME(rows, sync_state_names);
    account->sync_error = db_get_str(rows, arena);
    account->sync_hint = db_get_str(rows, arena);
    account->send_error = db_get_str(rows, arena);
    account->send_hint = db_get_str(rows, arena);
    account->sync_since = db_get_time(rows);
    account->synced_at = db_get_time(rows);
    account->next_sync_at = db_get_time(rows);
    account->failures = db_get_i32(rows);
    account->sync_done = db_get_i64(rows);
    account->sync_total = db_get_i64(rows);
    account->modseq = db_get_i64(rows);
    account->created_at = db_get_time(rows);
}

bool account_list(struct db *db, struct arena *arena, int64_t user_id, struct account **accounts,
                  size_t *count, struct error *err)
{
    struct db_rows rows;
    int64_t viewer = db_viewer(db);
    if (!db_select(db, "account_list", &rows, err, db_i64(viewer ? viewer : user_id)))
        return false;
    *count = (size_t)rows.row_count;
    *accounts = ARENA_ARRAY(arena, *count, struct account);
    for (struct account *account = *accounts; db_next(&rows); account++)
        account_read(&rows, arena, account);
    db_rows_free(&rows);
    return true;
}

bool account_by_id(struct db *db, struct arena *arena, int64_t id, struct account *account,
                   struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "account_by_id", &rows, no_account, err, db_i64(id),
                       db_i64(db_viewer(db))))
        return false;
    account_read(&rows, arena, account);
    db_rows_free(&rows);
    return true;
}

/* --- writing --------------------------------------------------------------------------------- */

bool account_allocate_id(struct db *db, int64_t *id, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "account_allocate_id", &rows, "no answer", err))
        return false;
    *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

/* The first ids of an account: its identity, then for POP3 its folders. */
enum { IDENTITY_ID = 1, LOCAL_MAILBOXES = 6 };
static const int64_t local_ids[LOCAL_MAILBOXES] = {2, 3, 4, 5, 6, 7};
static const struct str local_names[LOCAL_MAILBOXES] = {
    STR("Inbox"), STR("Drafts"), STR("Sent"), STR("Junk"), STR("Trash"), STR("Archive")};
static const struct str local_roles[LOCAL_MAILBOXES] = {
    STR("inbox"), STR("drafts"), STR("sent"), STR("junk"), STR("trash"), STR("archive")};

static size_t local_count(const struct account *account)
{
    return account->kind == ACCOUNT_POP3 ? LOCAL_MAILBOXES : 0;
}

static bool insert_account(struct db *db, const struct account *a, struct str secret,
                           struct str smtp_secret, struct error *err)
{
    int64_t affected = 0;
    int64_t next_id = IDENTITY_ID + 1 + (int64_t)local_count(a);
    if (!db_execute(db, "account_create", &affected, err, db_i64(a->id), db_i64(a->user_id),
                    db_text(a->name), db_text(a->email), db_name(kind_names[a->kind]),
                    db_text(a->incoming.host), db_i32(a->incoming.port),
                    db_name(tls_names[a->incoming.tls]), db_text(a->incoming.username),
                    db_bytes(secret), db_text(a->smtp.host), db_i32(a->smtp.port),
                    db_name(tls_names[a->smtp.tls]), db_text(a->smtp.username),
                    db_or_null(db_bytes(smtp_secret)), db_name(prefetch_names[a->prefetch]),
                    db_i32(a->prefetch_days), db_i32(a->poll_seconds),
                    db_name(pop3_policy_names[a->pop3_policy]), db_i32(a->pop3_days),
                    db_i64(a->pop3_max_bytes), db_bool(a->pop3_may_remove), db_i64(next_id)))
        return false;
    return affected || error_set(err, ERROR_CONFLICT, "this account is here already");
}

bool account_create(struct db *db, const struct account *account, struct str secret,
                    struct str smtp_secret, struct error *err)
{
    assert(account->id > 0 && account->user_id > 0);
    static const int64_t identity_id = IDENTITY_ID;
    size_t locals = local_count(account);
    const struct change changes[] = {
        {.type = CHANGE_ACCOUNT, .created = &account->id, .created_count = 1},
        {.type = CHANGE_IDENTITY, .created = &identity_id, .created_count = 1},
        {.type = CHANGE_MAILBOX, .created = local_ids, .created_count = locals}};
    bool started;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = insert_account(db, account, secret, smtp_secret, err) &&
                   db_post(db, "account_create_identity", err, db_i64(account->id),
                           db_i64(identity_id), db_text(STR_EMPTY), db_text(account->email));
    if (is_good && locals)
        is_good = db_post(db, "account_create_mailboxes", err, db_i64(account->id),
                          db_i64_array(local_ids, locals), db_text_array(local_names, locals),
                          db_text_array(local_roles, locals));
    is_good = is_good && changes_write(db, account->id, changes, COUNT_OF(changes), NULL, err) &&
              db_post(db, "account_notify", err, db_i64(account->id));
    return db_leave(db, started, is_good, err);
}

/* After an UPDATE of the account: its change row and a word to the sync role, sent at commit. */
static bool tell_updated(struct db *db, int64_t id, int64_t affected, struct error *err)
{
    if (!affected)
        return error_set(err, ERROR_NOT_FOUND, "%s", no_account);
    return changes_write_updated(db, id, CHANGE_ACCOUNT, &id, 1, err) &&
           db_post(db, "account_notify", err, db_i64(id));
}

bool account_update_policy(struct db *db, const struct account *account, struct error *err)
{
    bool started;
    int64_t affected = 0;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        db_execute(db, "account_update_policy", &affected, err, db_i64(account->id),
                   db_i64(db_viewer(db)), db_text(account->name),
                   db_name(prefetch_names[account->prefetch]), db_i32(account->prefetch_days),
                   db_i32(account->poll_seconds), db_name(pop3_policy_names[account->pop3_policy]),
                   db_i32(account->pop3_days), db_i64(account->pop3_max_bytes),
                   db_bool(account->pop3_may_remove)) &&
        tell_updated(db, account->id, affected, err);
    return db_leave(db, started, is_good, err);
}

bool account_asks_to_remove(const struct account *account)
{
    return account->kind == ACCOUNT_POP3 && account->pop3_policy != POP3_LEAVE &&
           !account->pop3_may_remove;
}

static struct db_value secret_or_keep(struct str secret)
{
    struct db_value value = db_bytes(secret);
    value.is_null = !secret.at;
    return value;
}

bool account_update_servers(struct db *db, const struct account *a, struct str secret,
                            struct str smtp_secret, struct error *err)
{
    bool started;
    int64_t affected = 0;
    struct error why = ERROR_INIT;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = db_execute(
        db, "account_update_servers", &affected, &why, db_i64(a->id), db_i64(db_viewer(db)),
        db_text(a->email), db_text(a->incoming.host), db_i32(a->incoming.port),
        db_name(tls_names[a->incoming.tls]), db_text(a->incoming.username), secret_or_keep(secret),
        db_text(a->smtp.host), db_i32(a->smtp.port), db_name(tls_names[a->smtp.tls]),
        db_text(a->smtp.username), secret_or_keep(smtp_secret));
    if (!is_good && why.kind == ERROR_CONFLICT)
        error_set(&why, ERROR_CONFLICT, "another account of yours has this server and name");
    if (!is_good && err)
        *err = why;
    is_good = is_good && tell_updated(db, a->id, affected, err) &&
              db_post(db, "account_retry_sending", err, db_i64(a->id));
    return db_leave(db, started, is_good, err);
}

bool account_delete(struct db *db, int64_t id, struct error *err)
{
    bool started;
    int64_t affected = 0;
    const struct change change = {.type = CHANGE_ACCOUNT, .destroyed = &id, .destroyed_count = 1};
    if (!db_enter(db, &started, err))
        return false;
    /* The change row first: afterwards the account's rows are out of the viewer's reach. */
    bool is_good =
        changes_write(db, id, &change, 1, NULL, err) &&
        db_execute(db, "account_delete", &affected, err, db_i64(id), db_i64(db_viewer(db)));
    if (is_good && !affected)
        is_good = error_set(err, ERROR_NOT_FOUND, "%s", no_account);
    is_good = is_good && db_post(db, "account_notify", err, db_i64(id));
    return db_leave(db, started, is_good, err);
}

bool account_sync_now(struct db *db, int64_t id, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "account_sync_now", &rows, no_account, err, db_i64(id),
                       db_i64(db_viewer(db))))
        return false;
    db_rows_free(&rows);
    return true;
}
