#include "server/sync/submit.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/utf8.h"
#include "server/smtp/client.h"
#include "server/sync/backoff.h"

enum {
    FIRST_RETRY_MS = 30 * 1000, /* doubled with each attempt */
    RETRY_MAX_MS = 30 * 60 * 1000,
    TURN_TRIES = 60, /* half a minute: PostgreSQL has restarted by then */
    TURN_WAIT_MS = 500,
    GIVE_UP_S = 5 * 24 * 3600, /* RFC 5321 section 4.5.4.1: four to five days */
};

const char submit_may_have_been_sent[] =
    "This message may have been sent: the connection was lost before the mail server confirmed it. "
    "Ask the recipients before you send it again.";

/* --- bytes ----------------------------------------------------------------------------------- */

bool submit_bytes_open(struct submit_bytes *bytes, struct slice *slice,
                       const struct submission *submission, struct str before, struct error *err)
{
    *bytes = (struct submit_bytes){
        .db = slice->db, .before = before, .chunk = BUF_INIT(BLOB_CHUNK_BYTES)};
    return blob_by_id(slice->db, slice->arena, submission->account_id, submission->blob_id,
                      &bytes->blob, err);
}

void submit_bytes_close(struct submit_bytes *bytes)
{
    buf_free(&bytes->chunk);
}

static bool next_chunk(struct submit_bytes *b)
{
    int64_t left = b->blob.size_bytes - b->at;
    int64_t length = left < BLOB_CHUNK_BYTES ? left : BLOB_CHUNK_BYTES;
    buf_reset(&b->chunk);
    b->used = 0;
    b->at += length;
    return length == 0 || blob_read(b->db, &b->blob, b->at - length, length, &b->chunk, &b->err);
}

ptrdiff_t submit_bytes_read(void *context, char *at, size_t length)
{
    struct submit_bytes *b = context;
    struct str from = b->before;
    if (from.length == 0) {
        if (b->used == b->chunk.length && !next_chunk(b))
            return -1;
        from = str_skip(buf_view(&b->chunk), b->used);
    }
    size_t n = from.length < length ? from.length : length;
    memcpy(at, from.at, n);
    if (b->before.length)
        b->before = str_skip(b->before, n);
    else
        b->used += n;
    return (ptrdiff_t)n;
}

/* --- recipients ------------------------------------------------------------------------------ */

/* A message under way. */
struct outgoing {
    struct slice *slice;
    struct submission *submission;
    json_t *list;                      /* submission.recipients */
    struct smtp_recipient *recipients; /* those that are still waiting */
    size_t *places;                    /* of each in `list` */
    size_t count;
    struct submit_bytes bytes;
    bool wants_report, has_report; /* DSN is asked for, and the server has it */
    struct error db_error;         /* of the turn to transmitting */
    bool is_cancelled;
};

static bool read_recipients(struct outgoing *o, struct error *err)
{
    struct str text = o->submission->recipients;
    o->list = json_loadb(text.at, text.length, 0, NULL);
    size_t all = json_array_size(o->list);
    o->recipients = ARENA_ARRAY(o->slice->arena, all, struct smtp_recipient);
    o->places = ARENA_ARRAY(o->slice->arena, all, size_t);
    for (size_t i = 0; i < all; i++) {
        const json_t *one = json_array_get(o->list, i);
        const char *state = json_string_value(json_object_get(one, "state"));
        const char *email = json_string_value(json_object_get(one, "email"));
        if (!email || !state || strcmp(state, "waiting") != 0)
            continue;
        o->places[o->count] = i;
        o->recipients[o->count].notify = o->wants_report ? STR("SUCCESS,FAILURE,DELAY") : STR_EMPTY;
        o->recipients[o->count++].address = str_of(email);
    }
    return o->count > 0 || error_set(err, ERROR_INVALID, "The message has nobody to go to.");
}

/* Its words may be in any charset. */
static json_t *reply_json(const struct smtp_recipient *r)
{
    struct buf text = BUF_INIT(3 * SMTP_TEXT_BYTES + 40);
    buf_printf(&text, "%d %s%s", r->code, r->status, *r->status ? " " : "");
    utf8_repair(&text, str_of(r->text));
    json_t *json = json_stringn(text.at, text.length);
    buf_free(&text);
    return json;
}

/* What the server said goes into the list; how many ended how. `was_taken`: the message itself. */
struct tally {
    size_t accepted, deferred, refused;
};
static struct tally note_recipients(struct outgoing *o, bool was_taken)
{
    struct tally tally = {0};
    for (size_t i = 0; i < o->count; i++) {
        const struct smtp_recipient *r = &o->recipients[i];
        json_t *one = json_array_get(o->list, o->places[i]);
        if (r->code)
            json_object_set_new(one, "reply", reply_json(r));
        if (r->fate == SMTP_ACCEPTED && was_taken) {
            json_object_set_new(one, "state", json_string("accepted"));
            if (o->wants_report && !o->has_report)
                json_object_set_new(one, "delivery", json_string("unreported"));
            tally.accepted++;
        } else if (r->fate == SMTP_REJECTED) {
            json_object_set_new(one, "state", json_string("refused"));
            tally.refused++;
        } else {
            tally.deferred++;
        }
    }
    return tally;
}

/* Whoever waits still will not get it, and why is told with each. */
static void refuse_rest(struct outgoing *o, const struct error *why)
{
    size_t i;
    json_t *one;
    json_array_foreach(o->list, i, one)
    {
        const char *state = json_string_value(json_object_get(one, "state"));
        if (!state || strcmp(state, "waiting") != 0)
            continue;
        json_object_set_new(one, "state", json_string("refused"));
        json_object_set_new(one, "reply", json_string(why->message));
    }
}

/* Whether some have it already, from an earlier attempt or this one; and who was refused. */
static bool has_any(const struct outgoing *o, const char *wanted, struct str *who)
{
    struct buf text = BUF_INIT(64 * 1024);
    size_t i;
    json_t *one;
    json_array_foreach(o->list, i, one)
    {
        const char *state = json_string_value(json_object_get(one, "state"));
        const char *email = json_string_value(json_object_get(one, "email"));
        if (state && email && strcmp(state, wanted) == 0)
            buf_printf(&text, "%s%s", text.length ? ", " : "", email);
    }
    *who = arena_str(o->slice->arena, buf_view(&text));
    buf_free(&text);
    return who->length > 0;
}

static struct str recipients_json(const struct outgoing *o)
{
    char *text = json_dumps(o->list, JSON_COMPACT);
    struct str copy = arena_str(o->slice->arena, str_of(text));
    free(text);
    return copy;
}

/* --- turns ----------------------------------------------------------------------------------- */

static int64_t retry_at(int attempts)
{
    return clock_now_us() +
           backoff_jittered(backoff_ms(FIRST_RETRY_MS, RETRY_MAX_MS, attempts)) * 1000;
}

/* Whether it is in that phase: what a commit whose answer was lost has done. */
static bool has_turned(struct slice *slice, const struct submission *submission,
                       enum submission_phase phase)
{
    struct submission now;
    return submission_by_id(slice->db, slice->arena, submission->account_id, submission->id, &now,
                            NULL) &&
           now.phase == phase;
}

/* A turn must not be lost to a moment's trouble of the database: what the server has answered is
 * known only here. ERROR_CONFLICT: the person was faster. */
static bool turn(struct slice *slice, struct submission *submission,
                 const struct submission_turn *to, struct error *err)
{
    LOG_INFO("submit.phase", log_int("submission", submission->id),
             log_text("from", submission_phase_name(submission->phase)),
             log_text("to", submission_phase_name(to->phase)));
    for (int i = 0; i < TURN_TRIES; i++) {
        *err = ERROR_INIT;
        if (slice_take_db(slice, err) && submission_turn(slice->db, submission, to, err))
            return true;
        if (err->kind == ERROR_CONFLICT) {
            if (i == 0 || !has_turned(slice, submission, to->phase))
                return false;
            submission->phase = to->phase;
            return true;
        }
        LOG_WARN("submit.turn", log_int("submission", submission->id), LOG_ERR(err));
        slice_leave_db(slice);
        poll(NULL, 0, TURN_WAIT_MS);
    }
    return false;
}

/* A piece of the message. The server may take it slowly, with no hold on the database. */
static ptrdiff_t read_piece(void *context, char *at, size_t length)
{
    struct outgoing *o = context;
    if (!slice_take_db(o->slice, &o->bytes.err))
        return -1;
    o->bytes.db = o->slice->db;
    ptrdiff_t read = submit_bytes_read(&o->bytes, at, length);
    slice_leave_db(o->slice);
    return read;
}

/* Called by the SMTP client just before the final dot: from here on a crash means "unknown". */
static bool commit_transmitting(void *context)
{
    struct outgoing *o = context;
    struct submission_turn to = {.phase = SUBMISSION_TRANSMITTING, .is_attempt = true};
    bool is_done = turn(o->slice, o->submission, &to, &o->db_error);
    slice_leave_db(o->slice);
    o->is_cancelled = !is_done && o->db_error.kind == ERROR_CONFLICT;
    return is_done;
}

/* The message is with the server for some: what of the others? */
static bool settle_taken(struct outgoing *o, struct tally tally, struct error *err)
{
    /* lost with the database it would be "may have been sent" */
    struct submission_turn to = {
        .phase = SUBMISSION_ACCEPTED, .recipients = recipients_json(o), .is_lazy = true};
    struct str refused;
    if (tally.deferred) {
        to.phase = SUBMISSION_QUEUED;
        to.is_lazy = false;
        to.not_before = retry_at(o->submission->attempts + 1);
        to.error = STR("Some recipients could not be reached yet; they are tried again.");
    } else if (has_any(o, "refused", &refused)) {
        to.left_to = refused;
        to.error = arena_printf(o->slice->arena, "The mail server refused %" STR_FMT ".",
                                STR_ARG(refused));
    }
    return turn(o->slice, o->submission, &to, err);
}

bool submit_is_overdue(const struct submission *s)
{
    return clock_now_us() - s->created_at > (int64_t)GIVE_UP_S * 1000000;
}

/* Nobody got it in this attempt. */
static bool settle_refused(struct outgoing *o, const struct error *why, struct error *err)
{
    struct submission *s = o->submission;
    struct str accepted, refused;
    bool is_final = why->kind == ERROR_REFUSED || why->kind == ERROR_INVALID ||
                    why->kind == ERROR_LIMIT || submit_is_overdue(s);
    if (is_final)
        refuse_rest(o, why);
    struct submission_turn to = {.phase = is_final ? SUBMISSION_FAILED : SUBMISSION_QUEUED,
                                 .recipients = recipients_json(o),
                                 .error = str_of(why->message),
                                 .is_attempt = s->phase == SUBMISSION_QUEUED,
                                 .not_before = is_final ? 0 : retry_at(s->attempts + 1)};
    if (is_final && has_any(o, "accepted", &accepted)) { /* earlier: then it was sent, in part */
        to.phase = SUBMISSION_ACCEPTED;
        has_any(o, "refused", &refused);
        to.left_to = refused;
    }
    return turn(o->slice, s, &to, err);
}

static bool settle(struct outgoing *o, bool is_sent, const struct smtp_result *result,
                   const struct error *why, struct error *err)
{
    if (o->is_cancelled)
        return true; /* by the person, in time */
    if (o->db_error.kind != ERROR_NONE || o->bytes.err.kind != ERROR_NONE) {
        *err = o->db_error.kind != ERROR_NONE ? o->db_error : o->bytes.err;
        return false;
    }
    if (result->is_unknown) {
        struct submission_turn to = {.phase = SUBMISSION_UNKNOWN,
                                     .error = str_of(submit_may_have_been_sent)};
        return turn(o->slice, o->submission, &to, err);
    }
    struct tally tally = note_recipients(o, is_sent);
    return is_sent ? settle_taken(o, tally, err) : settle_refused(o, why, err);
}

/* --- one message ----------------------------------------------------------------------------- */

/* Whether the trouble is the server's or the connection's: then all wait. */
static bool is_of_session(const struct error *why, const struct smtp_client *client)
{
    return !smtp_is_alive(client) || why->scope == ERROR_SCOPE_ACCOUNT;
}

/* Whether nothing was begun that counts: servers take so many messages of a connection and no more,
 * and this process may be about to end. */
static bool is_as_before(const struct outgoing *o, const struct error *why,
                         const struct smtp_client *client)
{
    bool is_end =
        smtp_accepted(client) > 0 && (why->kind == ERROR_CLOSED || why->kind == ERROR_THROTTLED);
    return o->submission->phase == SUBMISSION_QUEUED && o->db_error.kind == ERROR_NONE &&
           o->bytes.err.kind == ERROR_NONE && is_of_session(why, client) &&
           (is_end || atomic_load(&o->slice->account->is_stopping));
}

static bool transmit(struct outgoing *o, struct smtp_client *client, struct smtp_result *result,
                     struct error *why)
{
    const struct submission *s = o->submission;
    struct smtp_message message = {.from = s->mail_from,
                                   .recipients = o->recipients,
                                   .recipient_count = o->count,
                                   .size_bytes = (uint64_t)o->bytes.blob.size_bytes,
                                   .is_8bit = s->needs_8bit,
                                   .is_utf8 = s->needs_smtputf8,
                                   .envelope_id = s->message_id,
                                   .wants_header_only = s->wants_report,
                                   .source = read_piece,
                                   .source_context = o,
                                   .commit = commit_transmitting,
                                   .commit_context = o};
    slice_leave_db(o->slice);
    bool is_sent = smtp_send(client, &message, result, why);
    if (!is_sent)
        LOG_WARN("submit.failed", log_int("submission", s->id), LOG_ERR(why));
    return is_sent;
}

bool submit_one(struct slice *slice, struct smtp_client *client, struct submission *s,
                enum submit_end *end, struct error *why, struct error *err)
{
    struct smtp_result result = {0};
    struct outgoing o = {.slice = slice,
                         .submission = s,
                         .wants_report = s->wants_report,
                         .has_report = smtp_has(client, SMTP_CAP_DSN)};
    *why = ERROR_INIT;
    if (!submit_bytes_open(&o.bytes, slice, s, STR_EMPTY, err))
        return false;
    bool is_sent = read_recipients(&o, why) && transmit(&o, client, &result, why);
    *end = is_sent || !is_of_session(why, client) ? SUBMIT_GOES_ON
           : is_as_before(&o, why, client)        ? SUBMIT_AS_BEFORE
                                                  : SUBMIT_SERVER;
    bool is_settled = *end == SUBMIT_AS_BEFORE || settle(&o, is_sent, &result, why, err);
    submit_bytes_close(&o.bytes);
    json_decref(o.list);
    return is_settled;
}

bool submit_give_up(struct slice *slice, struct submission *s, const struct error *why,
                    struct error *err)
{
    struct outgoing o = {.slice = slice, .submission = s};
    struct error unused;
    read_recipients(&o, &unused);
    bool is_settled = settle_refused(&o, why, err);
    json_decref(o.list);
    return is_settled;
}
