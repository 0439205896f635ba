#include "server/store/leases.h"

#include <assert.h>

#include "server/store/accounts_private.h"
#include "server/store/changes_private.h"

enum { PURGE_EMAILS = 500 }; /* a slice of some ten milliseconds */

static const char no_account[] = "there is no such account";

static void take_ids(struct db_rows *rows, struct arena *arena, int64_t **ids, size_t *count)
{
    *count = (size_t)rows->row_count;
    *ids = ARENA_ARRAY(arena, *count, int64_t);
    for (int64_t *id = *ids; db_next(rows); id++)
        *id = db_get_i64(rows);
    db_rows_free(rows);
}

bool lease_due(struct db *db, struct arena *arena, struct str owner, int lease_s, int limit,
               int64_t **account_ids, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "lease_due", &rows, err, db_text(owner), db_i64(lease_s), db_i64(limit)))
        return false;
    take_ids(&rows, arena, account_ids, count);
    return true;
}

bool lease_wanted(struct db *db, struct arena *arena, struct str owner, int64_t **account_ids,
                  size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "lease_wanted", &rows, err, db_text(owner)))
        return false;
    take_ids(&rows, arena, account_ids, count);
    return true;
}

bool lease_take(struct db *db, int64_t account_id, struct str owner, int lease_s, struct error *err)
{
    int64_t affected = 0;
    if (!db_execute(db, "lease_take", &affected, err, db_i64(account_id), db_text(owner),
                    db_i64(lease_s)))
        return false;
    return affected || error_set(err, ERROR_CONFLICT, "another process works on this account");
}

bool lease_renew(struct db *db, struct str owner, int lease_s, struct error *err)
{
    return db_execute(db, "lease_renew", NULL, err, db_text(owner), db_i64(lease_s));
}

bool lease_release(struct db *db, int64_t account_id, struct str owner, int64_t next_sync_at,
                   struct error *err)
{
    return db_execute(db, "lease_release", NULL, err, db_i64(account_id), db_text(owner),
                      db_time(next_sync_at));
}

bool lease_release_all(struct db *db, struct str owner, struct error *err)
{
    return db_execute(db, "lease_release_all", NULL, err, db_text(owner));
}

bool lease_next_due(struct db *db, int64_t *at, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "lease_next_due", &rows, "no answer", err))
        return false;
    *at = db_get_time(&rows);
    db_rows_free(&rows);
    return true;
}

bool account_work_load(struct db *db, struct arena *arena, int64_t account_id,
                       struct account_work *work, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "account_work_load", &rows, no_account, err, db_i64(account_id)))
        return false;
    work->secret = db_get_str(&rows, arena);
    work->smtp_secret = db_get_str(&rows, arena);
    work->lease_owner = db_get_str(&rows, arena);
    account_read(&rows, arena, &work->account);
    db_rows_free(&rows);
    return true;
}

/* --- status for people ----------------------------------------------------------------------- */

/* Ends the transaction of a statement about the account's status; news are told. */
static bool leave_told(struct db *db, bool started, int64_t account_id, bool is_good,
                       int64_t affected, struct error *err)
{
    is_good = is_good && (!affected || changes_write_updated(db, account_id, CHANGE_ACCOUNT,
                                                             &account_id, 1, err));
    return db_leave(db, started, is_good, err);
}

bool account_set_state(struct db *db, int64_t account_id, enum sync_state state,
                       const struct error *why, struct error *err)
{
    bool started;
    int64_t affected = 0;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good =
        db_execute(db, "account_set_state", &affected, err, db_i64(account_id),
                   db_name(sync_state_name(state)), db_text(why ? str_of(why->message) : STR_EMPTY),
                   db_text(why ? str_of(why->hint) : STR_EMPTY));
    return leave_told(db, started, account_id, is_good, affected, err);
}

bool account_set_sending(struct db *db, int64_t account_id, const struct error *why,
                         struct error *err)
{
    bool started;
    int64_t affected = 0;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = db_execute(db, "account_set_sending", &affected, err, db_i64(account_id),
                              db_text(why ? str_of(why->message) : STR_EMPTY),
                              db_text(why ? str_of(why->hint) : STR_EMPTY));
    return leave_told(db, started, account_id, is_good, affected, err);
}

bool account_set_progress(struct db *db, int64_t account_id, int64_t done, int64_t total,
                          struct error *err)
{
    return db_execute(db, "account_set_progress", NULL, err, db_i64(account_id), db_i64(done),
                      db_i64(total));
}

bool account_set_synced(struct db *db, int64_t account_id, struct str capabilities,
                        struct error *err)
{
    bool started;
    struct db_rows rows;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = db_select_one(db, "account_set_synced", &rows, no_account, err,
                                 db_i64(account_id), db_or_null(db_text(capabilities)));
    if (is_good) {
        bool is_change = db_get_bool(&rows);
        db_rows_free(&rows);
        is_good = !is_change ||
                  changes_write_updated(db, account_id, CHANGE_ACCOUNT, &account_id, 1, err);
    }
    return db_leave(db, started, is_good, err);
}

bool account_set_next_sync(struct db *db, int64_t account_id, int64_t at, struct error *err)
{
    assert(!db_in_transaction(db)); /* whose durability it would take */
    return db_execute(db, "account_set_next_sync", NULL, err, db_i64(account_id), db_time(at));
}

bool account_set_next_pass(struct db *db, int64_t account_id, int64_t began_at, int64_t at,
                           bool *is_asked, struct error *err)
{
    int64_t affected = 0;
    bool is_good = db_execute(db, "account_set_next_pass", &affected, err, db_i64(account_id),
                              db_time(at), db_time(began_at));
    *is_asked = is_good && affected == 0;
    return is_good;
}

bool account_set_expire(struct db *db, int64_t account_id, int days, struct error *err)
{
    struct db_value value = db_i32(days);
    value.is_null = days < 0;
    return db_execute(db, "account_set_expire", NULL, err, db_i64(account_id), value);
}

bool account_count_failure(struct db *db, int64_t account_id, int *failures, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "account_count_failure", &rows, no_account, err, db_i64(account_id)))
        return false;
    *failures = db_get_i32(&rows);
    db_rows_free(&rows);
    return true;
}

/* --- accounts that were removed -------------------------------------------------------------- */

static bool purge_slice(struct db *db, bool *is_more, struct error *err)
{
    struct db_rows rows;
    int64_t emails = 0;
    if (!db_select(db, "purge_pick", &rows, err))
        return false;
    *is_more = db_next(&rows);
    int64_t account_id = *is_more ? db_get_i64(&rows) : 0;
    db_rows_free(&rows);
    if (!*is_more)
        return true;
    if (!db_post(db, "purge_submissions", err, db_i64(account_id)) ||
        !db_execute(db, "purge_emails", &emails, err, db_i64(account_id), db_i64(PURGE_EMAILS)))
        return false;
    return emails || db_post(db, "purge_account", err, db_i64(account_id));
}

bool account_purge(struct db *db, bool *is_more, struct error *err)
{
    return db_begin(db, err) && db_leave(db, true, purge_slice(db, is_more, err), err);
}
