/* What lies below the cursor, newest first. While one round is written to the database, the next is
 * fetched and parsed: the mail server, the parsers and PostgreSQL work at the same time. */
#include <pthread.h>

#include "server/sync/imap_fetch.h"
#include "server/sync/imap_pull.h"

/* One batch on its way. */
struct round {
    struct slice *slice;
    struct db *bulk; /* NULL: none */
    struct arena *arena;
    struct replica_mailbox cursor; /* what holds once it is stored */
    struct fetched_emails fetched;
    bool is_last;
    bool is_stored;
    struct error err; /* of storing */
};

static bool ask_what_is_below(struct slice *slice, struct session_mailbox *mailbox,
                              struct error *err)
{
    struct imap_set range = {0};
    struct imap_found found;
    if (mailbox->has_backfill)
        return true;
    imap_set_add_range(&range, 1, mailbox->known.backfill_uid - 1);
    struct imap_term term = {.key = "UID", .set = &range};
    struct imap_search_params search = {.terms = &term, .term_count = 1};
    bool is_found = imap_search(slice->account->imap->client, slice->arena, &search, &found, err);
    imap_set_free(&range);
    if (!is_found)
        return false;
    imap_set_clip(&found.all, 1, mailbox->known.backfill_uid - 1);
    imap_set_free(&mailbox->below);
    imap_set_add_set(&mailbox->below, &found.all);
    imap_set_free(&found.all);
    mailbox->has_backfill = true;
    return true;
}

/* Takes the next UIDs down and fetches them. */
static bool fetch(struct round *round, struct session_mailbox *mailbox, struct error *err)
{
    struct imap_set taken = {0};
    arena_reset(round->arena);
    round->cursor = mailbox->known;
    round->fetched = (struct fetched_emails){0};
    imap_set_take_highest(&mailbox->below, PULL_BATCH, &taken);
    round->is_last = imap_set_is_empty(&mailbox->below);
    round->cursor.backfill_uid = round->is_last ? 1 : imap_set_lowest(&taken);
    struct fetch_wanted wanted = {.uids = &taken};
    bool is_good = imap_set_is_empty(&taken) ||
                   imap_fetch_headers(round->slice, round->arena, &wanted, &round->fetched, err);
    imap_set_free(&taken);
    return is_good;
}

/* One transaction with its cursor. Uses the database connections, nothing else of the slice. The
 * last one may remove rows, which cascades. */
static void *store(void *context)
{
    struct round *round = context;
    struct slice *slice = round->slice;
    struct db *db = round->bulk && !round->is_last ? round->bulk : slice->db;
    struct replica_batch *batch = replica_begin(db, slice->account->id, &round->err);
    bool is_good = batch &&
                   imap_fetch_store(batch, round->cursor.id, &round->fetched, &round->err) &&
                   (!round->is_last || replica_uids_settle(batch, round->cursor.id, &round->err)) &&
                   replica_mailbox_cursor(batch, &round->cursor, &round->err);
    if (!is_good)
        replica_abandon(&batch);
    round->is_stored = is_good && replica_commit(&batch, &round->err);
    return NULL;
}

/* Only what is in the database is known. */
static bool note_stored(const struct round *round, struct session_mailbox *mailbox,
                        struct error *err)
{
    if (round->is_stored)
        mailbox->known = round->cursor;
    else
        *err = round->err;
    return round->is_stored;
}

/* Stores one round while it fetches the next. */
static bool store_and_fetch(struct round *stored, struct round *next,
                            struct session_mailbox *mailbox, struct error *err)
{
    pthread_t thread;
    bool is_aside = pthread_create(&thread, NULL, store, stored) == 0;
    if (!is_aside)
        store(stored);
    bool is_fetched = fetch(next, mailbox, err);
    if (is_aside)
        pthread_join(thread, NULL);
    return note_stored(stored, mailbox, err) && is_fetched;
}

static bool run(struct round rounds[2], struct session_mailbox *mailbox, bool *is_complete,
                struct error *err)
{
    struct slice *slice = rounds[0].slice;
    size_t turn = 0;
    bool is_good = fetch(&rounds[turn], mailbox, err);
    while (is_good && !rounds[turn].is_last && !slice_is_over(slice) &&
           !atomic_load(&slice->account->has_operations)) {
        is_good = store_and_fetch(&rounds[turn], &rounds[!turn], mailbox, err);
        turn = !turn;
    }
    if (!is_good)
        return false;
    store(&rounds[turn]);
    if (!note_stored(&rounds[turn], mailbox, err))
        return false;
    *is_complete = rounds[turn].is_last;
    return true;
}

bool imap_pull_backfill(struct slice *slice, struct session_mailbox *mailbox, bool *is_complete,
                        struct error *err)
{
    bool is_reset = false;
    *is_complete = mailbox->known.backfill_uid == 1;
    if (*is_complete)
        return true;
    if (!imap_session_select(slice, mailbox, &is_reset, err))
        return false;
    if (is_reset) {
        mailbox->is_stale = true;
        return imap_pull_reset(slice, mailbox, err);
    }
    if (!ask_what_is_below(slice, mailbox, err))
        return false;
    struct db *bulk = slice->sync->bulk ? store_acquire(slice->sync->bulk, 0, NULL) : NULL;
    struct round rounds[2] = {{.slice = slice, .bulk = bulk, .arena = arena_new()},
                              {.slice = slice, .bulk = bulk, .arena = arena_new()}};
    bool is_good = run(rounds, mailbox, is_complete, err);
    store_release(slice->sync->bulk, &bulk);
    if (!is_good)
        mailbox->has_backfill = false; /* what was taken out is asked for again */
    arena_free(&rounds[0].arena);
    arena_free(&rounds[1].arena);
    imap_session_want_text(mailbox);
    return is_good;
}
