/* On top of store_people.h: the web role and the sync role, each with connections of its own, and
 * an arena; `roles_setup` and `roles_teardown` for a whole group of tests. */
#ifndef RESTANTE_TESTS_STORE_ROLES_H
#define RESTANTE_TESTS_STORE_ROLES_H

#include "tests/unit/store_people.h"

static struct store *web;
static struct store *sync_store;
static struct arena *arena;

static inline int roles_setup(void **state)
{
    struct error err = ERROR_INIT;
    assert_good(seal_init(&err));
    if (fixture_setup(state) != 0)
        return -1;
    web = fixture_store(STORE_WEB, 8);
    sync_store = fixture_store(STORE_SYNC, 8);
    arena = arena_new();
    return 0;
}

static inline int roles_teardown(void **state)
{
    store_close(&web);
    store_close(&sync_store);
    arena_free(&arena);
    return fixture_teardown(state);
}

static inline struct db *acquire(struct store *store, int64_t user_id)
{
    struct error err = ERROR_INIT;
    struct db *db = store_acquire(store, user_id, &err);
    assert_good(db != NULL);
    return db;
}

#endif
