/* Batches as the sync role writes them, in ALICE's account (store_mail_fixture.h). */
#ifndef RESTANTE_TESTS_REPLICA_FIXTURE_H
#define RESTANTE_TESTS_REPLICA_FIXTURE_H

#include <pthread.h>

#include "server/store/replica_private.h"
#include "tests/unit/store_mail_fixture.h"

static const int64_t noon = INT64_C(1700000000000000);

static inline struct replica_batch *begin(void)
{
    struct replica_batch *batch = replica_begin(mail_db, ALICE, &err);
    assert_good(batch != NULL);
    return batch;
}

static inline void commit(struct replica_batch *batch)
{
    assert_good(replica_commit(&batch, &err));
}

static inline int64_t thread_of(int64_t id)
{
    struct email email;
    assert_good(email_by_id(mail_db, mail_arena, ALICE, id, &email, &err));
    return email.thread_id;
}

static inline int flags_of(int64_t id)
{
    struct email email;
    assert_good(email_by_id(mail_db, mail_arena, ALICE, id, &email, &err));
    return email.flags;
}

static inline int64_t modseq_now(void)
{
    struct change *changes;
    size_t count;
    int64_t modseq;
    assert_good(changes_since(mail_db, mail_arena, ALICE, 0, 1, &changes, &count, &modseq, &err));
    return modseq;
}

/* The change of a type since `modseq`; at most one is expected. */
static inline struct change change_of(enum change_type type, int64_t modseq)
{
    struct change *changes, found = {0};
    size_t count;
    int64_t now;
    assert_good(
        changes_since(mail_db, mail_arena, ALICE, modseq, 100, &changes, &count, &now, &err));
    for (size_t i = 0; i < count; i++)
        if (changes[i].type == type) {
            assert_int_equal(found.modseq, 0);
            found = changes[i];
        }
    return found;
}

static inline struct replica_email in_thread(uint32_t uid, const char *name, const int64_t *keys,
                                             size_t count)
{
    struct replica_email email = make_email(uid, name, noon + uid, 0);
    email.thread_keys = keys;
    email.thread_key_count = count;
    return email;
}

struct racer {
    struct db *db; /* the person's */
    bool is_committed;
};

/* Commits what the person does once the sync role waits for it. */
static inline void *commit_when_waited_for(void *context)
{
    struct racer *racer = context;
    struct error why = ERROR_INIT;
    struct store *watch = fixture_store(STORE_OWNER, 1);
    struct db *db = store_acquire(watch, 0, &why);
    /* returns when somebody waits for a lock; raises after ten seconds */
    if (db &&
        db_run_script(db,
                      "DO $$ BEGIN FOR i IN 1..1000 LOOP"
                      " IF EXISTS (SELECT FROM pg_locks WHERE NOT granted) THEN RETURN; END IF;"
                      " PERFORM pg_sleep(0.01); END LOOP; RAISE 'nobody waits'; END $$",
                      &why))
        racer->is_committed = db_commit(racer->db, &why);
    if (!racer->is_committed)
        db_rollback(racer->db);
    store_release(watch, &db);
    store_close(&watch);
    return NULL;
}

#endif
