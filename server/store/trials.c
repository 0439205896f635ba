#include <assert.h>

#include "server/base/encode.h"
#include "server/base/seal.h"
#include "server/store/accounts.h"
#include "server/store/db.h"

static const char *const kind_names[] = {
    [TRIAL_DISCOVER] = "discover", [TRIAL_ACCOUNT] = "account", [TRIAL_SIGN_IN] = "sign-in"};
static const char no_trial[] = "there is no such trial";

static void read_trial(struct db_rows *rows, struct arena *arena, struct trial *trial)
{
    bool fits = str_copy(db_get_slice(rows), trial->id, sizeof trial->id);
    assert(fits);
    (void)fits;
    trial->kind = (enum trial_kind)DB_GET_NAME(rows, kind_names);
    trial->user_id = db_get_i64(rows);
    trial->account_id = db_get_i64(rows);
    trial->settings = db_get_str(rows, arena);
    trial->secret = db_get_str(rows, arena);
    trial->is_done = db_get_bool(rows);
    trial->result = db_get_str(rows, arena);
}

/* Unguessable: for a sign-in the id is all the authority there is. */
static void make_id(char id[TRIAL_ID_BYTES])
{
    unsigned char random[(TRIAL_ID_BYTES - 1) / 2];
    struct buf hex = BUF_INIT(TRIAL_ID_BYTES);
    random_bytes(random, sizeof random);
    encode_hex(&hex, str_make(random, sizeof random));
    memcpy(id, hex.at, TRIAL_ID_BYTES);
    buf_free(&hex);
}

bool trial_create(struct db *db, struct trial *trial, struct error *err)
{
    struct db_rows rows;
    make_id(trial->id);
    if (!db_select_one(db, "trial_create", &rows, "no answer", err, db_text(str_of(trial->id)),
                       db_name(kind_names[trial->kind]), db_or_null(db_i64(trial->user_id)),
                       db_or_null(db_i64(trial->account_id)), db_json(trial->settings),
                       db_or_null(db_bytes(trial->secret))))
        return false;
    db_rows_free(&rows);
    return true;
}

bool trial_by_id(struct db *db, struct arena *arena, struct str id, int64_t user_id,
                 struct trial *trial, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "trial_by_id", &rows, no_trial, err, db_text(id), db_i64(user_id)))
        return false;
    read_trial(&rows, arena, trial);
    db_rows_free(&rows);
    return true;
}

bool trial_delete(struct db *db, struct str id, struct error *err)
{
    return db_execute(db, "trial_delete", NULL, err, db_text(id));
}

bool trial_take(struct db *db, struct arena *arena, struct trial *trial, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "trial_take", &rows, "nobody waits for a trial", err))
        return false;
    read_trial(&rows, arena, trial);
    db_rows_free(&rows);
    return true;
}

bool trial_finish(struct db *db, struct str id, struct str result, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "trial_finish", &rows, no_trial, err, db_text(id), db_json(result)))
        return false;
    db_rows_free(&rows);
    return true;
}
