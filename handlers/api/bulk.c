/* Acting on everything that matches: POST .../actions with "filter" instead of ids,
 *   {"action": "move", "toId": "5", "filter": {"query": "from:ann before:2025", "mailboxId": "4"}}
 * is accepted at once, whatever the number of messages: 202 with the Bulk below, which goes on in
 * the background. At least one of "query" and "mailboxId" is there. "keywords" of a move are set
 * first. "trash" without a mailboxId leaves what lies in the trash already.
 *
 * A Bulk: {"id", "action", "state": "running"|"done"|"failed"|"cancelled", "total": null until it
 * is known, "done", "changed", "error", "query", "mailboxId", "toId", "until": of those that are
 * snoozed, "undoesId", "createdAt", "endedAt"}. Progress is told as changes of Operation with its
 * id (GET .../events). */
#include "server/store/bulk.h"
#include "handlers/api/actions.h"
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/once.h"
#include "handlers/search.h"
#include "handlers/snooze.h"
#include "server/store/mailboxes.h"

enum { LIST_MAX = 100 };

static void write_bulk(struct json *json, const struct bulk *bulk)
{
    json_write_object(json);
    answer_id(json, "id", bulk->id);
    answer_text(json, "action", bulk_kind_name(bulk->kind));
    answer_text(json, "state", bulk_state_name(bulk->state));
    if (bulk->is_found)
        answer_i64(json, "total", bulk->total);
    else
        answer_text(json, "total", NULL);
    answer_i64(json, "done", bulk->done);
    answer_i64(json, "changed", bulk->changed);
    answer_text(json, "error", bulk->error.length ? bulk->error.at : NULL);
    answer_str(json, "query", bulk->query);
    answer_id(json, "mailboxId", bulk->mailbox_id);
    answer_id(json, "toId", bulk->target_id);
    answer_time(json, "until", bulk->until);
    answer_id(json, "undoesId", bulk->undoes_id);
    answer_time(json, "createdAt", bulk->asked_at);
    answer_time(json, "endedAt", bulk->ended_at);
    json_write_object_end(json);
}

/* The bulk as it is now, with the status of something that goes on. */
static bool answer_bulk(struct request *req, struct response *res, struct db **db,
                        int64_t account_id, int64_t id, int status, struct error *err)
{
    struct bulk bulk;
    if (!answer_done(req, db, bulk_by_id(*db, req->arena, account_id, id, &bulk, err)))
        return false;
    struct json json = answer_json(res);
    res->status = status;
    write_bulk(&json, &bulk);
    return true;
}

/* A folder that is named; 0: none is. */
static bool is_there(const struct request *req, struct db *db, int64_t account_id, int64_t id,
                     struct error *err)
{
    struct mailbox mailbox;
    return id == 0 || mailbox_by_id(db, req->arena, account_id, id, &mailbox, err);
}

bool api_bulk_accept(struct request *req, struct response *res, const struct action *how,
                     struct str query, struct error *err)
{
    struct db *db;
    struct action action = *how;
    int64_t account_id, id;
    struct query_clock clock = search_clock();
    if (!answer_account_id(req, &db, &account_id, err))
        return false;
    if (!is_there(req, db, account_id, how->mailbox_id, err) ||
        !is_there(req, db, account_id, how->target_id, err) ||
        !search_check(req, db, account_id, query, err) ||
        (how->until && !snooze_prepare(req, db, account_id, how->until, &action, err)) ||
        !bulk_add(db, account_id, &action, query, clock.offset_minutes, &id, err))
        return answer_done(req, &db, false);
    return answer_bulk(req, res, &db, account_id, id, 202, err);
}

bool api_bulks(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct bulk *bulks;
    size_t count;
    if (!answer_account(req, &db, &account, err) ||
        !answer_done(req, &db,
                     bulk_list(db, req->arena, account.id, LIST_MAX, &bulks, &count, err)))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "bulk");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++)
        write_bulk(&json, &bulks[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

bool api_bulk(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    return request_param_id(req, "bulk", &id, err) &&
           answer_account_id(req, &db, &account_id, err) &&
           answer_bulk(req, res, &db, account_id, id, 200, err);
}

bool api_bulk_cancel(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    if (!request_param_id(req, "bulk", &id, err) || !answer_account_id(req, &db, &account_id, err))
        return false;
    if (!bulk_cancel(db, account_id, id, err))
        return answer_done(req, &db, false);
    return answer_bulk(req, res, &db, account_id, id, 200, err);
}

bool api_bulk_undo(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id, undo_id;
    if (!request_param_id(req, "bulk", &id, err) || !answer_account_id(req, &db, &account_id, err))
        return false;
    if (!bulk_undo(db, req->arena, account_id, id, once_key(req), &undo_id, err))
        return answer_done(req, &db, false);
    return answer_bulk(req, res, &db, account_id, undo_id, 202, err);
}
