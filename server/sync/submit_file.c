/* The copy in Sent, once: a filing is counted before it is begun, and whoever finds it counted
 * looks for the message first. Servers that file by themselves get the time to do so. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/mail/header.h"
#include "server/store/emails.h"
#include "server/store/replica.h"
#include "server/sync/imap_session.h"
#include "server/sync/submit.h"
#include "server/sync/summary.h"

enum {
    LOOK_BACK = 2000,     /* UIDs below UIDNEXT among which the copy may be */
    FILED_AT_ONCE = 16,   /* counted together: after a crash as many are looked for */
    LOOKS_OF_ITS_OWN = 3, /* at a server that files by itself, before we do */
    LOOK_AGAIN_S = 10,    /* between those */
    FILE_AGAIN_S = 10,    /* after a refusal, doubled each time */
    FILE_AGAIN_MAX_S = 3600,
    UNKNOWN_LOOK_S = 24 * 3600, /* as long an unknown one is looked for in Sent */
};

/* --- here ------------------------------------------------------------------------------------ */

/* The message as a file, for the parser. */
static int spool(struct slice *slice, const struct submission *s, struct error *err)
{
    struct submit_bytes bytes;
    char piece[16384];
    ptrdiff_t n = 0;
    int fd = memfd_create("message", MFD_CLOEXEC);
    if (fd < 0 || !submit_bytes_open(&bytes, slice, s, s->bcc_field, err)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while ((n = submit_bytes_read(&bytes, piece, sizeof piece)) > 0)
        if (write(fd, piece, (size_t)n) != n) {
            error_errno(&bytes.err, ERROR_INTERNAL, "the spool of a message is full");
            n = -1;
            break;
        }
    if (n < 0) {
        *err = bytes.err;
        close(fd);
        fd = -1;
    }
    submit_bytes_close(&bytes);
    return fd;
}

static bool add_here(struct slice *slice, const struct submission *s, int64_t mailbox_id,
                     const struct parser_summary *summary, struct error *err)
{
    struct blob blob;
    if (!blob_by_id(slice->db, slice->arena, s->account_id, s->blob_id, &blob, err))
        return false;
    struct replica_email email = {.placed = {.flags = FLAG_SEEN},
                                  .received_at = clock_now_us(),
                                  .size_bytes = blob.size_bytes};
    summary_fill(summary, &email);
    email.message_id = s->message_id;
    struct replica_batch *batch = replica_begin(slice->db, s->account_id, err);
    struct submission copy = *s;
    struct submission_turn to = {.phase = SUBMISSION_FILED, .error = s->error};
    bool is_good = batch && replica_emails_add(batch, mailbox_id, &email, 1, err) &&
                   submission_give_blob(slice->db, s, email.id, summary->bcc_json, err) &&
                   replica_email_blob(batch, email.id, s->blob_id, err) &&
                   replica_text_settled(batch, &email.id, 1, err) &&
                   submission_turn(slice->db, &copy, &to, err);
    if (is_good)
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

bool submit_file_here(struct slice *slice, struct submission *s, struct error *err)
{
    struct parser_summary summary;
    int64_t mailbox_id;
    int fd = spool(slice, s, err);
    if (fd < 0)
        return false;
    struct parser_input input = {.fd = fd, .length = (uint64_t)lseek(fd, 0, SEEK_END)};
    bool is_good = parser_message(slice->sync->parsers, slice->arena, &input, &summary, err) &&
                   draft_mailbox(slice->db, s->account_id, ROLE_SENT, &mailbox_id, err) &&
                   add_here(slice, s, mailbox_id, &summary, err);
    close(fd);
    return is_good;
}

/* --- looking in Sent ------------------------------------------------------------------------- */

struct match {
    struct str message_id;
    bool is_found;
};

static bool compare_id(void *context, const struct imap_fetch *fetch)
{
    struct match *match = context;
    for (size_t i = 0; i < fetch->section_count; i++)
        if (str_find(fetch->sections[i].bytes, match->message_id) >= 0)
            match->is_found = true;
    return true;
}

/* HEADER finds parts of ids, and at some servers anything: the ids themselves are read. */
static bool is_in_sent(struct slice *slice, struct session_mailbox *sent, struct str message_id,
                       bool *is_there, struct error *err)
{
    struct imap_client *client = slice->account->imap->client;
    struct imap_found found = {0};
    bool is_reset;
    uint32_t uidnext = sent->known.uidnext;
    uint32_t low = uidnext > LOOK_BACK ? uidnext - LOOK_BACK : 1;
    *is_there = false;
    if (!imap_session_select(slice, sent, &is_reset, err) ||
        !imap_search_message_id(client, slice->arena, message_id, is_reset ? 1 : low, &found, err))
        return false;
    if (imap_set_is_empty(&found.all))
        return true;
    struct match match = {.message_id = message_id};
    struct imap_fetch_params params = {.uids = &found.all, .items = IMAP_ITEM_UID};
    params.sections[params.section_count++].name = STR("HEADER.FIELDS (MESSAGE-ID)");
    if (!imap_fetch(client, &params, compare_id, &match, err))
        return false;
    *is_there = match.is_found;
    return true;
}

/* --- the original ---------------------------------------------------------------------------- */

/* \Answered or $Forwarded upstream. Not worth a failure: the message was sent. */
static bool mark_original(struct slice *slice, const struct submission *s, struct error *err)
{
    static const struct str forwarded = STR("$Forwarded");
    struct imap_session *session = slice->account->imap;
    struct error why = ERROR_INIT;
    struct replica_place place;
    bool is_reset = false;
    if (!s->answers_id || s->answers_how == ANSWERS_NOTHING ||
        !replica_place_of(slice->db, slice->arena, s->account_id, s->answers_id, &place, &why))
        return true;
    struct session_mailbox *mailbox = imap_session_mailbox(session, place.mailbox_id);
    if (!mailbox || !imap_session_select(slice, mailbox, &is_reset, &why) || is_reset)
        return true;
    struct imap_set uids = {0};
    imap_set_add(&uids, place.uid);
    struct imap_store_params params = {.uids = &uids};
    if (s->answers_how == ANSWERS_REPLY) {
        params.flags = IMAP_ANSWERED;
    } else {
        params.keywords = &forwarded;
        params.keyword_count = 1;
    }
    bool is_done = imap_store(session->client, &params, slice->arena, NULL, &why);
    imap_set_free(&uids);
    if (is_done || imap_is_alive(session->client))
        return true;
    *err = why;
    return false;
}

/* --- upstream -------------------------------------------------------------------------------- */

static struct session_mailbox *find_sent(const struct imap_session *session)
{
    for (size_t i = 0; i < session->mailbox_count; i++) {
        struct session_mailbox *mailbox = &session->mailboxes[i];
        if (mailbox->known.role == ROLE_SENT && mailbox->known.is_selectable &&
            !mailbox->known.is_local)
            return mailbox;
    }
    return NULL;
}

static bool wait_for(struct slice *slice, struct submission *s, int64_t seconds, struct str error,
                     struct error *err)
{
    struct submission_turn to = {.phase = s->phase,
                                 .is_filing = true,
                                 .error = error,
                                 .not_before = clock_now_us() + seconds * 1000000};
    return submission_turn(slice->db, s, &to, err);
}

static bool append(struct slice *slice, struct session_mailbox *sent, const struct submission *s,
                   struct error *err)
{
    struct submit_bytes bytes;
    struct imap_appended appended;
    if (!submit_bytes_open(&bytes, slice, s, s->bcc_field, err))
        return false;
    struct imap_append_params params = {
        .wire_path = sent->known.wire_path,
        .flags = IMAP_SEEN,
        .internaldate_at = clock_now_us(),
        .size = s->bcc_field.length + (uint64_t)bytes.blob.size_bytes,
        .source = submit_bytes_read,
        .source_context = &bytes,
    };
    bool is_done = imap_append(slice->account->imap->client, &params, &appended, err);
    if (!is_done && bytes.err.kind != ERROR_NONE)
        *err = bytes.err;
    submit_bytes_close(&bytes);
    return is_done;
}

static bool finish(struct slice *slice, struct session_mailbox *sent, struct submission *s,
                   struct error *err)
{
    /* lost with the database, it would be looked for and found */
    struct submission_turn to = {.phase = SUBMISSION_FILED, .error = s->error, .is_lazy = true};
    imap_session_appended(slice->account->imap, sent);
    return submission_turn(slice->db, s, &to, err) && mark_original(slice, s, err);
}

/* Refused: what the session survives is tried again later. */
static bool give_time(struct slice *slice, struct submission *s, const struct error *why,
                      struct error *err)
{
    int64_t seconds = FILE_AGAIN_S;
    if (!imap_is_alive(slice->account->imap->client) || why->kind == ERROR_DATABASE) {
        *err = *why;
        return false;
    }
    for (int i = 1; i < s->filings && seconds < FILE_AGAIN_MAX_S; i++)
        seconds *= 2;
    LOG_WARN("submit.file", log_int("submission", s->id), LOG_ERR(why));
    struct str words =
        arena_printf(slice->arena, "Sent, but not yet copied to the Sent folder: %s", why->message);
    return wait_for(slice, s, seconds, words, err);
}

static bool files_itself(const struct slice *slice)
{
    return imap_host(slice->account->imap->client)->quirks & IMAP_QUIRK_FILES_SENT;
}

/* Counted before it is begun. */
static bool file_counted(struct slice *slice, struct session_mailbox *sent, struct submission *s,
                         struct error *err)
{
    struct error why = ERROR_INIT;
    return append(slice, sent, s, &why) ? finish(slice, sent, s, err)
                                        : give_time(slice, s, &why, err);
}

/* Those that nobody has tried to file. */
static bool file_fresh(struct slice *slice, struct session_mailbox *sent, bool *has_any,
                       struct error *err)
{
    struct submission *list;
    size_t count;
    if (!submissions_begin_filing(slice->db, slice->arena, slice->account->id, FILE_AGAIN_S,
                                  FILED_AT_ONCE, &list, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!file_counted(slice, sent, &list[i], err))
            return false;
    *has_any = count > 0;
    return true;
}

static bool file_one(struct slice *slice, struct session_mailbox *sent, struct submission *s,
                     struct error *err)
{
    bool is_there = false;
    struct error why = ERROR_INIT;
    if (!is_in_sent(slice, sent, s->message_id, &is_there, &why))
        return give_time(slice, s, &why, err);
    if (is_there)
        return finish(slice, sent, s, err);
    if (files_itself(slice) && s->filings < LOOKS_OF_ITS_OWN)
        return wait_for(slice, s, LOOK_AGAIN_S, s->error, err);
    return wait_for(slice, s, FILE_AGAIN_S, s->error, err) && file_counted(slice, sent, s, err);
}

/* At a server that files by itself, what may have been sent can be found out. */
static bool look_for_unknown(struct slice *slice, struct session_mailbox *sent, struct error *err)
{
    struct error why = ERROR_INIT;
    struct submission s;
    bool is_there = false;
    if (!files_itself(slice) || !submission_next(slice->db, slice->arena, slice->account->id,
                                                 SUBMISSION_UNKNOWN, false, &s, &why))
        return true;
    int64_t left_s = UNKNOWN_LOOK_S - (clock_now_us() - s.created_at) / 1000000;
    if (!is_in_sent(slice, sent, s.message_id, &is_there, &why))
        return give_time(slice, &s, &why, err);
    if (!is_there)
        return wait_for(slice, &s, left_s > 0 ? LOOK_AGAIN_S : (int64_t)10 * 365 * 86400, s.error,
                        err);
    struct submission_turn to = {.phase = SUBMISSION_ACCEPTED};
    s.error = STR_EMPTY;
    return submission_turn(slice->db, &s, &to, err) && finish(slice, sent, &s, err);
}

int64_t submit_file_wait_ms(struct slice *slice, int64_t wait_ms)
{
    int64_t at = 0;
    if (!slice->db || !slice->account->imap || /* it is down: no reason to ask more often */
        !submission_next_due(slice->db, slice->account->id, SUBMISSION_ACCEPTED, &at, NULL) || !at)
        return wait_ms;
    int64_t left_ms = (at - clock_now_us()) / 1000 + 1;
    left_ms = left_ms < 0 ? 0 : left_ms;
    return left_ms < wait_ms ? left_ms : wait_ms;
}

bool submit_file_sent(struct slice *slice, bool *has_more, struct error *err)
{
    struct imap_session *session = slice->account->imap;
    *has_more = false;
    if (!session || session->mailbox_count == 0)
        return true;
    struct session_mailbox *sent = find_sent(session);
    for (;;) {
        struct submission s;
        struct error why = ERROR_INIT;
        bool has_fresh = false;
        if (*has_more && slice_is_over(slice))
            return true;
        arena_reset(slice->arena);
        if (sent && !files_itself(slice) && !file_fresh(slice, sent, &has_fresh, err))
            return false;
        *has_more = *has_more || has_fresh;
        if (has_fresh)
            continue;
        if (!submission_next(slice->db, slice->arena, slice->account->id, SUBMISSION_ACCEPTED,
                             false, &s, &why)) {
            if (why.kind == ERROR_NOT_FOUND)
                return !sent || look_for_unknown(slice, sent, err);
            *err = why;
            return false;
        }
        bool is_good = sent ? file_one(slice, sent, &s, err)
                            : submit_file_here(slice, &s, err) && mark_original(slice, &s, err);
        if (!is_good)
            return false;
        *has_more = true;
    }
}
