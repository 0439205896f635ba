#include "server/sync/submit.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/smtp/client.h"
#include "server/sync/sign_in.h"

enum {
    FIRST_RETRY_S = 30, /* doubled with each attempt */
    RETRY_MAX_S = 30 * 60,
    TURN_TRIES = 60, /* half a minute: PostgreSQL has restarted by then */
    TURN_WAIT_MS = 500,
    GIVE_UP_S = 5 * 24 * 3600, /* RFC 5321 section 4.5.4.1: four to five days */
};

static const char may_have_been_sent[] =
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
        char reply[SMTP_TEXT_BYTES + 40];
        snprintf(reply, sizeof reply, "%d %s%s%s", r->code, r->status, *r->status ? " " : "",
                 r->text);
        if (r->code)
            json_object_set_new(one, "reply", json_string(reply));
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
    int64_t wait_s = FIRST_RETRY_S;
    for (int i = 1; i < attempts && wait_s < RETRY_MAX_S; i++)
        wait_s *= 2;
    return clock_now_us() + (wait_s < RETRY_MAX_S ? wait_s : RETRY_MAX_S) * 1000000;
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
        if (slice->db && submission_turn(slice->db, submission, to, err))
            return true;
        if (err->kind == ERROR_CONFLICT) {
            if (i == 0 || !has_turned(slice, submission, to->phase))
                return false;
            submission->phase = to->phase;
            return true;
        }
        LOG_WARN("submit.turn", log_int("submission", submission->id), LOG_ERR(err));
        store_release(slice->sync->store, &slice->db);
        poll(NULL, 0, TURN_WAIT_MS);
        slice->db = store_acquire(slice->sync->store, 0, err);
    }
    return false;
}

/* Called by the SMTP client just before the final dot: from here on a crash means "unknown". */
static bool commit_transmitting(void *context)
{
    struct outgoing *o = context;
    struct submission_turn to = {.phase = SUBMISSION_TRANSMITTING, .is_attempt = true};
    bool is_done = turn(o->slice, o->submission, &to, &o->db_error);
    o->is_cancelled = !is_done && o->db_error.kind == ERROR_CONFLICT;
    return is_done;
}

/* The message is with the server for some: what of the others? */
static bool settle_taken(struct outgoing *o, struct tally tally, struct error *err)
{
    struct submission_turn to = {.phase = SUBMISSION_ACCEPTED, .recipients = recipients_json(o)};
    struct str refused;
    if (tally.deferred) {
        to.phase = SUBMISSION_QUEUED;
        to.not_before = retry_at(o->submission->attempts + 1);
        to.error = STR("Some recipients could not be reached yet; they are tried again.");
    } else if (has_any(o, "refused", &refused)) {
        to.left_to = refused;
        to.error = arena_printf(o->slice->arena, "The mail server refused %" STR_FMT ".",
                                STR_ARG(refused));
    }
    return turn(o->slice, o->submission, &to, err);
}

/* Nobody got it in this attempt. */
static bool settle_refused(struct outgoing *o, const struct error *why, struct error *err)
{
    struct submission *s = o->submission;
    struct str accepted, refused;
    bool is_final = why->kind == ERROR_REFUSED || why->kind == ERROR_INVALID ||
                    why->kind == ERROR_LIMIT ||
                    clock_now_us() - s->created_at > (int64_t)GIVE_UP_S * 1000000;
    struct submission_turn to = {.phase = is_final ? SUBMISSION_FAILED : SUBMISSION_QUEUED,
                                 .recipients = recipients_json(o),
                                 .error = str_of(why->message),
                                 .is_attempt = s->phase == SUBMISSION_QUEUED,
                                 .not_before = is_final ? 0 : retry_at(s->attempts + 1)};
    if (is_final && has_any(o, "accepted", &accepted)) { /* earlier: then it was sent, in part */
        to.phase = SUBMISSION_ACCEPTED;
        has_any(o, "waiting", &refused);
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
                                     .error = str_of(may_have_been_sent)};
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

static bool send_one(struct slice *slice, struct smtp_client *client, struct submission *s,
                     bool *goes_on, struct error *err)
{
    struct error why = ERROR_INIT;
    struct smtp_result result = {0};
    struct outgoing o = {.slice = slice,
                         .submission = s,
                         .wants_report = s->wants_report,
                         .has_report = smtp_has(client, SMTP_CAP_DSN)};
    bool is_ready = submit_bytes_open(&o.bytes, slice, s, STR_EMPTY, err);
    if (!is_ready)
        return false;
    bool is_sent = read_recipients(&o, &why);
    if (is_sent) {
        struct smtp_message message = {.from = s->mail_from,
                                       .recipients = o.recipients,
                                       .recipient_count = o.count,
                                       .size_bytes = (uint64_t)o.bytes.blob.size_bytes,
                                       .is_8bit = s->needs_8bit,
                                       .is_utf8 = s->needs_smtputf8,
                                       .envelope_id = s->message_id,
                                       .wants_header_only = s->wants_report,
                                       .source = submit_bytes_read,
                                       .source_context = &o.bytes,
                                       .commit = commit_transmitting,
                                       .commit_context = &o};
        is_sent = smtp_send(client, &message, &result, &why);
    }
    if (!is_sent && why.kind != ERROR_NONE)
        LOG_WARN("submit.failed", log_int("submission", s->id), LOG_ERR(&why));
    *goes_on = is_sent || !is_of_session(&why, client);
    bool is_settled = settle(&o, is_sent, &result, &why, err);
    submit_bytes_close(&o.bytes);
    json_decref(o.list);
    return is_settled;
}

/* --- the account ----------------------------------------------------------------------------- */

static struct str binding_of(struct slice *slice)
{
    return arena_printf(slice->arena, "account:%lld", (long long)slice->account->id);
}

/* NULL: `err` says why. No way of cancelling: a stop in the last moment would make it unknown. */
static struct smtp_client *connect_server(struct slice *slice, struct error *err)
{
    const struct account *account = &slice->work.account;
    const struct server_settings *smtp = &account->smtp;
    bool is_own = slice->work.smtp_secret.length > 0;
    struct secret secret = {0};
    if (smtp->host.length == 0) {
        error_set(err, ERROR_FORBIDDEN, "This account has no server for outgoing mail.");
        return NULL;
    }
    if (!seal_open(slice->sync->keys, binding_of(slice),
                   is_own ? slice->work.smtp_secret : slice->work.secret, &secret, err)) {
        error_hint(err, "Enter the password of this account again.");
        return NULL;
    }
    struct smtp_params params = {
        .stream = {.host = smtp->host,
                   .port = smtp->port,
                   .security = sign_in_security(smtp->tls),
                   .egress = slice->sync->egress,
                   .tls = slice->sync->tls},
        .username = smtp->username.length ? smtp->username : account->incoming.username,
        .credential = SASL_PASSWORD,
        .secret = &secret,
    };
    struct smtp_client *client = smtp_connect(&params, err);
    secret_free(&secret);
    return client;
}

/* Those that are due wait for the server, longer each time. */
static bool postpone(struct slice *slice, const struct submission *s, const struct error *why,
                     struct error *err)
{
    LOG_WARN("submit.server", LOG_ERR(why));
    return submissions_wait(slice->db, slice->account->id, retry_at(s->attempts + 1),
                            str_of(why->message), err);
}

/* Copies that a crash left to be filed, of an account whose Sent folder is here. */
static bool file_left_over(struct slice *slice, struct error *err)
{
    struct error why = ERROR_INIT;
    struct submission s;
    while (slice->work.account.kind == ACCOUNT_POP3 &&
           submission_next(slice->db, slice->arena, slice->account->id, SUBMISSION_ACCEPTED, &s,
                           &why)) {
        if (!submit_file_here(slice, &s, err))
            return false;
        arena_reset(slice->arena);
    }
    return true;
}

bool submit_run(struct slice *slice, bool *has_more, struct error *err)
{
    struct smtp_client *client = NULL;
    int64_t id = slice->account->id;
    bool is_good = submissions_recover(slice->db, id, str_of(may_have_been_sent), NULL, err) &&
                   file_left_over(slice, err);
    bool goes_on = is_good;
    *has_more = false;
    while (is_good && goes_on) {
        struct submission s;
        struct error why = ERROR_INIT;
        arena_reset(slice->arena);
        if (!submission_next(slice->db, slice->arena, id, SUBMISSION_QUEUED, &s, &why)) {
            is_good = why.kind == ERROR_NOT_FOUND;
            if (!is_good)
                *err = why;
            break;
        }
        *has_more = slice_is_over(slice);
        if (*has_more)
            break;
        if (!client && !(client = connect_server(slice, &why))) {
            is_good = postpone(slice, &s, &why, err);
            break;
        }
        is_good = send_one(slice, client, &s, &goes_on, err);
        if (is_good && s.phase == SUBMISSION_ACCEPTED && slice->work.account.kind == ACCOUNT_POP3)
            is_good = submit_file_here(slice, &s, err);
        if (!smtp_is_alive(client))
            smtp_free(&client);
    }
    if (client)
        smtp_quit(&client);
    return is_good;
}

int64_t submit_wait_ms(struct slice *slice, int64_t wait_ms)
{
    int64_t at = 0;
    if (!slice->db || !submission_next_due(slice->db, slice->account->id, &at, NULL) || !at)
        return wait_ms;
    int64_t left_ms = (at - clock_now_us()) / 1000 + 1;
    left_ms = left_ms < 0 ? 0 : left_ms;
    return left_ms < wait_ms ? left_ms : wait_ms;
}
