/* Folders (RFC 8621 section 2). */
#include "server/store/mailboxes.h"
#include "handlers/api/answer.h"
#include "handlers/api/api.h"

static void write_mailbox(struct json *json, const struct mailbox *m)
{
    json_write_object(json);
    answer_id(json, "id", m->id);
    answer_str(json, "name", m->name);
    answer_id(json, "parentId", m->parent_id);
    answer_text(json, "role", mailbox_role_name(m->role));
    answer_i64(json, "sortOrder", m->sort_order);
    answer_i64(json, "totalEmails", m->total);
    answer_i64(json, "unreadEmails", m->unread);
    answer_bool(json, "isSubscribed", m->is_subscribed);
    answer_bool(json, "isSelectable", m->is_selectable);
    answer_bool(json, "isLocal", m->is_local);
    answer_bool(json, "isComplete", m->is_complete);
    answer_i64(json, "upstreamEmails", m->upstream_total);
    json_write_object_end(json);
}

bool api_mailboxes(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    struct account account;
    struct mailbox *mailboxes;
    size_t count;
    if (!answer_account(req, &db, &account, err) ||
        !answer_done(req, &db, mailbox_list(db, req->arena, account.id, &mailboxes, &count, err)))
        return false;
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_id(&json, "accountId", account.id);
    answer_i64(&json, "state", account.modseq);
    json_write_name(&json, "mailboxes");
    json_write_array(&json);
    for (size_t i = 0; i < count; i++)
        write_mailbox(&json, &mailboxes[i]);
    json_write_array_end(&json);
    json_write_object_end(&json);
    return true;
}

bool api_mailbox(struct request *req, struct response *res, struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    struct mailbox mailbox;
    if (!request_param_id(req, "mailbox", &id, err) ||
        !answer_account_id(req, &db, &account_id, err) ||
        !answer_done(req, &db, mailbox_by_id(db, req->arena, account_id, id, &mailbox, err)))
        return false;
    struct json json = answer_json(res);
    write_mailbox(&json, &mailbox);
    return true;
}
