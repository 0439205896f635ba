#include <assert.h>
#include <stdlib.h>

#include "server/store/db.h"
#include "server/store/search_private.h"

enum {
    /* Words that many messages have are met sooner by going back in time than by sorting all that
     * the index finds: a hit costs a microsecond or two, a message passed on the way some ten. The
     * newest ones tell which words those are. */
    PROBE = 200,
    PROBE_COMMON = 10,
    HITS_MAX = 10000,
    FIRST_CHUNK = 100, /* rows asked for at once; more with each turn */
    CHUNK_MAX = 5000,
};

/* A message that was found. */
struct found {
    int64_t received_at, account_id, id;
    int64_t rank;
};

struct searching {
    struct db *db;
    struct arena *arena;
    int64_t account_id;
    const struct search_condition *condition;
    struct search_plan plan;
    struct found *found; /* of all accounts */
    size_t count, most;  /* of this account: not more */
};

/* --- rows ------------------------------------------------------------------------------------- */

static void read_row(struct searching *s, struct db_rows *rows, struct search_row *row)
{
    row->id = db_get_i64(rows);
    row->received_at = db_get_time(rows);
    row->size_bytes = db_get_i64(rows);
    row->has_attachment = db_get_bool(rows);
    row->flags = db_get_i32(rows);
    row->keywords = db_get_words(rows, s->arena);
    row->mailboxes = db_get_i64_array(rows, s->arena, &row->mailbox_count);
    row->hits = (uint64_t)db_get_i64(rows);
}

/* Takes what matches; `last` becomes the last row looked at. */
static void take_rows(struct searching *s, struct db_rows *rows, struct found *last)
{
    while (db_next(rows)) {
        struct search_row row;
        read_row(s, rows, &row);
        *last = (struct found){row.received_at, s->account_id, row.id, 0};
        if (s->count < s->most && (!s->plan.has_rest || search_matches(s->condition, &row)))
            s->found[s->count++] = *last;
    }
    db_rows_free(rows);
}

/* --- back in time ----------------------------------------------------------------------------- */

/* From `*from` on, which becomes the last one looked at; at most `examined` (0: any number). */
static bool walk(struct searching *s, struct found *from, int64_t examined, struct error *err)
{
    const struct search_plan *plan = &s->plan;
    const char *statement = plan->mailbox_id ? "search_walk_mailbox" : "search_walk";
    int64_t chunk = (int64_t)s->most > FIRST_CHUNK ? (int64_t)s->most : FIRST_CHUNK;
    if (!plan->has_rest)
        chunk = (int64_t)s->most;
    chunk = chunk < CHUNK_MAX ? chunk : CHUNK_MAX;
    for (;;) {
        struct db_rows rows;
        if (!db_select(s->db, statement, &rows, err, db_i64(s->account_id), db_i64(from->id),
                       db_time(plan->since), db_time(from->received_at), db_i64(plan->larger),
                       db_i64(plan->smaller), db_i32(plan->attachment), db_i32(plan->flags_set),
                       db_i32(plan->flags_clear), db_i64(plan->mailbox_id),
                       db_text_array(plan->leaves, plan->leaf_count), db_text(plan->words),
                       db_i64(chunk), db_or_null(db_i64(examined))))
            return false;
        bool is_last = rows.row_count < chunk;
        take_rows(s, &rows, from);
        if (is_last || examined || s->count == s->most)
            return true;
        chunk = chunk * 4 < CHUNK_MAX ? chunk * 4 : CHUNK_MAX;
    }
}

/* --- by the index ----------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->received_at != y->received_at)
        return x->received_at < y->received_at ? 1 : -1;
    if (x->account_id != y->account_id)
        return x->account_id < y->account_id ? 1 : -1;
    return (x->id < y->id) - (x->id > y->id);
}

static int best_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    return newest_first(a, b);
}

/* All messages that the words are in, newest first; false with ERROR_NONE: too many. */
static bool look_up(struct searching *s, struct found from, struct found **hits, size_t *count,
                    struct error *err)
{
    struct db_rows rows;
    *count = 0;
    if (!db_select(s->db, "search_hits", &rows, err, db_i64(s->account_id), db_text(s->plan.words),
                   db_i64(HITS_MAX + 1)))
        return false;
    bool is_all = rows.row_count <= HITS_MAX;
    *hits = ARENA_ARRAY(s->arena, (size_t)rows.row_count, struct found);
    while (db_next(&rows)) {
        struct found hit = {.account_id = s->account_id};
        hit.id = db_get_i64(&rows);
        hit.received_at = db_get_time(&rows);
        if (hit.received_at >= s->plan.since && newest_first(&from, &hit) < 0)
            (*hits)[(*count)++] = hit;
    }
    db_rows_free(&rows);
    qsort(*hits, *count, sizeof **hits, newest_first);
    return is_all;
}

static bool sift(struct searching *s, const struct found *hits, size_t hit_count, struct error *err)
{
    const struct search_plan *plan = &s->plan;
    size_t chunk = s->most;
    for (size_t done = 0; done < hit_count && s->count < s->most; done += chunk, chunk *= 2) {
        struct db_rows rows;
        struct found last;
        size_t count = hit_count - done < chunk ? hit_count - done : chunk;
        int64_t *ids = ARENA_ARRAY(s->arena, count, int64_t);
        for (size_t i = 0; i < count; i++)
            ids[i] = hits[done + i].id;
        if (!db_select(s->db, "search_rows", &rows, err, db_i64(s->account_id),
                       db_i64_array(ids, count), db_time(plan->since), db_time(plan->until),
                       db_i64(plan->larger), db_i64(plan->smaller), db_i32(plan->attachment),
                       db_i32(plan->flags_set), db_i32(plan->flags_clear), db_i64(plan->mailbox_id),
                       db_text_array(plan->leaves, plan->leaf_count)))
            return false;
        take_rows(s, &rows, &last);
    }
    return true;
}

/* The newest `most` of one account behind `from`. */
static bool search_account(struct searching *s, struct found from, struct error *err)
{
    struct found *hits;
    size_t count;
    if (s->plan.is_never)
        return true;
    if (from.received_at > s->plan.until)
        from = (struct found){s->plan.until, s->account_id, 0, 0};
    if (s->plan.is_indexable) {
        struct found behind = from;
        struct error why = ERROR_INIT;
        if (!walk(s, &behind, PROBE, err))
            return false;
        if (s->count == s->most)
            return true;
        bool is_common = s->count >= PROBE_COMMON;
        s->count = 0;
        if (!is_common && look_up(s, from, &hits, &count, &why))
            return sift(s, hits, count, err);
        if (why.kind != ERROR_NONE) {
            *err = why;
            return false;
        }
    }
    return walk(s, &from, 0, err);
}

/* --- several accounts ------------------------------------------------------------------------- */

/* Where this account begins, given the order of newest_first over all of them. */
static struct found place_of(struct search_cursor cursor, int64_t account_id)
{
    if (cursor.id == 0)
        return (struct found){INT64_MAX, account_id, INT64_MAX, 0};
    if (account_id == cursor.account_id)
        return (struct found){cursor.received_at, account_id, cursor.id, 0};
    return (struct found){cursor.received_at, account_id,
                          account_id < cursor.account_id ? INT64_MAX : 0, 0};
}

static bool rank(struct searching *s, struct error *err)
{
    struct db_rows rows;
    int64_t *ids = ARENA_ARRAY(s->arena, s->count, int64_t);
    for (size_t i = 0; i < s->count; i++)
        ids[i] = s->found[i].id;
    if (!s->count || !s->plan.is_indexable)
        return true;
    if (!db_select(s->db, "search_rank", &rows, err, db_i64(s->account_id),
                   db_i64_array(ids, s->count), db_text(s->plan.words)))
        return false;
    while (db_next(&rows)) {
        int64_t id = db_get_i64(&rows), value = db_get_i64(&rows);
        for (size_t i = 0; i < s->count; i++)
            if (s->found[i].id == id)
                s->found[i].rank = value;
    }
    db_rows_free(&rows);
    return true;
}

/* The page's emails in its order, read account by account. */
static bool load(struct db *db, struct arena *arena, const struct search_request *request,
                 const struct found *page, size_t count, struct search_answer *answer,
                 struct error *err)
{
    int64_t *ids = ARENA_ARRAY(arena, count, int64_t);
    struct email *at = ARENA_ARRAY(arena, count, struct email);
    for (size_t a = 0; a < request->account_count; a++) {
        struct email *emails;
        size_t id_count = 0, email_count, next = 0;
        for (size_t i = 0; i < count; i++)
            if (page[i].account_id == request->account_ids[a])
                ids[id_count++] = page[i].id;
        if (!emails_by_ids(db, arena, request->account_ids[a], ids, id_count, &emails, &email_count,
                           err))
            return false;
        for (size_t i = 0; i < count && next < email_count; i++)
            if (page[i].account_id == request->account_ids[a] && page[i].id == emails[next].id)
                at[i] = emails[next++];
    }
    answer->emails = at;
    for (size_t i = 0; i < count; i++) /* one may have gone meanwhile */
        if (at[i].id)
            at[answer->count++] = at[i];
    return true;
}

bool search_emails(struct db *db, struct arena *arena, const struct search_request *request,
                   struct search_answer *answer, struct error *err)
{
    bool is_ranked = request->order == SEARCH_BY_RELEVANCE;
    size_t most = is_ranked ? SEARCH_RANKED_MAX : (size_t)request->limit + 1, total = 0;
    struct found *found = ARENA_ARRAY(arena, most * request->account_count, struct found);
    assert(request->limit > 0 && request->limit <= SEARCH_PAGE_MAX);
    *answer = (struct search_answer){0};
    for (size_t a = 0; a < request->account_count; a++) {
        struct searching s = {.db = db,
                              .arena = arena,
                              .account_id = request->account_ids[a],
                              .condition = request->conditions[a],
                              .found = found + total,
                              .most = most};
        struct search_cursor cursor = {0};
        if (!is_ranked)
            cursor = request->cursor;
        if (!search_plan(arena, s.condition, &s.plan, err) ||
            !search_account(&s, place_of(cursor, s.account_id), err) ||
            (is_ranked && !rank(&s, err)))
            return false;
        total += s.count;
    }
    qsort(found, total, sizeof *found, is_ranked ? best_first : newest_first);
    size_t skipped = is_ranked ? (size_t)request->cursor.position : 0;
    skipped = skipped < total ? skipped : total;
    size_t count = total - skipped;
    answer->has_more = count > (size_t)request->limit;
    if (answer->has_more)
        count = (size_t)request->limit;
    if (count) {
        const struct found *last = &found[skipped + count - 1];
        answer->next = (struct search_cursor){last->received_at, last->account_id, last->id,
                                              (int)(skipped + count)};
    }
    return load(db, arena, request, found + skipped, count, answer, err);
}

/* The search page shows what one may see; the sync role, which sees all, looks with the eyes of the
 * account's owner, since the index of words is let to be used by nobody else (search_hits). */
bool search_all(struct db *db, struct arena *arena, int64_t account_id, int64_t user_id,
                const struct search_condition *condition, size_t most, int64_t **email_ids,
                size_t *count, struct error *err)
{
    struct searching s = {.db = db,
                          .arena = arena,
                          .account_id = account_id,
                          .condition = condition,
                          .found = ARENA_ARRAY(arena, most, struct found),
                          .most = most};
    bool started = false;
    if (!search_plan(arena, condition, &s.plan, err) || !db_enter(db, &started, err))
        return false;
    struct found from = {INT64_MAX, account_id, INT64_MAX, 0};
    bool is_good =
        db_post(db, "db_set_viewer", err, db_i64(user_id)) && search_account(&s, from, err);
    if (!db_leave(db, started, is_good, err))
        return false;
    *email_ids = ARENA_ARRAY(arena, s.count, int64_t);
    for (size_t i = 0; i < s.count; i++)
        (*email_ids)[i] = s.found[i].id;
    *count = s.count;
    return true;
}

/* --- saved searches --------------------------------------------------------------------------- */

bool saved_search_list(struct db *db, struct arena *arena, int64_t user_id,
                       struct saved_search **searches, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "saved_search_list", &rows, err, db_i64(user_id)))
        return false;
    *searches = ARENA_ARRAY(arena, (size_t)rows.row_count, struct saved_search);
    *count = 0;
    while (db_next(&rows)) {
        struct saved_search *search = &(*searches)[(*count)++];
        search->id = db_get_i64(&rows);
        search->name = db_get_str(&rows, arena);
        search->query = db_get_str(&rows, arena);
    }
    db_rows_free(&rows);
    return true;
}

bool saved_search_put(struct db *db, int64_t user_id, struct str name, struct str query,
                      int64_t *id, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "saved_search_put", &rows, "nothing was saved", err, db_i64(user_id),
                       db_text(name), db_text(query)))
        return false;
    *id = db_get_i64(&rows);
    db_rows_free(&rows);
    return true;
}

bool saved_search_delete(struct db *db, int64_t user_id, int64_t id, struct error *err)
{
    int64_t affected;
    return db_execute(db, "saved_search_delete", &affected, err, db_i64(user_id), db_i64(id)) &&
           (affected > 0 || error_set(err, ERROR_NOT_FOUND, "There is no such saved search."));
}

/* --- for sync --------------------------------------------------------------------------------- */

bool search_of_uids(struct db *db, struct arena *arena, int64_t account_id, int64_t mailbox_id,
                    const int64_t *uids, size_t uid_count, struct search_place_found **found,
                    size_t *count, struct error *err)
{
    struct db_rows rows;
    *count = 0;
    if (!db_select(db, "search_of_uids", &rows, err, db_i64(account_id), db_i64(mailbox_id),
                   db_i64_array(uids, uid_count)))
        return false;
    *found = ARENA_ARRAY(arena, (size_t)rows.row_count, struct search_place_found);
    while (db_next(&rows)) {
        struct search_place_found *place = &(*found)[(*count)++];
        place->email_id = db_get_i64(&rows);
        place->received_at = db_get_time(&rows);
    }
    db_rows_free(&rows);
    return true;
}

/* --- written by sync -------------------------------------------------------------------------- */

bool search_put(struct db *db, int64_t account_id, int64_t email_id, struct str words,
                struct error *err)
{
    return !words.length || db_execute(db, "search_put", NULL, err, db_i64(account_id),
                                       db_i64(email_id), db_tsvector(words));
}

bool search_append(struct db *db, int64_t account_id, int64_t email_id, struct str words,
                   struct error *err)
{
    return !words.length || db_execute(db, "search_append", NULL, err, db_i64(account_id),
                                       db_i64(email_id), db_tsvector(words));
}
