#include "server/store/request_keys.h"

#include "server/store/db.h"

static struct db_value hash_of(const struct request_key *key)
{
    return db_bytes(str_make(key->hash, sizeof key->hash));
}

static struct db_value fingerprint_of(const struct request_key *key)
{
    return db_bytes(str_make(key->fingerprint, sizeof key->fingerprint));
}

/* What became of a key that is known. One that is gone by now was let go this very moment. */
static bool look(struct db *db, struct arena *arena, const struct request_key *key,
                 enum request_state *state, struct request_answer *answer, struct error *err)
{
    struct db_rows rows;
    *state = REQUEST_UNDER_WAY;
    if (!db_select(db, "request_key_find", &rows, err, db_i64(key->user_id), hash_of(key),
                   fingerprint_of(key)))
        return false;
    if (db_next(&rows)) {
        bool is_same = db_get_bool(&rows);
        answer->status = db_get_i32(&rows);
        answer->has_secret = !db_get_bool(&rows);
        answer->media_type = db_get_str(&rows, arena);
        answer->location = db_get_str(&rows, arena);
        answer->body = db_get_str(&rows, arena);
        *state = !is_same ? REQUEST_OTHER : answer->status ? REQUEST_ANSWERED : REQUEST_UNDER_WAY;
    }
    db_rows_free(&rows);
    return true;
}

bool request_key_take(struct db *db, struct arena *arena, struct request_key *key, int held_s,
                      enum request_state *state, struct request_answer *answer, struct error *err)
{
    struct db_rows rows;
    bool started;
    if (!db_enter(db, &started, err))
        return false;
    if (started)
        db_be_lazy(db); /* whatever is done under it commits after this */
    bool is_good = db_post(db, "request_key_expire", err, db_i64(key->user_id), hash_of(key)) &&
                   db_select(db, "request_key_take", &rows, err, db_i64(key->user_id), hash_of(key),
                             fingerprint_of(key), db_i64(held_s));
    bool is_taken = is_good && db_next(&rows);
    if (is_taken) {
        key->id = db_get_i64(&rows);
        key->made_id = db_get_i64(&rows);
    }
    if (is_good)
        db_rows_free(&rows);
    if (!db_leave(db, started, is_good, err))
        return false;
    *state = REQUEST_NEW;
    return is_taken || look(db, arena, key, state, answer, err);
}

bool request_key_answer(struct db *db, const struct request_key *key,
                        const struct request_answer *answer, struct error *err)
{
    struct db_value body = db_bytes(answer->body);
    body.is_null = answer->has_secret;
    return db_execute(db, "request_key_answer", NULL, err, db_i64(key->user_id), hash_of(key),
                      db_i64(key->id), db_i32(answer->status),
                      db_or_null(db_text(answer->media_type)),
                      db_or_null(db_text(answer->location)), body);
}

bool request_key_note_made(struct db *db, const struct request_key *key, int64_t made_id,
                           struct error *err)
{
    return db_post(db, "request_key_made", err, db_i64(key->user_id), hash_of(key), db_i64(key->id),
                   db_i64(made_id));
}

bool request_key_let_go(struct db *db, const struct request_key *key, struct error *err)
{
    return db_execute(db, "request_key_let_go", NULL, err, db_i64(key->user_id), hash_of(key),
                      db_i64(key->id));
}

bool request_key_forget(struct db *db, const struct request_key *key, struct error *err)
{
    return db_execute(db, "request_key_forget", NULL, err, db_i64(key->user_id), hash_of(key),
                      db_i64(key->id));
}
