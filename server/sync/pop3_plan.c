#include "server/sync/pop3_plan.h"

#include <stdlib.h>

#include "server/base/buf.h"

#define DAY_US INT64_C(86400000000)
enum {
    /* Gmail lists a part of the maildrop at a time: what is not listed may come back. */
    FORGET_DAYS = 60,
};

struct str pop3_plan_key(struct arena *arena, struct str uidl)
{
    bool is_plain = true;
    for (size_t i = 0; i < uidl.length; i++)
        is_plain = is_plain && (unsigned char)uidl.at[i] < 0x80 && uidl.at[i] != '%';
    if (is_plain)
        return uidl;
    struct buf text = BUF_INIT(uidl.length * 3 + 1);
    for (size_t i = 0; i < uidl.length; i++) {
        unsigned char c = (unsigned char)uidl.at[i];
        if (c >= 0x80 || c == '%')
            buf_printf(&text, "%%%02X", c);
        else
            buf_char(&text, (char)c);
    }
    struct str key = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return key;
}

/* --- the policy ------------------------------------------------------------------------------- */

static bool is_wanted_gone(const struct pop3_rules *rules, const struct pop3_uidl *row)
{
    bool is_deleted = row->email_id == 0;
    bool is_whole = row->state != POP3_UIDL_PARTIAL && row->state != POP3_UIDL_OVERSIZED;
    switch (rules->policy) {
    case POP3_REMOVE:
        return is_whole || is_deleted;
    case POP3_REMOVE_AFTER:
        return (is_whole || is_deleted) && row->received_at + rules->days * DAY_US <= rules->now_us;
    case POP3_REMOVE_DELETED:
        return is_deleted;
    case POP3_LEAVE:
        return false;
    }
    return false;
}

/* Servers that throw mail away would take the rest of it with them (RFC 2449 section 6.7). */
static bool is_too_large(const struct pop3_rules *rules, int64_t size_bytes, int64_t received_at)
{
    bool expires =
        rules->expire_days >= 0 && received_at + (rules->expire_days - 1) * DAY_US <= rules->now_us;
    return rules->max_bytes > 0 && size_bytes > rules->max_bytes && !expires;
}

enum pop3_fate pop3_plan_fate(const struct pop3_rules *rules, const struct pop3_uidl *row)
{
    if (is_wanted_gone(rules, row))
        return POP3_DELETE;
    bool is_partial = row->state == POP3_UIDL_PARTIAL && row->email_id != 0;
    if (is_partial && !is_too_large(rules, row->size_bytes, row->received_at))
        return POP3_REST;
    return POP3_KEEP;
}

static enum pop3_fate fate_of_new(const struct pop3_rules *rules, const struct pop3_listed *listed)
{
    return listed->size_bytes > POP3_MESSAGE_BYTES_MAX ||
                   is_too_large(rules, listed->size_bytes, rules->now_us)
               ? POP3_PREVIEW
               : POP3_FETCH;
}

/* --- matching --------------------------------------------------------------------------------- */

/* Its UIDL is known; whether it is the same message may need a look: servers use UIDLs again once
 * their message is gone, and what was removed should not be there. */
static bool is_surely(const struct pop3_uidl *row, const struct pop3_listed *listed)
{
    return row->size_bytes == listed->size_bytes && row->absent_since == 0 &&
           (row->state == POP3_UIDL_HERE || row->state == POP3_UIDL_PARTIAL ||
            row->state == POP3_UIDL_OVERSIZED);
}

static void doubt(const struct pop3_plan *plan, struct pop3_step *step)
{
    step->fate = plan->rules.has_top ? POP3_VERIFY : POP3_FETCH;
    step->is_doubtful = true;
}

/* Steps by key, then by number; occurrences are counted in this order. */
static int by_key(const void *a, const void *b)
{
    const struct pop3_step *left = *(struct pop3_step *const *)a;
    const struct pop3_step *right = *(struct pop3_step *const *)b;
    int order = str_compare(left->listed.key, right->listed.key);
    if (order != 0)
        return order;
    return (left->listed.number > right->listed.number) -
           (left->listed.number < right->listed.number);
}

/* Both in the order of keys and occurrences: one walk. Returns how many met. */
static size_t match(struct arena *arena, struct pop3_plan *plan)
{
    struct pop3_step **sorted = ARENA_ARRAY(arena, plan->count, struct pop3_step *);
    size_t row = 0, met = 0;
    for (size_t i = 0; i < plan->count; i++)
        sorted[i] = &plan->at[i];
    qsort(sorted, plan->count, sizeof *sorted, by_key);
    for (size_t i = 0; i < plan->count; i++) {
        struct pop3_step *step = sorted[i];
        bool is_again = i > 0 && str_equal(step->listed.key, sorted[i - 1]->listed.key);
        step->occurrence = is_again ? sorted[i - 1]->occurrence + 1 : 0;
        int order = -1;
        while (row < plan->row_count &&
               ((order = str_compare(plan->rows[row].uidl, step->listed.key)) < 0 ||
                (order == 0 && plan->rows[row].occurrence < step->occurrence)))
            row++;
        if (row == plan->row_count || order != 0 || plan->rows[row].occurrence != step->occurrence)
            continue;
        met++;
        step->row = (ptrdiff_t)row;
        if (is_surely(&plan->rows[row], &step->listed)) {
            plan->is_claimed[row] = true;
            step->fate = pop3_plan_fate(&plan->rules, &plan->rows[row]);
        } else
            doubt(plan, step);
    }
    return met;
}

/* --- all UIDLs are new ------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Not one known UIDL is listed: a server that was moved or rebuilt, perhaps. Messages as large as a
 * known one are looked at before they are fetched again. */
static void doubt_sizes(struct arena *arena, struct pop3_plan *plan, bool *is_candidate)
{
    int64_t *sizes = ARENA_ARRAY(arena, plan->count, int64_t);
    for (size_t k = 0; k < plan->count; k++)
        sizes[k] = plan->at[k].listed.size_bytes;
    qsort(sizes, plan->count, sizeof *sizes, by_number);
    int64_t *known = ARENA_ARRAY(arena, plan->row_count, int64_t);
    for (size_t i = 0; i < plan->row_count; i++) {
        known[i] = plan->rows[i].size_bytes;
        is_candidate[i] = bsearch(&known[i], sizes, plan->count, sizeof *sizes, by_number) != NULL;
    }
    qsort(known, plan->row_count, sizeof *known, by_number);
    for (size_t k = 0; k < plan->count; k++)
        if (bsearch(&plan->at[k].listed.size_bytes, known, plan->row_count, sizeof *known,
                    by_number))
            doubt(plan, &plan->at[k]);
}

/* --- what is no longer there ------------------------------------------------------------------ */

static void sort_out_rows(struct pop3_plan *plan, const bool *is_listed, const bool *is_candidate)
{
    for (size_t i = 0; i < plan->row_count; i++) {
        const struct pop3_uidl *row = &plan->rows[i];
        if (is_listed[i]) {
            if (plan->is_claimed[i] && row->absent_since != 0)
                plan->present[plan->present_count++] = i;
            continue;
        }
        bool is_confirmed = row->state == POP3_UIDL_DELE_SENT || row->state == POP3_UIDL_REMOVED;
        bool is_old = row->absent_since != 0 &&
                      row->absent_since + FORGET_DAYS * DAY_US <= plan->rules.now_us;
        if (is_candidate[i])
            continue;
        if (is_confirmed || is_old)
            plan->forget[plan->forget_count++] = i;
        else if (row->absent_since == 0)
            plan->absent[plan->absent_count++] = i;
    }
}

static int by_fingerprint(const void *a, const void *b, void *context)
{
    const struct pop3_uidl *rows = context;
    const struct pop3_uidl *left = &rows[*(const size_t *)a], *right = &rows[*(const size_t *)b];
    int order = str_compare(left->fingerprint, right->fingerprint);
    return order != 0 ? order : (left > right) - (left < right);
}

void pop3_plan_make(struct arena *arena, const struct pop3_listed *listed, size_t listed_count,
                    const struct pop3_uidl *rows, size_t row_count, const struct pop3_rules *rules,
                    struct pop3_plan *plan)
{
    *plan = (struct pop3_plan){
        .rows = rows,
        .row_count = row_count,
        .is_claimed = ARENA_ARRAY(arena, row_count, bool),
        .at = ARENA_ARRAY(arena, listed_count, struct pop3_step),
        .count = listed_count,
        .forget = ARENA_ARRAY(arena, row_count, size_t),
        .absent = ARENA_ARRAY(arena, row_count, size_t),
        .present = ARENA_ARRAY(arena, row_count, size_t),
        .by_fingerprint = ARENA_ARRAY(arena, row_count, size_t),
        .rules = *rules,
        .has_uidl = listed_count == 0,
    };
    bool *is_listed = ARENA_ARRAY(arena, row_count, bool);
    bool *is_candidate = ARENA_ARRAY(arena, row_count, bool);
    for (size_t i = 0; i < row_count; i++)
        plan->by_fingerprint[i] = i;
    if (row_count > 0)
        qsort_r(plan->by_fingerprint, row_count, sizeof *plan->by_fingerprint, by_fingerprint,
                (void *)rows);
    for (size_t i = 0; i < listed_count; i++) {
        plan->at[i] = (struct pop3_step){.listed = listed[i], .row = -1};
        plan->at[i].fate = fate_of_new(rules, &listed[i]);
        plan->has_uidl = plan->has_uidl || listed[i].key.length > 0;
    }
    if (!plan->has_uidl) { /* each must be looked at; what was not met is known only at the end */
        for (size_t i = 0; i < listed_count; i++) {
            plan->at[i].fate = POP3_FETCH;
            plan->at[i].is_doubtful = true;
        }
        return;
    }
    if (match(arena, plan) == 0 && row_count > 0 && listed_count > 0)
        doubt_sizes(arena, plan, is_candidate);
    for (size_t i = 0; i < listed_count; i++)
        if (plan->at[i].row >= 0)
            is_listed[plan->at[i].row] = true;
    sort_out_rows(plan, is_listed, is_candidate);
}

/* --- settling doubts -------------------------------------------------------------------------- */

/* The first unclaimed row with that fingerprint, or -1. Sizes agree unless the key does. */
static ptrdiff_t find_row(const struct pop3_plan *plan, const struct pop3_step *step,
                          struct str fingerprint)
{
    if (step->row >= 0 && !plan->is_claimed[step->row] &&
        str_equal(plan->rows[step->row].fingerprint, fingerprint))
        return step->row;
    size_t low = 0, high = plan->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_compare(plan->rows[plan->by_fingerprint[middle]].fingerprint, fingerprint) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < plan->row_count; low++) {
        size_t i = plan->by_fingerprint[low];
        if (!str_equal(plan->rows[i].fingerprint, fingerprint))
            break;
        if (!plan->is_claimed[i] && plan->rows[i].size_bytes == step->listed.size_bytes)
            return (ptrdiff_t)i;
    }
    return -1;
}

static bool has_claimed(const struct pop3_plan *plan, const struct pop3_step *but, struct str key,
                        int occurrence)
{
    for (size_t i = 0; i < plan->count; i++)
        if (&plan->at[i] != but && plan->at[i].occurrence == occurrence &&
            str_equal(plan->at[i].listed.key, key))
            return true;
    return false;
}

void pop3_plan_settle(struct arena *arena, struct pop3_plan *plan, struct pop3_step *step,
                      struct str fingerprint)
{
    if (step->listed.key.length == 0) { /* a space never is in a UIDL */
        step->listed.key = arena_printf(arena, " %" STR_FMT, STR_ARG(fingerprint));
        while (has_claimed(plan, step, step->listed.key, step->occurrence))
            step->occurrence++;
    }
    step->is_doubtful = false;
    step->row = find_row(plan, step, fingerprint);
    if (step->row < 0) {
        step->fate = fate_of_new(&plan->rules, &step->listed);
        return;
    }
    plan->is_claimed[step->row] = true;
    step->fate = pop3_plan_fate(&plan->rules, &plan->rows[step->row]);
}
