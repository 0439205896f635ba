/* Bringing the database to the shape this binary needs. */
#ifndef RESTANTE_STORE_MIGRATE_H
#define RESTANTE_STORE_MIGRATE_H

#include "server/store/store.h"

struct migrate_state {
    int database;      /* the newest migration applied; 0: none */
    int binary;        /* the newest this binary carries */
    bool has_web_role; /* restante_web exists and may read and write what it must */
};

/* Looks, changes nothing. */
bool migrate_look(struct store *store, struct migrate_state *state, struct error *err);
/* Whether it is as this binary wants it; else ERROR_CONFLICT with what to do. */
bool migrate_check(const struct migrate_state *state, struct error *err);
/* Applies what is missing of sql/migrations/NNNN_name.sql, each in a transaction of its own, one
 * process at a time (advisory lock), and then the web role's grants. `store` is an OWNER store
 * without a statement time-out. A database that is newer than this binary is ERROR_CONFLICT. */
bool migrate_run(struct store *store, int *applied, struct error *err);

#endif
