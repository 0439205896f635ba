#include "server/sync/imap_look.h"

#include "server/base/clock.h"
#include "server/store/mailboxes.h"
#include "server/sync/imap_folders.h"
#include "server/sync/imap_session.h"

enum {
    /* Shorter than the web role's, which begins to count earlier; it is for several of those. */
    REST_MS = MAILBOX_LOOK_REST_MS / 2,
};

void imap_look_ask(struct worker_account *account, int64_t mailbox_id)
{
    int free_place = (int)(mailbox_id % WORKER_OPENED_MAX); /* the last opened counts most */
    for (int i = 0; i < WORKER_OPENED_MAX; i++) {
        int64_t noted = atomic_load(&account->opened[i]);
        if (noted == mailbox_id)
            return;
        if (noted == 0)
            free_place = i;
    }
    atomic_store(&account->opened[free_place], mailbox_id);
}

bool imap_look_is_asked(const struct worker_account *account)
{
    for (int i = 0; i < WORKER_OPENED_MAX; i++)
        if (atomic_load(&account->opened[i]))
            return true;
    return false;
}

static bool is_rested(const struct session_mailbox *mailbox)
{
    return mailbox->looked_at_ms == 0 || clock_monotonic_ms() - mailbox->looked_at_ms >= REST_MS;
}

static bool needs_look(struct imap_session *session, int64_t mailbox_id)
{
    const struct session_mailbox *mailbox = imap_session_mailbox(session, mailbox_id);
    bool is_told = imap_is_idling(session->client) && mailbox == session->selected;
    return mailbox && !is_told && is_rested(mailbox);
}

bool imap_look_is_due(struct worker_account *account)
{
    bool is_due = false;
    for (int i = 0; i < WORKER_OPENED_MAX; i++) {
        int64_t id = atomic_load(&account->opened[i]);
        if (id && (!account->imap || needs_look(account->imap, id)))
            is_due = true;
        else if (id) /* not what was noted meanwhile in its place */
            atomic_compare_exchange_strong(&account->opened[i], &id, 0);
    }
    return is_due;
}

static size_t take(struct worker_account *account, struct session_mailbox **opened)
{
    size_t count = 0;
    for (int i = 0; i < WORKER_OPENED_MAX; i++) {
        int64_t id = atomic_exchange(&account->opened[i], 0);
        struct session_mailbox *mailbox = id ? imap_session_mailbox(account->imap, id) : NULL;
        if (!mailbox || !is_rested(mailbox))
            continue;
        mailbox->looked_at_ms = clock_monotonic_ms();
        opened[count++] = mailbox;
    }
    return count;
}

bool imap_look_take(struct slice *slice, struct session_mailbox **opened, size_t *count,
                    struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct session_mailbox *asked[WORKER_OPENED_MAX];
    struct str paths[WORKER_OPENED_MAX];
    struct imap_status statuses[WORKER_OPENED_MAX];
    size_t asked_count = 0;
    *count = take(slice->account, opened);
    for (size_t i = 0; i < *count; i++) {
        if (opened[i] == session->selected)
            opened[i]->is_stale = true; /* the server tells all with the answer to a NOOP */
        if (opened[i]->is_stale)
            continue;
        asked[asked_count] = opened[i];
        paths[asked_count++] = opened[i]->known.wire_path;
    }
    if (!imap_status(session->client, slice->arena, paths, asked_count, statuses, err))
        return false;
    for (size_t i = 0; i < asked_count; i++)
        asked[i]->is_stale =
            asked[i]->is_stale || imap_folder_has_news(session, asked[i], &statuses[i]);
    return true;
}
