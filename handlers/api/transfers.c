/* Imports, and fetching what an export would lack. */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/transfer.h"

enum { TRANSFERS_MAX = 100 };

static void write_transfer(struct json *json, const struct transfer *t)
{
    json_write_object(json);
    answer_id(json, "id", t->id);
    answer_text(json, "kind", transfer_kind_name(t->kind));
    answer_text(json, "state", transfer_state_name(t->state));
    if (t->kind == TRANSFER_IMPORT) {
        answer_str(json, "name", t->name);
        answer_id(json, "mailboxId", t->mailbox_id);
        answer_i64(json, "size", t->size_bytes);
        answer_i64(json, "imported", t->done);
        answer_i64(json, "duplicates", t->known);
        answer_i64(json, "otherFiles", t->others);
    } else {
        answer_i64(json, "fetched", t->done);
    }
    answer_i64(json, "refused", t->refused);
    if (t->error.length > 0)
        answer_str(json, "error", t->error);
    answer_time(json, "createdAt", t->created_at);
    answer_time(json, "finishedAt", t->ended_at);
    json_write_object_end(json);
}

static bool answer_one(struct request *req, struct response *res, struct db *db, int64_t account_id,
                       int64_t id, struct error *err)
{
    struct transfer transfer;
    if (!transfer_by_id(db, req->arena, account_id, id, &transfer, err))
        return false;
    struct json json = answer_json(res);
    write_transfer(&json, &transfer);
    return true;
}

static bool answer_accepted(struct request *req, struct response *res, struct db *db,
                            int64_t account_id, int64_t id, struct error *err)
{
    res->status = 202;
    response_set_header(res, "Location",
                        arena_printf(req->arena, "/api/v1/accounts/%lld/transfers/%lld",
                                     (long long)account_id, (long long)id));
    return answer_one(req, res, db, account_id, id, err);
}

bool api_transfers(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct transfer *list;
    size_t count;
    if (!answer_account(req, &db, &account, err) ||
        !answer_done(req, &db,
                     transfers_list(db, req->arena, account.id, TRANSFERS_MAX, &list, &count, err)))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    json_write_name(&json, "transfers");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++)
        write_transfer(&json, &list[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

bool api_transfer(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    int64_t id;
    return request_param_id(req, "transfer", &id, err) && answer_account(req, &db, &account, err) &&
           answer_done(req, &db, answer_one(req, res, db, account.id, id, err));
}

bool api_transfer_cancel(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    int64_t id;
    return request_param_id(req, "transfer", &id, err) && answer_account(req, &db, &account, err) &&
           answer_done(req, &db,
                       transfer_cancel(db, account.id, id, err) &&
                           answer_one(req, res, db, account.id, id, err));
}

/* ?mailbox=<id>: of one folder. */
bool api_export_summary(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct export_totals totals;
    int64_t mailbox_id = 0;
    struct str mailbox = request_argument(req, "mailbox");
    if (mailbox.length > 0 && (!str_to_i64(mailbox, &mailbox_id) || mailbox_id <= 0))
        return error_set(err, ERROR_NOT_FOUND, "There is no such folder.");
    if (!answer_account(req, &db, &account, err) ||
        !answer_done(req, &db, export_count(db, account.id, mailbox_id, &totals, err)))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_i64(&json, "emails", totals.emails);
    answer_i64(&json, "missing", totals.missing);
    answer_i64(&json, "size", totals.size_bytes);
    json_write_object_end(&json);
    return true;
}

bool api_export_complete(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    int64_t id;
    return answer_account(req, &db, &account, err) &&
           answer_done(req, &db,
                       transfer_complete(req, db, account.id, &id, err) &&
                           answer_accepted(req, res, db, account.id, id, err));
}

/* POST ?mailbox=<id>&name=…&seen=false: the body is the file. */
bool api_import(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    int64_t id;
    struct str mailbox = request_argument(req, "mailbox"), name = request_argument(req, "name");
    struct transfer_wish wish = {.name = name.at ? name : STR_EMPTY,
                                 .is_seen = !str_equal(request_argument(req, "seen"), STR("false")),
                                 .length = req->body_bytes};
    if (!str_to_i64(mailbox, &wish.mailbox_id))
        return error_set(err, ERROR_INVALID, "\"mailbox\" is the id of the folder to import into.");
    if (!answer_account(req, &db, &account, err))
        return false;
    wish.account_id = account.id;
    return answer_done(req, &db,
                       transfer_import(req, db, &wish, &id, err) &&
                           answer_accepted(req, res, db, account.id, id, err));
}
