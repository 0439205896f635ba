#include "server/sync/pop3_session.h"

#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/replica.h"
#include "server/sync/pop3_fingerprint.h"
#include "server/sync/sign_in.h"

enum {
    DELETE_MAX = 5000, /* rows of one statement */
};

struct pop3_uidl pop3_session_row(const struct pop3_session *session, const struct pop3_step *step)
{
    struct pop3_uidl row = {.fingerprint = STR_EMPTY};
    if (step->row >= 0)
        row = session->plan.rows[step->row];
    row.uidl = step->listed.key;
    row.occurrence = step->occurrence;
    row.size_bytes = step->listed.size_bytes;
    row.absent_since = 0;
    return row;
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool connect_to(struct slice *slice, struct pop3_session *session, struct error *err)
{
    const struct account *account = &slice->work.account;
    enum stream_step step = STREAM_STEP_RESOLVE;
    struct pop3_params params = {
        .stream = {.host = account->incoming.host,
                   .port = account->incoming.port,
                   .security = sign_in_security(account->incoming.tls),
                   .egress = slice->sync->egress,
                   .tls = slice->sync->tls,
                   .cancel = &slice->account->is_stopping,
                   .step = &step},
        .username = account->incoming.username,
        .credential = SASL_PASSWORD,
        .secret = &slice->secret,
    };
    if (!slice_may_connect(slice, &slice->work.account.incoming, err))
        return false;
    session->client = pop3_connect(&params, err);
    if (!session->client) {
        slice_missed(slice, step, err);
        return false;
    }
    slice_met(slice);
    LOG_INFO("pop3.connected", log_str("host", account->incoming.host),
             log_text("tls", stream_tls_version(pop3_stream(session->client))));
    return true;
}

static bool find_inbox(struct slice *slice, struct pop3_session *session, struct error *err)
{
    struct replica_mailbox *mailboxes;
    size_t count;
    if (!replica_mailboxes(slice->db, slice->arena, slice->account->id, false, &mailboxes, &count,
                           err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (mailboxes[i].role == ROLE_INBOX)
            session->inbox_id = mailboxes[i].id;
    return session->inbox_id != 0 || error_set(err, ERROR_INTERNAL, "the account has no inbox");
}

static struct pop3_rules rules_of(const struct slice *slice, const struct pop3_session *session)
{
    const struct account *account = &slice->work.account;
    return (struct pop3_rules){
        .policy = account->pop3_may_remove ? account->pop3_policy : POP3_LEAVE,
        .days = account->pop3_days,
        .max_bytes = account->pop3_max_bytes,
        .expire_days = pop3_expire_days(session->client),
        .has_top = pop3_has(session->client, POP3_CAP_TOP),
        .now_us = clock_now_us(),
    };
}

/* Without UIDL nothing can be told apart that is left lying (RFC 1939 section 7). */
static bool check_policy(const struct slice *slice, const struct pop3_maildrop *maildrop,
                         struct error *err)
{
    const struct account *account = &slice->work.account;
    if (maildrop->has_uidl || (account->pop3_policy == POP3_REMOVE && account->pop3_may_remove))
        return true;
    error_set(err, ERROR_FORBIDDEN,
              "This mail server cannot tell messages apart, so none can be left on it.");
    return error_hint(err, "Let this account remove mail from the server once it is stored here.");
}

static bool make_plan(struct slice *slice, struct pop3_session *session, struct error *err)
{
    struct pop3_maildrop maildrop;
    struct pop3_uidl *rows;
    size_t row_count;
    if (!pop3_list(session->client, session->arena, &maildrop, err) ||
        !check_policy(slice, &maildrop, err) ||
        !pop3_uidls(slice->db, session->arena, slice->account->id, &rows, &row_count, err))
        return false;
    struct pop3_listed *listed = ARENA_ARRAY(session->arena, maildrop.count, struct pop3_listed);
    size_t count = 0;
    for (size_t i = 0; i < maildrop.count; i++) {
        if (maildrop.has_uidl && maildrop.at[i].uidl.length == 0)
            continue; /* not to be told apart: left alone until the server names it */
        listed[count++] = (struct pop3_listed){
            .number = maildrop.at[i].number,
            .size_bytes = (int64_t)maildrop.at[i].size_bytes,
            .key = pop3_plan_key(session->arena, maildrop.at[i].uidl),
        };
    }
    struct pop3_rules rules = rules_of(slice, session);
    pop3_plan_make(session->arena, listed, count, rows, row_count, &rules, &session->plan);
    return true;
}

/* --- messages that look known ----------------------------------------------------------------- */

struct verification {
    struct pop3_session *session;
    struct pop3_step **steps; /* asked for, in order */
    struct pop3_fingerprint fingerprint;
    bool is_under_way;
};

static void begin_header(void *context, size_t index)
{
    struct verification *v = context;
    (void)index;
    pop3_fingerprint_begin(&v->fingerprint);
    v->is_under_way = true;
}

static bool write_header(void *context, struct str bytes)
{
    struct verification *v = context;
    pop3_fingerprint_add(&v->fingerprint, bytes);
    return !v->fingerprint.is_done;
}

static bool end_header(void *context, size_t index)
{
    struct verification *v = context;
    char text[POP3_FINGERPRINT_BYTES];
    pop3_fingerprint_end(&v->fingerprint, text);
    v->is_under_way = false;
    pop3_plan_settle(v->session->arena, &v->session->plan, v->steps[index], str_of(text));
    return true;
}

/* Not to be had now: not touched in this session. */
static void failed_header(void *context, size_t index, const struct error *why)
{
    struct verification *v = context;
    LOG_WARN("pop3.skipped", log_int("number", v->steps[index]->listed.number), LOG_ERR(why));
    v->steps[index]->fate = POP3_KEEP;
}

/* Sends TOP n 0 for each step in doubt and settles them. */
static bool verify(struct slice *slice, struct pop3_session *session, struct error *err)
{
    struct pop3_plan *plan = &session->plan;
    struct pop3_wanted *wanted = ARENA_ARRAY(session->arena, plan->count, struct pop3_wanted);
    struct verification v = {
        .session = session,
        .steps = ARENA_ARRAY(session->arena, plan->count, struct pop3_step *),
    };
    struct pop3_sink sink = {.context = &v,
                             .begin = begin_header,
                             .write = write_header,
                             .end = end_header,
                             .failed = failed_header};
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->at[i].fate != POP3_VERIFY)
            continue;
        wanted[count] = (struct pop3_wanted){plan->at[i].listed.number, 0};
        v.steps[count++] = &plan->at[i];
    }
    if (count == 0)
        return true;
    bool is_good = pop3_retrieve(session->client, wanted, count, &sink, err);
    if (v.is_under_way) {
        char unused[POP3_FINGERPRINT_BYTES];
        pop3_fingerprint_end(&v.fingerprint, unused);
    }
    LOG_INFO("pop3.verified", log_int("account", slice->account->id),
             log_int("messages", (int64_t)count));
    return is_good;
}

/* --- writing down what the listing tells ------------------------------------------------------ */

/* Copies of the rows with these indexes, for the store. */
static struct pop3_uidl *pick(struct arena *arena, const struct pop3_plan *plan,
                              const size_t *indexes, size_t count)
{
    struct pop3_uidl *rows = ARENA_ARRAY(arena, count, struct pop3_uidl);
    for (size_t i = 0; i < count; i++)
        rows[i] = plan->rows[indexes[i]];
    return rows;
}

/* Known messages whose row says something else than is true: another UIDL, a removal that did not
 * happen, that it is not listed any more. */
static size_t adopted(const struct pop3_session *session, struct pop3_uidl *before,
                      struct pop3_uidl *after)
{
    size_t count = 0;
    for (size_t i = 0; i < session->plan.count; i++) {
        const struct pop3_step *step = &session->plan.at[i];
        if (step->row < 0 || step->is_doubtful || !session->plan.is_claimed[step->row])
            continue;
        const struct pop3_uidl *row = &session->plan.rows[step->row];
        bool is_moved = !str_equal(row->uidl, step->listed.key) ||
                        row->occurrence != step->occurrence ||
                        row->size_bytes != step->listed.size_bytes;
        bool is_back = row->state == POP3_UIDL_DELE_SENT || row->state == POP3_UIDL_REMOVED;
        if (!is_moved && !is_back && row->absent_since == 0)
            continue;
        before[count] = *row;
        after[count] = pop3_session_row(session, step);
        if (is_back)
            after[count].state = POP3_UIDL_HERE;
        count++;
    }
    return count;
}

static bool write_down(struct slice *slice, struct pop3_session *session, struct error *err)
{
    const struct pop3_plan *plan = &session->plan;
    struct arena *arena = session->arena;
    int64_t id = slice->account->id;
    struct pop3_uidl *before = ARENA_ARRAY(arena, plan->count, struct pop3_uidl);
    struct pop3_uidl *after = ARENA_ARRAY(arena, plan->count, struct pop3_uidl);
    size_t adopted_count = adopted(session, before, after);
    if (plan->forget_count + plan->absent_count + plan->present_count + adopted_count == 0)
        return true;
    struct replica_batch *batch = replica_begin(slice->db, id, err);
    bool is_good =
        batch &&
        pop3_uidls_forget(slice->db, id, pick(arena, plan, plan->forget, plan->forget_count),
                          plan->forget_count, err) &&
        pop3_uidls_set_absent(slice->db, id, pick(arena, plan, plan->absent, plan->absent_count),
                              plan->absent_count, true, err) &&
        pop3_uidls_set_absent(slice->db, id, pick(arena, plan, plan->present, plan->present_count),
                              plan->present_count, false, err) &&
        pop3_uidls_forget(slice->db, id, before, adopted_count, err) &&
        pop3_uidls_put(slice->db, id, after, adopted_count, err);
    if (is_good)
        return replica_commit(&batch, err);
    replica_abandon(&batch);
    return false;
}

bool pop3_session_open(struct slice *slice, struct error *err)
{
    struct worker_account *held = slice->account;
    if (held->pop3 && pop3_is_alive(held->pop3->client))
        return true;
    pop3_session_free(&held->pop3);
    struct pop3_session *session = calloc(1, sizeof *session);
    if (!session)
        abort();
    session->arena = arena_new();
    session->asked_at = slice->work.account.next_sync_at;
    if (!find_inbox(slice, session, err) || !connect_to(slice, session, err) ||
        !make_plan(slice, session, err) || !verify(slice, session, err) ||
        !write_down(slice, session, err)) {
        pop3_session_free(&session);
        return false;
    }
    for (size_t i = 0; i < session->plan.count; i++) {
        enum pop3_fate fate = session->plan.at[i].fate;
        session->remaining += fate == POP3_FETCH || fate == POP3_PREVIEW || fate == POP3_REST;
    }
    held->pop3 = session;
    return true;
}

bool pop3_session_is_over(const struct pop3_session *session)
{
    return session->end_ms != 0 && clock_monotonic_ms() >= session->end_ms;
}

void pop3_session_free(struct pop3_session **owner)
{
    struct pop3_session *session = *owner;
    if (!session)
        return;
    pop3_free(&session->client);
    arena_free(&session->arena);
    free(session);
    *owner = NULL;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Without UIDL a message is known to be gone when a whole pass has not met it. */
static bool forget_unmet(struct slice *slice, struct pop3_session *session, struct error *err)
{
    struct pop3_plan *plan = &session->plan;
    if (plan->has_uidl || session->remaining > 0)
        return true;
    for (size_t i = 0; i < plan->row_count; i++)
        if (!plan->is_claimed[i])
            plan->forget[plan->forget_count++] = i;
    return pop3_uidls_forget(slice->db, slice->account->id,
                             pick(session->arena, plan, plan->forget, plan->forget_count),
                             plan->forget_count, err);
}

/* DELE of everything the policy wants gone. What is about to be sent is written down before. */
static bool remove_all(struct slice *slice, struct pop3_session *session, struct pop3_uidl *marked,
                       size_t *marked_count, struct error *err)
{
    struct pop3_plan *plan = &session->plan;
    struct pop3_uidl *rows = ARENA_ARRAY(session->arena, plan->count, struct pop3_uidl);
    uint32_t *numbers = ARENA_ARRAY(session->arena, plan->count, uint32_t);
    bool *is_marked = ARENA_ARRAY(session->arena, plan->count, bool);
    size_t count = 0;
    *marked_count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->at[i].fate != POP3_DELETE)
            continue;
        numbers[count] = plan->at[i].listed.number;
        rows[count++] = pop3_session_row(session, &plan->at[i]);
    }
    for (size_t i = 0; i < count; i += DELETE_MAX)
        if (!pop3_uidls_set_state(slice->db, slice->account->id, rows + i,
                                  count - i < DELETE_MAX ? count - i : DELETE_MAX,
                                  POP3_UIDL_DELE_SENT, err))
            return false;
    if (!pop3_delete(session->client, numbers, count, is_marked, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (is_marked[i])
            marked[(*marked_count)++] = rows[i];
    return true;
}

bool pop3_session_finish(struct slice *slice, struct error *err)
{
    struct pop3_session *session = slice->account->pop3;
    struct pop3_uidl *marked = ARENA_ARRAY(session->arena, session->plan.count, struct pop3_uidl);
    size_t count = 0;
    struct error why = ERROR_INIT;
    bool is_good =
        forget_unmet(slice, session, err) && remove_all(slice, session, marked, &count, err);
    if (is_good && pop3_quit(&session->client, &why))
        is_good = pop3_uidls_set_state(slice->db, slice->account->id, marked, count,
                                       POP3_UIDL_REMOVED, err);
    else if (is_good) /* the next listing tells what is gone */
        LOG_WARN("pop3.quit", log_int("marked", (int64_t)count), LOG_ERR(&why));
    pop3_session_free(&slice->account->pop3);
    return is_good;
}
