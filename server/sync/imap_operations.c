#include "server/sync/imap_operations.h"

#include "server/sync/imap_body.h"
#include "server/sync/imap_replay.h"
#include "server/sync/imap_search.h"
#include "server/sync/operations.h"
#include "server/sync/unsubscribe.h"

static bool fetch_body(struct slice *slice, const struct operation *operation,
                       const json_t *arguments, struct str *result, struct error *err)
{
    struct body_wanted wanted;
    (void)operation;
    (void)result;
    return operation_read_body(arguments, &wanted, err) && imap_fetch_body(slice, &wanted, err);
}

static bool is_alive(const struct slice *slice)
{
    return imap_is_alive(slice->account->imap->client);
}

bool imap_run_operations(struct slice *slice, struct error *err)
{
    static const struct operation_kind list[] = {
        {"fetch-body", fetch_body, false},
        {"search", imap_search_folders, false},
        {"unsubscribe", unsubscribe_run, false},
        {"keywords", imap_replay_keywords, true},
        {"move", imap_replay_move, true},
        {"copy", imap_replay_copy, true},
        {"destroy", imap_replay_destroy, true},
        {"mailbox-create", imap_replay_mailbox_create, true},
        {"mailbox-rename", imap_replay_mailbox_rename, true},
        {"mailbox-delete", imap_replay_mailbox_delete, true},
        {"mailbox-subscribe", imap_replay_mailbox_subscribe, true},
        {"mailbox-unsubscribe", imap_replay_mailbox_unsubscribe, true},
    };
    static const struct operation_kinds kinds = {list, sizeof list / sizeof *list, is_alive};
    return operations_run(slice, &kinds, err);
}
