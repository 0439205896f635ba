#include "server/sync/draft_file.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/mail/address.h"
#include "server/mail/compose.h"
#include "server/store/drafts.h"
#include "server/store/identities.h"
#include "server/sync/imap_session.h"

enum { DRAFTS_A_SLICE = 20, BCC_BYTES_MAX = 256 * 1024 };

/* --- making the message ---------------------------------------------------------------------- */

/* A draft may hold half an address: what is none is left out. */
static struct compose_addresses read_people(struct arena *arena, struct str typed)
{
    struct mail_addresses list;
    address_parse(arena, typed, &list);
    struct compose_address *at = ARENA_ARRAY(arena, list.count, struct compose_address);
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++)
        if (compose_email_check(arena, list.at[i].email, &at[count].email, NULL))
            at[count++].name = list.at[i].name;
    return (struct compose_addresses){at, count};
}

struct attached {
    struct db *db;
    struct blob blob;
};

static bool stream_attached(void *source, compose_write_fn *write, void *context, struct error *err)
{
    struct attached *from = source;
    return blob_stream(from->db, &from->blob, 0, from->blob.size_bytes, write, context, err);
}

static bool write_spool(void *context, struct str bytes)
{
    return write(*(int *)context, bytes.at, bytes.length) == (ssize_t)bytes.length;
}

static bool load_attachments(struct slice *slice, const struct draft *draft,
                             struct compose *compose, struct error *err)
{
    struct draft_attachment *list;
    struct arena *arena = slice->arena;
    size_t count;
    if (!draft_attachments(slice->db, arena, draft->account_id, draft->email_id, &list, &count,
                           err))
        return false;
    struct compose_attachment *at = ARENA_ARRAY(arena, count, struct compose_attachment);
    for (size_t i = 0; i < count; i++) {
        struct attached *source = ARENA_NEW(arena, struct attached);
        source->db = slice->db;
        if (!blob_by_id(slice->db, arena, draft->account_id, list[i].blob_id, &source->blob, err))
            return false;
        at[i] = (struct compose_attachment){.type = list[i].type,
                                            .name = list[i].name,
                                            .cid = list[i].cid,
                                            .stream = stream_attached,
                                            .source = source};
    }
    compose->attachments = at;
    compose->attachment_count = count;
    return true;
}

/* The message in a file without name; -1: `err` says why. `*message_id` stays the same for a
 * revision, so that it is found again. */
static int spool_draft(struct slice *slice, const struct draft_unfiled *unfiled,
                       struct str *message_id, struct error *err)
{
    struct arena *arena = slice->arena;
    int64_t account_id = slice->account->id;
    struct draft draft;
    struct identity identity = {.email = slice->work.account.email};
    struct compose_needs needs;
    if (!draft_by_id(slice->db, arena, account_id, unfiled->email_id, &draft, err))
        return -1;
    if (draft.identity_id)
        identity_by_id(slice->db, arena, account_id, draft.identity_id, &identity, NULL);
    *message_id = arena_printf(arena, "draft-%lld-%lld-%d@restante.invalid", (long long)account_id,
                               (long long)unfiled->email_id, unfiled->revision);
    struct compose compose = {.from = {identity.name, identity.email},
                              .to = read_people(arena, draft.to),
                              .cc = read_people(arena, draft.cc),
                              .subject = draft.subject,
                              .text = draft.text,
                              .html = draft.html,
                              .message_id = *message_id,
                              .in_reply_to = draft.in_reply_to,
                              .references = draft.references,
                              .date_at = draft.changed_at,
                              .priority = (enum compose_priority)draft.priority,
                              .is_draft = true};
    if (!load_attachments(slice, &draft, &compose, err))
        return -1;
    int fd = memfd_create("draft", MFD_CLOEXEC);
    struct buf bcc = BUF_INIT(BCC_BYTES_MAX);
    bool is_good = fd >= 0 && compose_bcc(&bcc, read_people(arena, draft.bcc), err) &&
                   write_spool(&fd, buf_view(&bcc)) &&
                   compose_write(&compose, write_spool, &fd, &needs, err);
    buf_free(&bcc);
    if (is_good)
        return fd;
    if (fd >= 0)
        close(fd);
    if (err->kind == ERROR_NONE)
        error_set(err, ERROR_INTERNAL, "a draft could not be written");
    return -1;
}

/* --- upstream -------------------------------------------------------------------------------- */

static ptrdiff_t read_spool(void *context, char *at, size_t length)
{
    return read(*(int *)context, at, length);
}

/* The uid of the message, which an attempt whose answer was lost may have put there. 0: none. */
static bool find_filed(struct slice *slice, struct str message_id, uint32_t *uid, struct error *err)
{
    struct imap_found found = {0};
    *uid = 0;
    if (!imap_search_message_id(slice->account->imap->client, slice->arena, message_id, 1, &found,
                                err))
        return false;
    if (imap_set_size(&found.all) == 1)
        *uid = found.max;
    return true;
}

static bool append_draft(struct slice *slice, const struct session_mailbox *drafts, int fd,
                         uint32_t *uid, struct error *err)
{
    struct imap_appended appended;
    struct imap_append_params params = {.wire_path = drafts->known.wire_path,
                                        .flags = IMAP_SEEN | IMAP_DRAFT,
                                        .internaldate_at = clock_now_us(),
                                        .size = (uint64_t)lseek(fd, 0, SEEK_END),
                                        .source = read_spool,
                                        .source_context = &fd};
    lseek(fd, 0, SEEK_SET);
    if (!imap_append(slice->account->imap->client, &params, &appended, err))
        return false;
    *uid = appended.uid;
    return true;
}

/* The earlier revision is of no use any more. Best effort: a copy too many is no loss. */
static void remove_earlier(struct slice *slice, uint32_t uid)
{
    struct imap_client *client = slice->account->imap->client;
    struct imap_set uids = {0};
    imap_set_add(&uids, uid);
    struct imap_store_params params = {.uids = &uids, .flags = IMAP_DELETED};
    if (imap_store(client, &params, slice->arena, NULL, NULL))
        imap_expunge_uids(client, &uids, NULL);
    imap_set_free(&uids);
}

/* Without UIDPLUS the copy could not be told from another message, nor removed: then drafts stay
 * here. */
static bool file_draft(struct slice *slice, const struct draft_unfiled *unfiled, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct session_mailbox *drafts = imap_session_mailbox(session, unfiled->mailbox_id);
    struct str message_id;
    uint32_t uid = 0;
    bool is_reset = false;
    if (!drafts || !imap_has(session->client, IMAP_CAP_UIDPLUS))
        return draft_set_filed(slice->db, slice->account->id, unfiled, 0, err);
    int fd = spool_draft(slice, unfiled, &message_id, err);
    if (fd < 0)
        return false;
    bool is_good = imap_session_select(slice, drafts, &is_reset, err) &&
                   find_filed(slice, message_id, &uid, err) &&
                   (uid || append_draft(slice, drafts, fd, &uid, err));
    close(fd);
    imap_session_appended(slice->account->imap, drafts);
    if (!is_good || !draft_set_filed(slice->db, slice->account->id, unfiled, uid, err))
        return false;
    if (unfiled->uid && uid && unfiled->uid != uid && !is_reset) /* else it is another's by now */
        remove_earlier(slice, unfiled->uid);
    return true;
}

/* What was sent is no draft any more. First upstream, then here: a crash in between leaves the rest
 * to the next pull. */
static bool remove_sent(struct slice *slice, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    struct draft_unfiled sent;
    struct error why = ERROR_INIT;
    bool is_reset = false;
    for (int i = 0; i < DRAFTS_A_SLICE; i++) {
        arena_reset(slice->arena);
        if (!draft_next_sent(slice->db, slice->account->id, &sent, &why)) {
            if (why.kind == ERROR_NOT_FOUND)
                return true;
            *err = why;
            return false;
        }
        struct session_mailbox *drafts = imap_session_mailbox(session, sent.mailbox_id);
        if (drafts && imap_session_select(slice, drafts, &is_reset, &why) && !is_reset)
            remove_earlier(slice, sent.uid);
        if (!imap_is_alive(session->client)) {
            return error_set(err, ERROR_CLOSED, "The connection to the mail server was lost.");
        }
        if (!draft_remove_sent(slice->db, slice->account->id, sent.email_id, err))
            return false;
    }
    return true;
}

bool draft_file_settled(struct slice *slice, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    if (!session || !session->mailbox_count)
        return true;
    if (!remove_sent(slice, err))
        return false;
    for (int i = 0; i < DRAFTS_A_SLICE; i++) {
        struct draft_unfiled unfiled;
        struct error why = ERROR_INIT;
        arena_reset(slice->arena);
        if (!draft_next_unfiled(slice->db, slice->account->id, DRAFT_SETTLED_S, &unfiled, &why)) {
            *err = why.kind == ERROR_NOT_FOUND ? *err : why;
            return why.kind == ERROR_NOT_FOUND;
        }
        if (file_draft(slice, &unfiled, &why))
            continue;
        LOG_WARN("draft.file", log_int("email", unfiled.email_id), LOG_ERR(&why));
        if (!imap_is_alive(session->client) || why.kind == ERROR_DATABASE) {
            *err = why;
            return false;
        }
        /* refused (a quota, say): this revision stays here */
        if (!draft_set_filed(slice->db, slice->account->id, &unfiled, 0, err))
            return false;
    }
    return true;
}
