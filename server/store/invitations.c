#include "server/store/invitations.h"

#include "server/store/db.h"

bool invitation_answer(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                       struct invitation_answer *answer, struct error *err)
{
    struct db_rows rows;
    *answer = (struct invitation_answer){.answer = STR_EMPTY};
    if (!db_select(db, "invitation_answer", &rows, err, db_i64(account_id), db_i64(email_id)))
        return false;
    if (db_next(&rows)) {
        answer->answer = db_get_str(&rows, arena);
        answer->answered_at = db_get_time(&rows);
        answer->is_under_way = db_get_bool(&rows);
        answer->is_lost = db_get_bool(&rows);
    }
    db_rows_free(&rows);
    return true;
}

bool invitation_answer_put(struct db *db, int64_t account_id, int64_t email_id, struct str answer,
                           int64_t submission_id, struct error *err)
{
    return db_execute(db, "invitation_answer_put", NULL, err, db_i64(account_id), db_i64(email_id),
                      db_text(answer), db_i64(submission_id));
}
