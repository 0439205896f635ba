#include "handlers/snooze.h"

#include "server/store/snooze.h"

static bool find_folder(const struct request *req, struct db *db, int64_t account_id,
                        int64_t *folder_id, struct error *err)
{
    struct error why = ERROR_INIT;
    struct action_result made;
    if (snooze_folder(db, req->arena, account_id, folder_id, &why))
        return true;
    if (why.kind != ERROR_NOT_FOUND) {
        *err = why;
        return false;
    }
    struct error taken = ERROR_INIT; /* another request was faster */
    if (!mailbox_create(db, req->arena, account_id, 0, STR(SNOOZE_FOLDER), STR_EMPTY, &made,
                        &taken) &&
        taken.kind != ERROR_CONFLICT) {
        *err = taken;
        return false;
    }
    return snooze_folder(db, req->arena, account_id, folder_id, err);
}

bool snooze_prepare(const struct request *req, struct db *db, int64_t account_id, int64_t until,
                    struct action *action, struct error *err)
{
    action->kind = ACTION_MOVE;
    action->until = until;
    return find_folder(req, db, account_id, &action->target_id, err);
}
