/* Adding messages: look at what of a batch is here already, find the threads of the rest, COPY it.
 * A batch costs the same few statements whether it brings one message or five hundred. */
#include <assert.h>
#include <stdlib.h>

#include "server/store/db_private.h"
#include "server/store/replica_private.h"

/* What becomes of one message of the call. */
enum fate {
    FATE_NEW,    /* an email and a placement */
    FATE_PLACE,  /* the email is here: a placement */
    FATE_UID,    /* its placement is here without uid: gets it */
    FATE_FLAGS,  /* the placement is here with this uid: its flags */
    FATE_NOTHING /* here and not upstream, or told twice */
};

struct adding {
    struct replica_batch *batch;
    int64_t mailbox_id;
    struct replica_email *emails;
    size_t count;
    enum fate *fates;
    int32_t *same_as;   /* FATE_NOTHING: told before in this call, by that message; -1: no */
    bool *is_anonymous; /* a copy in the same mailbox: cannot have the same upstream id */
    size_t fate_counts[FATE_NOTHING + 1];
};

/* --- what may come in ------------------------------------------------------------------------ */

/* Larger than what mail/ lets through (server/mail/envelope.h), so that only a fault meets them. */
enum {
    ID_BYTES_MAX = 2000, /* indexed, or hashed */
    SUBJECT_BYTES_MAX = 8192,
    IDS_BYTES_MAX = 128 * 1024, /* 100 ids of 998 bytes */
    PREVIEW_BYTES_MAX = 4096,
    KEYWORDS_BYTES_MAX = 4096,
    JSON_BYTES_MAX = 4 << 20,
    THREAD_KEYS_MAX = 256,
    WORDS_BYTES_MAX = 1 << 20,
};

static bool check(const struct replica_email *email, struct error *err)
{
    const struct {
        const char *what;
        size_t length, most;
    } caps[] = {
        {"EMAILID", email->upstream_id.length, ID_BYTES_MAX},
        {"Message-ID", email->message_id.length, ID_BYTES_MAX},
        {"In-Reply-To", email->in_reply_to.length, IDS_BYTES_MAX},
        {"References", email->references.length, IDS_BYTES_MAX},
        {"subject", email->subject.length, SUBJECT_BYTES_MAX},
        {"From", email->from_json.length, JSON_BYTES_MAX},
        {"Sender", email->sender_json.length, JSON_BYTES_MAX},
        {"Reply-To", email->reply_to_json.length, JSON_BYTES_MAX},
        {"To", email->to_json.length, JSON_BYTES_MAX},
        {"Cc", email->cc_json.length, JSON_BYTES_MAX},
        {"Bcc", email->bcc_json.length, JSON_BYTES_MAX},
        {"preview", email->preview.length, PREVIEW_BYTES_MAX},
        {"structure", email->structure.length, JSON_BYTES_MAX},
        {"header", email->header_json.length, JSON_BYTES_MAX},
        {"keywords", email->placed.keywords.length, KEYWORDS_BYTES_MAX},
        {"list of threads", email->thread_key_count, THREAD_KEYS_MAX},
        {"list of words", email->words.length, WORDS_BYTES_MAX},
    };
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
        if (caps[i].length <= caps[i].most)
            continue;
        error_set(err, ERROR_LIMIT, "a message's %s is larger than is kept (%zu, at most %zu)",
                  caps[i].what, caps[i].length, caps[i].most);
        if (err)
            err->scope = ERROR_SCOPE_MESSAGE;
        return false;
    }
    return true;
}

/* --- what is here already -------------------------------------------------------------------- */

static void decide(struct adding *adding, size_t i, enum fate fate, int64_t id)
{
    adding->fates[i] = fate;
    adding->emails[i].id = id;
    adding->emails[i].is_known = true;
}

/* By uid: also those told twice. */
static bool match_uids(struct adding *adding, struct error *err)
{
    struct arena *arena = adding->batch->arena;
    struct db_rows rows;
    struct id_map by_uid;
    struct id_list uids = {0};
    id_map_init(arena, &by_uid, adding->count);
    for (size_t i = 0; i < adding->count; i++) {
        int64_t uid = adding->emails[i].placed.uid;
        if (!uid)
            continue;
        int32_t first = *id_map_at(&by_uid, uid, (int32_t)i);
        if (first == (int32_t)i)
            id_list_add(arena, &uids, uid);
        else {
            decide(adding, i, FATE_NOTHING, 0);
            adding->same_as[i] = first;
        }
    }
    if (!uids.count)
        return true;
    if (!db_select(adding->batch->db, "replica_known_uids", &rows, err,
                   db_i64(adding->batch->account_id), db_i64(adding->mailbox_id),
                   db_i64_array(uids.at, uids.count)))
        return false;
    while (db_next(&rows)) {
        int32_t i = id_map_get(&by_uid, db_get_i64(&rows));
        decide(adding, (size_t)i, FATE_FLAGS, db_get_i64(&rows));
    }
    db_rows_free(&rows);
    return true;
}

static int compare_upstream(const void *a, const void *b, void *context)
{
    const struct replica_email *emails = context;
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    int order = str_compare(emails[left].upstream_id, emails[right].upstream_id);
    return order ? order : (left > right) - (left < right);
}

/* The message with that upstream id among the sorted `order`; -1: none. */
static int32_t find_upstream(const struct adding *adding, const int32_t *order, size_t count,
                             struct str upstream_id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (str_compare(adding->emails[order[middle]].upstream_id, upstream_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_there = low < count && str_equal(adding->emails[order[low]].upstream_id, upstream_id);
    return is_there ? order[low] : -1;
}

/* By upstream id. Two messages of one mailbox may have the same (a copy beside the original); then
 * the second is an email of its own, since an email has one place in a mailbox. */
static bool match_upstream(struct adding *adding, struct error *err)
{
    struct arena *arena = adding->batch->arena;
    struct db_rows rows;
    int32_t *order = ARENA_ARRAY(arena, adding->count, int32_t);
    struct str *ids = ARENA_ARRAY(arena, adding->count, struct str);
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < adding->count; i++)
        if (adding->fates[i] == FATE_NEW && adding->emails[i].upstream_id.length)
            order[count++] = (int32_t)i;
    if (!count)
        return true;
    qsort_r(order, count, sizeof *order, compare_upstream, adding->emails);
    for (size_t i = 0; i < count; i++) {
        struct str id = adding->emails[order[i]].upstream_id;
        if (kept && str_equal(id, ids[kept - 1])) {
            adding->is_anonymous[order[i]] = true;
            continue;
        }
        ids[kept] = id;
        order[kept++] = order[i];
    }
    if (!db_select(adding->batch->db, "replica_known_upstream", &rows, err,
                   db_i64(adding->batch->account_id), db_i64(adding->mailbox_id),
                   db_text_array(ids, kept)))
        return false;
    while (db_next(&rows)) {
        int32_t i = find_upstream(adding, order, kept, db_get_slice(&rows));
        int64_t email_id = db_get_i64(&rows);
        bool is_placed = db_get_bool(&rows);
        int64_t uid = db_get_i64(&rows);
        assert(i >= 0);
        if (!is_placed)
            decide(adding, (size_t)i, FATE_PLACE, email_id);
        else if (!adding->emails[i].placed.uid)
            decide(adding, (size_t)i, FATE_NOTHING, email_id);
        else if (!uid)
            decide(adding, (size_t)i, FATE_UID, email_id);
        else
            adding->is_anonymous[i] = true;
    }
    db_rows_free(&rows);
    return true;
}

/* Of the messages told that have the key of `i`, size and date: one that has \Deleted if and only
 * if `is_deleted`, else the first. -1: none is left. */
static int32_t find_alike(const struct adding *adding, const int32_t *next, int32_t i,
                          int64_t size_bytes, int64_t received_at, bool is_deleted)
{
    int32_t found = -1;
    for (; i >= 0; i = next[i]) {
        const struct replica_email *email = &adding->emails[i];
        if (adding->fates[i] != FATE_NEW || email->size_bytes != size_bytes ||
            email->received_at != received_at)
            continue;
        if (((email->placed.flags & FLAG_DELETED) != 0) == is_deleted)
            return i;
        if (found < 0)
            found = i;
    }
    return found;
}

/* By Message-ID, size and date among the placements without uid. Several may look alike: each is
 * taken once. */
static bool match_unplaced(struct adding *adding, struct error *err)
{
    struct arena *arena = adding->batch->arena;
    struct db_rows rows;
    struct id_map by_key;
    struct id_map taken;
    struct id_list keys = {0};
    int32_t *next = ARENA_ARRAY(arena, adding->count, int32_t); /* of the same key; -1: last */
    id_map_init(arena, &by_key, adding->count);
    for (size_t i = adding->count; i-- > 0;) {
        const struct replica_email *email = &adding->emails[i];
        if (adding->fates[i] != FATE_NEW || !email->message_key || !email->placed.uid)
            continue;
        int32_t *head = id_map_at(&by_key, email->message_key, (int32_t)i);
        next[i] = *head == (int32_t)i ? -1 : *head;
        if (next[i] < 0)
            id_list_add(arena, &keys, email->message_key);
        *head = (int32_t)i;
    }
    if (!keys.count)
        return true;
    if (!db_select(adding->batch->db, "replica_known_unplaced", &rows, err,
                   db_i64(adding->batch->account_id), db_i64(adding->mailbox_id),
                   db_i64_array(keys.at, keys.count)))
        return false;
    id_map_init(arena, &taken, adding->count);
    for (size_t i = 0; i < adding->count; i++)
        if (adding->fates[i] == FATE_UID)
            id_map_at(&taken, adding->emails[i].id, 0);
    while (db_next(&rows)) {
        int64_t key = db_get_i64(&rows), size_bytes = db_get_i64(&rows);
        int64_t received_at = db_get_time(&rows), email_id = db_get_i64(&rows);
        bool is_deleted = db_get_bool(&rows);
        int32_t i =
            find_alike(adding, next, id_map_get(&by_key, key), size_bytes, received_at, is_deleted);
        if (i >= 0 && id_map_get(&taken, email_id) < 0)
            decide(adding, (size_t)i, FATE_UID, email_id);
    }
    db_rows_free(&rows);
    return true;
}

/* --- writing it ------------------------------------------------------------------------------ */

static void note_change(struct adding *adding, int64_t email_id)
{
    id_list_add(adding->batch->arena, &adding->batch->changes[REPLICA_EMAIL].updated, email_id);
}

/* What messages of one fate say of their placements, as arrays. */
struct told {
    size_t count;
    int64_t *email_ids, *uids, *modseqs;
    int32_t *flags;
    struct str *keywords;
};

static struct told told_of(const struct adding *adding, enum fate fate)
{
    struct arena *arena = adding->batch->arena;
    size_t capacity = adding->fate_counts[fate];
    struct told told = {.email_ids = ARENA_ARRAY(arena, capacity, int64_t),
                        .uids = ARENA_ARRAY(arena, capacity, int64_t),
                        .modseqs = ARENA_ARRAY(arena, capacity, int64_t),
                        .flags = ARENA_ARRAY(arena, capacity, int32_t),
                        .keywords = ARENA_ARRAY(arena, capacity, struct str)};
    for (size_t i = 0; i < adding->count; i++) {
        const struct replica_email *email = &adding->emails[i];
        if (adding->fates[i] != fate)
            continue;
        told.email_ids[told.count] = email->id;
        told.uids[told.count] = email->placed.uid;
        told.modseqs[told.count] = (int64_t)email->placed.modseq;
        told.flags[told.count] = email->placed.flags;
        told.keywords[told.count++] = email->placed.keywords;
    }
    return told;
}

/* Writes what the server told of those with a fate; `rows` is what changed by it. */
static bool write_told(struct adding *adding, enum fate fate, const char *query,
                       struct db_rows *rows, struct error *err)
{
    struct told told = told_of(adding, fate);
    return db_select(adding->batch->db, query, rows, err, db_i64(adding->batch->account_id),
                     db_i64(adding->mailbox_id), db_i64_array(told.email_ids, told.count),
                     db_i64_array(told.uids, told.count), db_i32_array(told.flags, told.count),
                     db_text_array(told.keywords, told.count),
                     db_i64_array(told.modseqs, told.count));
}

static bool place_known(struct adding *adding, struct error *err)
{
    struct replica_touch *touch = replica_touch(adding->batch, adding->mailbox_id);
    struct db_rows rows;
    if (!write_told(adding, FATE_PLACE, "replica_place", &rows, err))
        return false;
    int64_t *met = ARENA_ARRAY(adding->batch->arena, (size_t)rows.row_count + 1, int64_t);
    size_t met_count = 0;
    while (db_next(&rows)) {
        int64_t email_id = db_get_i64(&rows);
        note_change(adding, email_id);
        int flags = db_get_i32(&rows);
        if (db_get_bool(&rows)) {
            touch->total++;
            touch->unread += flags_are_unread(flags);
        }
        if (db_get_bool(&rows))
            met[met_count++] = email_id;
    }
    db_rows_free(&rows);
    return overlay_fold(adding->batch, adding->mailbox_id, met, met_count, err);
}

static bool set_uids(struct adding *adding, struct error *err)
{
    struct replica_touch *touch = replica_touch(adding->batch, adding->mailbox_id);
    struct db_rows rows;
    if (!write_told(adding, FATE_UID, "replica_uids_set", &rows, err))
        return false;
    while (db_next(&rows)) {
        note_change(adding, db_get_i64(&rows));
        int old_flags = db_get_i32(&rows), flags = db_get_i32(&rows);
        bool was_hidden = db_get_bool(&rows), is_hidden = db_get_bool(&rows);
        replica_count_seen(touch, old_flags, flags, was_hidden, is_hidden);
    }
    db_rows_free(&rows);
    return true;
}

static bool set_flags(struct adding *adding, struct error *err)
{
    struct replica_flags *flags =
        ARENA_ARRAY(adding->batch->arena, adding->fate_counts[FATE_FLAGS], struct replica_flags);
    size_t count = 0;
    for (size_t i = 0; i < adding->count; i++)
        if (adding->fates[i] == FATE_FLAGS)
            flags[count++] = adding->emails[i].placed;
    return replica_flags_set(adding->batch, adding->mailbox_id, flags, count, err);
}

static struct db_value json_or(struct str text, const char *otherwise)
{
    return db_json(text.length ? text : str_of(otherwise));
}

static bool copy_emails(struct adding *adding, const int64_t *threads, struct error *err)
{
    struct db *db = adding->batch->db;
    bool is_good = true;
    size_t n = 0;
    if (!db_copy_begin(db, "replica_copy_email", err))
        return false;
    for (size_t i = 0; i < adding->count && is_good; i++) {
        const struct replica_email *e = &adding->emails[i];
        if (adding->fates[i] != FATE_NEW)
            continue;
        struct str upstream_id = adding->is_anonymous[i] ? STR_EMPTY : e->upstream_id;
        is_good = db_copy_row(
            db, err, db_i64(adding->batch->account_id), db_i64(e->id), db_i64(threads[n++]),
            db_or_null(db_text(upstream_id)), db_text(e->message_id), db_i64(e->message_key),
            db_text(e->in_reply_to), db_text(e->references), db_text(e->subject),
            json_or(e->from_json, "[]"), db_or_null(db_json(e->sender_json)),
            db_or_null(db_json(e->reply_to_json)), json_or(e->to_json, "[]"),
            db_or_null(db_json(e->cc_json)), db_or_null(db_json(e->bcc_json)),
            db_or_null(db_time(e->sent_at)), db_time(e->received_at), db_i64(e->size_bytes),
            db_bool(e->has_attachment), db_text(e->preview), db_or_null(db_json(e->structure)),
            db_or_null(db_json(e->header_json)), db_or_null(db_i64(e->blob_id)),
            db_bool(e->is_settled));
    }
    return db_copy_end(db, is_good, err);
}

static size_t split_words(struct str text, struct str *words, size_t capacity)
{
    size_t count = 0;
    while (text.at && count < capacity) {
        struct str word = str_cut(&text, ' ');
        if (word.length)
            words[count++] = word;
    }
    return count;
}

static bool copy_placements(struct adding *adding, struct error *err)
{
    struct db *db = adding->batch->db;
    struct replica_touch *touch = replica_touch(adding->batch, adding->mailbox_id);
    struct str words[KEYWORDS_BYTES_MAX / 2];
    bool is_good = true;
    if (!db_copy_begin(db, "replica_copy_placement", err))
        return false;
    for (size_t i = 0; i < adding->count && is_good; i++) {
        const struct replica_email *e = &adding->emails[i];
        if (adding->fates[i] != FATE_NEW)
            continue;
        size_t count = split_words(e->placed.keywords, words, sizeof words / sizeof *words);
        bool is_hidden = e->placed.flags & FLAG_DELETED;
        struct db_value keywords = db_text_array(words, count);
        keywords.is_null = count == 0;
        is_good =
            db_copy_row(db, err, db_i64(adding->batch->account_id), db_i64(e->id),
                        db_i64(adding->mailbox_id), db_or_null(db_i64(e->placed.uid)),
                        db_time(e->received_at), db_i32(e->placed.flags), db_i32(e->placed.flags),
                        keywords, db_i64((int64_t)e->placed.modseq), db_bool(is_hidden));
        replica_count_seen(touch, e->placed.flags, e->placed.flags, true, is_hidden);
    }
    return db_copy_end(db, is_good, err);
}

/* Every message has a row, also one without words: searches by other things go through them. */
static bool copy_words(struct adding *adding, struct error *err)
{
    static const char no_words[4];
    struct db *db = adding->batch->db;
    bool is_good = true;
    if (!db_copy_begin(db, "search_copy", err))
        return false;
    for (size_t i = 0; i < adding->count && is_good; i++) {
        const struct replica_email *e = &adding->emails[i];
        struct str words = e->words.length ? e->words : str_make(no_words, sizeof no_words);
        if (adding->fates[i] == FATE_NEW)
            is_good = db_copy_row(db, err, db_i64(adding->batch->account_id), db_i64(e->id),
                                  db_tsvector(words), db_time(e->received_at));
    }
    return db_copy_end(db, is_good, err);
}

/* In place of the foreign keys of what is added (store.h, is_bulk): what they name stays. */
static bool hold(struct adding *adding, struct error *err)
{
    struct replica_batch *batch = adding->batch;
    struct db_rows rows;
    if (!db_select_one(batch->db, "replica_hold_mailbox", &rows, "there is no such folder", err,
                       db_i64(batch->account_id), db_i64(adding->mailbox_id)))
        return false;
    db_rows_free(&rows);
    if (adding->fate_counts[FATE_PLACE] == 0)
        return true;
    struct told told = told_of(adding, FATE_PLACE);
    return replica_hold_emails(batch->db, batch->account_id, told.email_ids, told.count, err);
}

/* `next_id`: as many ids as twice the new ones, for them and for their threads. */
static bool add_new(struct adding *adding, int64_t next_id, struct error *err)
{
    struct replica_batch *batch = adding->batch;
    size_t capacity = adding->fate_counts[FATE_NEW], count = 0;
    struct thread_seed *seeds = ARENA_ARRAY(batch->arena, capacity, struct thread_seed);
    int64_t *threads = ARENA_ARRAY(batch->arena, capacity, int64_t);
    for (size_t i = 0; i < adding->count; i++) {
        struct replica_email *email = &adding->emails[i];
        if (adding->fates[i] != FATE_NEW)
            continue;
        email->id = next_id++;
        email->is_known = false;
        seeds[count++] =
            (struct thread_seed){.keys = email->thread_keys, .key_count = email->thread_key_count};
        id_list_add(batch->arena, &batch->changes[REPLICA_EMAIL].created, email->id);
    }
    batch->emails_added += count;
    return replica_find_threads(batch, seeds, count, &next_id, threads, err) &&
           copy_emails(adding, threads, err) && copy_placements(adding, err) &&
           copy_words(adding, err);
}

bool replica_emails_add(struct replica_batch *batch, int64_t mailbox_id,
                        struct replica_email *emails, size_t count, struct error *err)
{
    assert(batch->magic == REPLICA_MAGIC && count <= INT32_MAX / 4);
    struct adding adding = {.batch = batch,
                            .mailbox_id = mailbox_id,
                            .emails = emails,
                            .count = count,
                            .fates = ARENA_ARRAY(batch->arena, count, enum fate),
                            .same_as = ARENA_ARRAY(batch->arena, count, int32_t),
                            .is_anonymous = ARENA_ARRAY(batch->arena, count, bool)};
    int64_t next_id;
    if (!count)
        return true;
    for (size_t i = 0; i < count; i++) {
        adding.same_as[i] = -1;
        if (!check(&emails[i], err))
            return false;
    }
    /* before it is known how many are needed: gaps are harmless, a locked account is not */
    if (!replica_take_ids(batch, 2 * (int)count, &next_id, err) || !match_uids(&adding, err) ||
        !match_upstream(&adding, err) || !match_unplaced(&adding, err))
        return false;
    for (size_t i = 0; i < count; i++)
        adding.fate_counts[adding.fates[i]]++;
    if (batch->db->store->is_bulk && !hold(&adding, err))
        return false;
    if ((adding.fate_counts[FATE_NEW] && !add_new(&adding, next_id, err)) ||
        (adding.fate_counts[FATE_PLACE] && !place_known(&adding, err)) ||
        (adding.fate_counts[FATE_UID] && !set_uids(&adding, err)) ||
        (adding.fate_counts[FATE_FLAGS] && !set_flags(&adding, err)))
        return false;
    for (size_t i = 0; i < count; i++)
        if (adding.same_as[i] >= 0)
            emails[i].id = emails[adding.same_as[i]].id;
    return true;
}
