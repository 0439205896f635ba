#include "server/store/senders.h"

#include "server/store/db.h"

bool remote_choice(struct db *db, int64_t user_id, struct str email, enum remote_choice *choice,
                   struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "remote_choice", &rows, "nothing was told", err, db_i64(user_id),
                       db_text(email)))
        return false;
    bool is_everybody = db_get_bool(&rows), is_sender = db_get_bool(&rows);
    *choice = is_everybody ? REMOTE_EVERYBODY : is_sender ? REMOTE_SENDER : REMOTE_ASK;
    db_rows_free(&rows);
    return true;
}

bool remote_allow(struct db *db, int64_t user_id, struct str email, struct error *err)
{
    return db_execute(db, "remote_allow", NULL, err, db_i64(user_id), db_text(email));
}

bool remote_forbid(struct db *db, int64_t user_id, struct str email, struct error *err)
{
    return db_execute(db, "remote_forbid", NULL, err, db_i64(user_id), db_text(email));
}
