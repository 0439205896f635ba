/* What an account sends, one message after the other over one connection. Troubles of the mail
 * server are noted with the messages that wait for it, and the host's with those of all accounts
 * there (hosts.h). */
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/smtp/client.h"
#include "server/sync/backoff.h"
#include "server/sync/sign_in.h"
#include "server/sync/submit.h"

enum {
    FIRST_WAIT_MS =
        30 * 1000, /* of all that wait for a server that refuses us, doubled each time */
    WAIT_MAX_MS = 30 * 60 * 1000,
    REFUSED_WAIT_MS = 60 * 60 * 1000, /* a wrong password is not tried every minute */
};

/* --- the server ------------------------------------------------------------------------------ */

static struct str binding_of(struct slice *slice)
{
    return arena_printf(slice->arena, "account:%lld", (long long)slice->account->id);
}

static bool open_secret(struct slice *slice, struct secret *secret, struct error *err)
{
    bool is_own = slice->work.smtp_secret.length > 0;
    if (slice->work.account.smtp.host.length == 0)
        return error_set(err, ERROR_FORBIDDEN, "This account has no server for outgoing mail.");
    if (seal_open(slice->sync->keys, binding_of(slice),
                  is_own ? slice->work.smtp_secret : slice->work.secret, secret, err))
        return true;
    err->kind = ERROR_AUTH; /* what the person can do is the same: give the password again */
    return false;
}

static bool connect_server(struct slice *slice, const struct secret *secret, struct error *err)
{
    struct worker_account *held = slice->account;
    const struct server_settings *smtp = &slice->work.account.smtp;
    enum stream_step step = STREAM_STEP_RESOLVE;
    struct smtp_params params = {
        .stream = {.host = smtp->host,
                   .port = smtp->port,
                   .security = sign_in_security(smtp->tls),
                   .egress = slice->sync->egress,
                   .tls = slice->sync->tls,
                   .cancel = &held->is_stopping,
                   .step = &step},
        .username = smtp->username.length ? smtp->username : slice->work.account.incoming.username,
        .credential = SASL_PASSWORD,
        .secret = secret,
    };
    slice_leave_db(slice);
    held->smtp = smtp_connect(&params, err);
    if (held->smtp)
        slice_met(slice);
    else
        slice_missed(slice, step, err);
    return held->smtp != NULL;
}

/* It is the account that is refused: nothing goes out until the person gives a password or a server
 * that works. */
static bool needs_person(const struct error *why)
{
    return why->kind == ERROR_AUTH || why->kind == ERROR_FORBIDDEN;
}

/* Told beside the person's mail, until the server takes the account. */
static bool tell(struct slice *slice, const struct error *why, struct error *err)
{
    if (!why)
        return slice->work.account.send_error.length == 0 ||
               (slice_take_db(slice, err) &&
                account_set_sending(slice->db, slice->account->id, NULL, err));
    struct error told = *why;
    if (why->kind == ERROR_AUTH) {
        error_set(&told, why->kind, "The server for outgoing mail refuses the password. %s",
                  why->message);
        error_hint(&told, "Give the password again: what waits in the outbox is sent at once then. "
                          "Some providers want a password made for mail programs.");
    } else {
        error_hint(&told, "Give one: what waits in the outbox is sent at once then.");
    }
    return slice_take_db(slice, err) &&
           account_set_sending(slice->db, slice->account->id, &told, err);
}

/* How long the account lets alone a server that has something against it. */
static int64_t own_wait_ms(struct slice *slice, const struct error *why)
{
    if (needs_person(why))
        return backoff_jittered(REFUSED_WAIT_MS);
    return backoff_jittered(backoff_ms(FIRST_WAIT_MS, WAIT_MAX_MS, ++slice->account->failures));
}

/* What is due comes back to the person: all of it from a server that has no service for us (RFC
 * 5321 section 3.1), else what was tried for days. */
static bool give_up(struct slice *slice, bool is_attempt, const struct error *why,
                    struct error *err)
{
    struct submission s;
    struct error none = ERROR_INIT;
    bool is_all = is_attempt && why->kind == ERROR_REFUSED;
    while (submission_next(slice->db, slice->arena, slice->account->id, SUBMISSION_QUEUED, true, &s,
                           &none) &&
           (is_all || submit_is_overdue(&s)))
        if (!submit_give_up(slice, &s, why, err))
            return false;
    return true;
}

/* All that are due wait. */
static bool wait_for_server(struct slice *slice, int64_t wait_ms, bool is_attempt,
                            const struct error *why, struct error *err)
{
    if (is_attempt)
        LOG_WARN("submit.server", LOG_ERR(why));
    return slice_take_db(slice, err) && give_up(slice, is_attempt, why, err) &&
           submissions_wait(slice->db, slice->account->id, clock_now_us() + wait_ms * 1000,
                            str_of(why->message), is_attempt, err);
}

static bool open_session(struct slice *slice, struct error *err)
{
    struct error why = ERROR_INIT;
    struct secret secret = {0};
    if (!open_secret(slice, &secret, &why))
        return tell(slice, &why, err) &&
               wait_for_server(slice, own_wait_ms(slice, &why), true, &why, err);
    bool may_connect = slice_may_connect(slice, &slice->work.account.smtp, &why);
    bool is_open = may_connect && connect_server(slice, &secret, &why);
    secret_free(&secret);
    if (is_open)
        return tell(slice, NULL, err);
    if (slice->is_put_off && !slice->is_host_down)
        return true;
    if (needs_person(&why) && !tell(slice, &why, err))
        return false;
    int64_t wait_ms = slice->host_wait_ms ? slice->host_wait_ms : own_wait_ms(slice, &why);
    return wait_for_server(slice, wait_ms, may_connect, &why, err);
}

/* The server takes no more now; whether that concerns others too is its host's to say. */
static bool leave_server(struct slice *slice, const struct error *why, struct error *err)
{
    struct worker_account *held = slice->account;
    int64_t wait_ms = own_wait_ms(slice, why), host_ms = 0;
    smtp_free(&held->smtp);
    if (why->kind == ERROR_THROTTLED)
        host_ms = hosts_missed(held->hosts, &held->place, clock_monotonic_ms(), why);
    return wait_for_server(slice, host_ms > wait_ms ? host_ms : wait_ms, false, why, err);
}

/* --- messages -------------------------------------------------------------------------------- */

/* Copies that a crash left to be filed, of an account whose Sent folder is here. */
static bool file_left_over(struct slice *slice, struct error *err)
{
    struct error why = ERROR_INIT;
    struct submission s;
    while (slice->work.account.kind == ACCOUNT_POP3 &&
           submission_next(slice->db, slice->arena, slice->account->id, SUBMISSION_ACCEPTED, false,
                           &s, &why)) {
        if (!submit_file_here(slice, &s, err))
            return false;
        arena_reset(slice->arena);
    }
    return true;
}

static bool send_next(struct slice *slice, struct submission *s, bool *goes_on, struct error *err)
{
    struct worker_account *held = slice->account;
    struct error why;
    enum submit_end end;
    if (!submit_one(slice, held->smtp, s, &end, &why, err)) {
        smtp_free(&held->smtp);
        return false;
    }
    if (s->phase == SUBMISSION_ACCEPTED) {
        held->failures = 0;
        if (slice->work.account.kind == ACCOUNT_POP3 && !submit_file_here(slice, s, err))
            return false;
    }
    if (end == SUBMIT_AS_BEFORE || !smtp_is_alive(held->smtp))
        smtp_free(&held->smtp);
    *goes_on = end != SUBMIT_SERVER;
    return *goes_on || leave_server(slice, &why, err);
}

/* The next thing to do: a connection, or a message. `*goes_on` false: there is none now. */
static bool step(struct slice *slice, bool *goes_on, struct error *err)
{
    struct worker_account *held = slice->account;
    struct error why = ERROR_INIT;
    struct submission s;
    arena_reset(slice->arena);
    *goes_on = slice_take_db(slice, err);
    if (!*goes_on)
        return false;
    *goes_on = submission_next(slice->db, slice->arena, held->id, SUBMISSION_QUEUED,
                               held->smtp || slice->has_turn, &s, &why);
    if (!*goes_on) {
        if (why.kind != ERROR_NOT_FOUND)
            *err = why;
        return why.kind == ERROR_NOT_FOUND;
    }
    if (held->smtp)
        return send_next(slice, &s, goes_on, err);
    bool is_good = open_session(slice, err);
    *goes_on = held->smtp != NULL;
    return is_good;
}

/* --- the slice ------------------------------------------------------------------------------- */

/* Milliseconds until something is to be done, in a slice that ended well. */
static int64_t next_ms(struct slice *slice)
{
    enum { NOTHING_MS = 3600 * 1000 }; /* a NOTIFY tells of what is new */
    int64_t at = 0;
    if (slice->is_put_off && !slice->is_host_down)
        return slice->host_wait_ms; /* in line */
    if (!slice_take_db(slice, NULL) ||
        !submission_next_due(slice->db, slice->account->id, SUBMISSION_QUEUED, &at, NULL))
        return slice->wait_ms;
    if (!at) {
        if (!slice->account->smtp)
            hosts_leave(slice->account->hosts, &slice->account->place);
        return NOTHING_MS;
    }
    int64_t left_ms = (at - clock_now_us()) / 1000 + 1;
    return left_ms < 0 ? 0 : left_ms < NOTHING_MS ? left_ms : NOTHING_MS;
}

bool send_slice(struct slice *slice, struct error *err)
{
    struct worker_account *held = slice->account;
    bool goes_on = true;
    bool is_good =
        submissions_recover(slice->db, held->id, str_of(submit_may_have_been_sent), NULL, err) &&
        file_left_over(slice, err);
    while (is_good && goes_on && !slice_is_over(slice))
        is_good = step(slice, &goes_on, err);
    bool keeps = is_good && goes_on && !atomic_load(&held->is_stopping) &&
                 !hosts_must_leave(held->hosts, &held->place);
    if (held->smtp && !keeps) {
        slice_leave_db(slice);
        smtp_quit(&held->smtp);
    }
    if (is_good)
        slice->wait_ms = goes_on ? 0 : next_ms(slice);
    return is_good;
}
