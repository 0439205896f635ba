/* Statements on one connection, always in libpq's pipeline mode: commands are queued and sent, then
 * one sync brings all their results. What goes without an open transaction between two syncs is one
 * implicit transaction, so that the viewer set in front of a statement holds for it and no longer.
 */
#include "server/store/db.h"

#include <assert.h>
#include <stdlib.h>

#include "server/store/db_private.h"

/* --- errors ---------------------------------------------------------------------------------- */

/* What a SQLSTATE means here; the first prefix that fits. `drop`: the connection is of no more use.
 */
static const struct {
    const char *prefix;
    enum error_kind kind;
    enum error_retry retry;
    bool drop;
    const char *sentence; /* NULL: the server's own */
} sqlstates[] = {
    {"23505", ERROR_CONFLICT, ERROR_RETRY_NEVER, false, "it exists already"},
    {"23503", ERROR_NOT_FOUND, ERROR_RETRY_NEVER, false, "what it belongs to does not exist"},
    {"23", ERROR_INVALID, ERROR_RETRY_NEVER, false, NULL},
    {"22", ERROR_INVALID, ERROR_RETRY_NEVER, false, NULL},
    {"40", ERROR_UNAVAILABLE, ERROR_RETRY_NOW, false, NULL},    /* serialization, deadlock */
    {"55P03", ERROR_UNAVAILABLE, ERROR_RETRY_NOW, false, NULL}, /* lock not available */
    {"57014", ERROR_TIMEOUT, ERROR_RETRY_LATER, false, "the database took too long"},
    {"42501", ERROR_FORBIDDEN, ERROR_RETRY_NEVER, false, NULL},
    {"54", ERROR_LIMIT, ERROR_RETRY_NEVER, false, NULL},
    {"25006", ERROR_DATABASE, ERROR_RETRY_LATER, true, NULL}, /* failed over: it is read-only */
    {"25P0", ERROR_DATABASE, ERROR_RETRY_LATER, true, NULL},  /* idle in transaction */
    {"26", ERROR_DATABASE, ERROR_RETRY_NOW, true, NULL},      /* prepared statement lost */
    {"0A000", ERROR_DATABASE, ERROR_RETRY_NOW, true, NULL},   /* cached plan must not change */
    {"08", ERROR_DATABASE, ERROR_RETRY_LATER, true, NULL},
    {"53", ERROR_DATABASE, ERROR_RETRY_LATER, false, NULL}, /* disk full, memory, connections */
    {"57", ERROR_DATABASE, ERROR_RETRY_LATER, true, NULL},  /* shutting down, crashed */
    {"58", ERROR_DATABASE, ERROR_RETRY_LATER, false, NULL}, /* input/output */
    {"XX", ERROR_DATABASE, ERROR_RETRY_LATER, false, NULL},
    {"", ERROR_INTERNAL, ERROR_RETRY_LATER, false, NULL},
};

bool db_fail(struct db *db, const PGresult *result, struct error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (!state || PQstatus(db->pg) == CONNECTION_BAD)
        db->is_broken = true;
    if (!state) {
        struct str why = str_trim(str_of(PQerrorMessage(db->pg)));
        struct str line = str_cut(&why, '\n');
        return error_set(err, ERROR_DATABASE, "the connection to the database was lost: %" STR_FMT,
                         STR_ARG(line));
    }
    size_t i = 0;
    while (!str_starts(str_of(state), str_of(sqlstates[i].prefix)))
        i++;
    if (sqlstates[i].drop)
        db->is_broken = true;
    /* The primary message alone: DETAIL may quote a row. */
    const char *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    error_set(err, sqlstates[i].kind, "%s",
              sqlstates[i].sentence ? sqlstates[i].sentence
                                    : (said ? said : "the database failed"));
    if (err)
        err->retry = sqlstates[i].retry;
    return false;
}

bool db_comes_again(const struct error *why, int tries)
{
    enum { TRIES_MAX = 5 };
    return why->kind == ERROR_UNAVAILABLE && why->retry == ERROR_RETRY_NOW && tries < TRIES_MAX;
}

/* --- the pipeline ---------------------------------------------------------------------------- */

static bool note(struct db *db, size_t query, bool is_prepare)
{
    db->queue[db->queued++] = (struct db_command){.query = query, .is_prepare = is_prepare};
    return true;
}

bool db_queue(struct db *db, const char *name, const struct db_value *values, struct error *err)
{
    assert(db->magic == DB_MAGIC && !db->is_copying && db->queued + 2 <= DB_QUEUE_MAX);
    Oid oids[DB_VALUES_MAX];
    size_t starts[DB_VALUES_MAX];
    int lengths[DB_VALUES_MAX], formats[DB_VALUES_MAX];
    const char *texts[DB_VALUES_MAX];
    int count = 0;
    if (db->is_broken)
        return error_set(err, ERROR_DATABASE, "the connection to the database was lost");
    buf_reset(&db->values);
    for (const struct db_value *v = values; v->type != DB_END; v++, count++) {
        assert(count < DB_VALUES_MAX);
        oids[count] = db_type_oid(v->type);
        formats[count] = 1;
        starts[count] = db->values.length;
        if (!v->is_null && !db_encode(&db->values, v))
            return error_set(err, ERROR_LIMIT, "more than the database takes at once");
        lengths[count] = (int)(db->values.length - starts[count]);
    }
    /* only now: the buffer may have moved. An empty value must not be a NULL pointer. */
    for (int i = 0; i < count; i++)
        texts[i] = values[i].is_null ? NULL : (db->values.at ? db->values.at + starts[i] : "");

    size_t query = queries_find(&db->store->queries, name);
    if (!db->prepared[query]) {
        if (!PQsendPrepare(db->pg, name, db->store->queries.at[query].sql, count, oids))
            return db_fail(db, NULL, err);
        db->prepared[query] = note(db, query, true);
    }
    if (!PQsendQueryPrepared(db->pg, name, count, texts, lengths, formats, 1))
        return db_fail(db, NULL, err);
    return note(db, query, false);
}

/* Reads the result of one command, and the NULL behind it. NULL when the connection is gone. */
static PGresult *read_result(struct db *db)
{
    PGresult *result = PQgetResult(db->pg);
    if (PQstatus(db->pg) == CONNECTION_BAD) {
        db->is_broken = true;
        /* a FATAL error says more than "connection lost" */
        return result;
    }
    PGresult *more;
    while (result && PQresultStatus(result) != PGRES_PIPELINE_SYNC && (more = PQgetResult(db->pg)))
        PQclear(more);
    return result;
}

static struct db_rows rows_of(PGresult *result)
{
    return (struct db_rows){.result = result,
                            .row = -1,
                            .row_count = PQntuples(result),
                            .column_count = PQnfields(result)};
}

/* Rows that came when something sent with them has failed. */
static void take_back_rows(struct db *db, int count)
{
    for (int i = 0; i < count; i++)
        if (db->queue[i].rows)
            db_rows_free(db->queue[i].rows);
}

bool db_flush(struct db *db, PGresult **last, struct error *err)
{
    assert(!db->is_copying);
    bool is_good = !db->is_broken;
    int queued = db->queued;
    db->queued = 0;
    if (last)
        *last = NULL;
    if (db->is_broken)
        return error_set(err, ERROR_DATABASE, "the connection to the database was lost");
    if (!PQpipelineSync(db->pg))
        return db_fail(db, NULL, err);
    atomic_fetch_add_explicit(&db->store->round_trips, 1, memory_order_relaxed);
    for (int i = 0; i < queued; i++) {
        PGresult *result = read_result(db);
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            if (db->queue[i].is_prepare)
                db->prepared[db->queue[i].query] = false;
            if (is_good) {
                db_fail(db, result, err);
                error_wrap(err, "%s", db->store->queries.at[db->queue[i].query].name);
            }
            is_good = false;
        } else if (is_good && db->queue[i].foreseen) {
            db->foreseen[db->queue[i].foreseen - 1].result = result;
            result = NULL;
        } else if (is_good && last && i == queued - 1) {
            *last = result;
            result = NULL;
        } else if (is_good && db->queue[i].rows) {
            *db->queue[i].rows = rows_of(result);
            result = NULL;
        }
        PQclear(result);
        if (db->is_broken)
            break;
    }
    if (!db->is_broken) {
        PGresult *sync = read_result(db);
        if (PQresultStatus(sync) != PGRES_PIPELINE_SYNC)
            is_good = db_fail(db, NULL, is_good ? err : NULL);
        PQclear(sync);
    }
    if (!is_good)
        take_back_rows(db, queued);
    if (!is_good && last) {
        PQclear(*last);
        *last = NULL;
    }
    if (!is_good && db->transaction != DB_TX_NONE)
        db->transaction = DB_TX_FAILED;
    return is_good;
}

/* --- transactions ---------------------------------------------------------------------------- */

/* What goes in front of a statement: BEGIN if one was asked for, and whose rows may be seen. */
static bool queue_prologue(struct db *db, struct error *err)
{
    if (db->transaction == DB_TX_FAILED)
        return error_set(err, ERROR_DATABASE, "the transaction has failed already");
    if (db->transaction == DB_TX_OPEN)
        return true;
    if (db->transaction == DB_TX_ASKED && !db_queue(db, "db_begin", DB_VALUES(), err))
        return false;
    if (db->user_id && !db_queue(db, "db_set_viewer", DB_VALUES(db_i64(db->user_id)), err))
        return false;
    if (db->is_lazy && !db_queue(db, "db_lazily", DB_VALUES(), err))
        return false;
    db->is_lazy = false;
    if (db->transaction == DB_TX_ASKED)
        db->transaction = DB_TX_OPEN;
    return true;
}

void db_be_lazy(struct db *db)
{
    assert(db->magic == DB_MAGIC && db->transaction != DB_TX_OPEN);
    db->is_lazy = true;
}

bool db_in_transaction(const struct db *db)
{
    return db->transaction != DB_TX_NONE;
}

int64_t db_viewer(const struct db *db)
{
    if (db->store->role != STORE_WEB)
        return 0;
    return db->user_id ? db->user_id : -1;
}

bool db_begin(struct db *db, struct error *err)
{
    assert(db->magic == DB_MAGIC && db->transaction == DB_TX_NONE);
    db_forget(db);
    if (db->is_broken)
        return error_set(err, ERROR_DATABASE, "the connection to the database was lost");
    db->transaction = DB_TX_ASKED;
    return true;
}

bool db_commit(struct db *db, struct error *err)
{
    assert(db->magic == DB_MAGIC && db->transaction != DB_TX_NONE);
    PGresult *result = NULL;
    if (db->transaction == DB_TX_ASKED) { /* nothing was done in it */
        db->transaction = DB_TX_NONE;
        db->is_lazy = false;
        return true;
    }
    if (db->transaction == DB_TX_FAILED) {
        db_rollback(db);
        return error_set(err, ERROR_DATABASE, "the transaction has failed already");
    }
    if (!db_queue(db, "db_commit", DB_VALUES(), err) || !db_flush(db, &result, err)) {
        bool is_lost = db->is_broken;
        db_rollback(db);
        if (is_lost && err)
            error_hint(err, "whether the change was made is not known: look before trying again");
        return false;
    }
    bool is_committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    db->transaction = DB_TX_NONE;
    return is_committed || error_set(err, ERROR_DATABASE, "the transaction was rolled back");
}

void db_rollback(struct db *db)
{
    assert(db->magic == DB_MAGIC);
    if (db->transaction == DB_TX_NONE)
        return;
    for (int i = 0; i < db->queued; i++)
        db->queue[i].rows = NULL; /* whoever waited for them may be gone */
    if (db->queued)
        db_flush(db, NULL, NULL);
    if (!db->is_broken && PQtransactionStatus(db->pg) != PQTRANS_IDLE &&
        (!db_queue(db, "db_rollback", DB_VALUES(), NULL) || !db_flush(db, NULL, NULL)))
        db->is_broken = true;
    db->transaction = DB_TX_NONE;
    db->is_lazy = false;
}

bool db_enter(struct db *db, bool *started, struct error *err)
{
    *started = db->transaction == DB_TX_NONE;
    return !*started || db_begin(db, err);
}

bool db_leave(struct db *db, bool started, bool is_good, struct error *err)
{
    if (started && is_good)
        return db_commit(db, err);
    if (started)
        db_rollback(db);
    return is_good;
}

/* --- statements ------------------------------------------------------------------------------ */

/* Prologue, statement, and if `last` its result. After a failure nothing is left in the pipe. */
static bool run_once(struct db *db, const char *name, const struct db_value *values,
                     PGresult **last, struct error *err)
{
    if (queue_prologue(db, err) && db_queue(db, name, values, err))
        return !last || db_flush(db, last, err);
    if (db->transaction == DB_TX_NONE && db->queued)
        db_flush(db, NULL, NULL);
    else if (db->transaction != DB_TX_NONE)
        db->transaction = DB_TX_FAILED;
    return false;
}

/* A statement that stands alone goes again; who has opened a transaction knows best what must. */
static bool run(struct db *db, const char *name, const struct db_value *values, PGresult **last,
                struct error *err)
{
    assert(db->magic == DB_MAGIC);
    bool may_repeat = last && !db->queued && db->transaction == DB_TX_NONE;
    bool is_lazy = db->is_lazy;
    for (int tries = 1;; tries++) {
        struct error why = ERROR_INIT;
        if (run_once(db, name, values, last, &why))
            return true;
        if (!may_repeat || !db_comes_again(&why, tries)) {
            if (err)
                *err = why;
            return false;
        }
        db->is_lazy = is_lazy;
    }
}

/* --- what is asked ahead --------------------------------------------------------------------- */

void db_foresee_values(struct db *db, const char *name, const struct db_value *values)
{
    assert(db->magic == DB_MAGIC && db->transaction == DB_TX_NONE);
    assert(db->foreseen_count < DB_FORESEEN_MAX);
    struct db_foreseen *seen = &db->foreseen[db->foreseen_count];
    *seen = (struct db_foreseen){.name = name};
    size_t count = 0;
    for (; values[count].type != DB_END; count++) {
        assert(count < DB_FORESEEN_VALUES && values[count].type <= DB_TIME);
        seen->values[count] = values[count];
    }
    if ((db->queued == 0 && !queue_prologue(db, NULL)) || !db_queue(db, name, seen->values, NULL))
        return; /* who asks will be told why */
    db->queue[db->queued - 1].foreseen = ++db->foreseen_count;
}

static bool is_same_question(const struct db_foreseen *seen, const char *name,
                             const struct db_value *values)
{
    const struct db_value *mine = seen->values;
    if (!seen->name || strcmp(seen->name, name) != 0)
        return false;
    for (; mine->type != DB_END && mine->type == values->type; mine++, values++)
        if (mine->is_null != values->is_null || mine->number != values->number)
            return false;
    return mine->type == values->type;
}

/* The answer, which the first that is asked for brings along with all others. NULL: it was not
 * foreseen, or did not go well, and is to be asked. */
static PGresult *take_foreseen(struct db *db, const char *name, const struct db_value *values)
{
    for (int i = 0; i < db->foreseen_count; i++) {
        struct db_foreseen *seen = &db->foreseen[i];
        if (!is_same_question(seen, name, values))
            continue;
        if (!seen->result && db->queued)
            db_flush(db, NULL, NULL);
        PGresult *result = seen->result;
        *seen = (struct db_foreseen){0};
        return result;
    }
    return NULL;
}

void db_forget(struct db *db)
{
    if (db->foreseen_count && db->queued && db->transaction == DB_TX_NONE)
        db_flush(db, NULL, NULL);
    for (int i = 0; i < db->foreseen_count; i++)
        PQclear(db->foreseen[i].result);
    db->foreseen_count = 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

bool db_select_values(struct db *db, const char *name, struct db_rows *rows, struct error *err,
                      const struct db_value *values)
{
    PGresult *result = take_foreseen(db, name, values);
    if (!result && !run(db, name, values, &result, err))
        return false;
    *rows = rows_of(result);
    return true;
}

bool db_select_one_values(struct db *db, const char *name, struct db_rows *rows,
                          const char *missing, struct error *err, const struct db_value *values)
{
    if (!db_select_values(db, name, rows, err, values))
        return false;
    assert(rows->row_count <= 1);
    if (db_next(rows))
        return true;
    db_rows_free(rows);
    return error_set(err, ERROR_NOT_FOUND, "%s", missing);
}

bool db_execute_values(struct db *db, const char *name, int64_t *affected, struct error *err,
                       const struct db_value *values)
{
    PGresult *result;
    if (db->transaction == DB_TX_NONE)
        db_forget(db);
    if (!run(db, name, values, &result, err))
        return false;
    if (affected && !str_to_i64(str_of(PQcmdTuples(result)), affected))
        *affected = 0;
    PQclear(result);
    return true;
}

bool db_post_select_values(struct db *db, const char *name, struct db_rows *rows, struct error *err,
                           const struct db_value *values)
{
    assert(!rows || db->transaction != DB_TX_NONE);
    if (rows)
        *rows = (struct db_rows){0};
    if (!run(db, name, values, NULL, err))
        return false;
    db->queue[db->queued - 1].rows = rows;
    return db->queued < DB_QUEUE_MAX - DB_QUEUE_ROOM || db_flush(db, NULL, err);
}

bool db_post_values(struct db *db, const char *name, struct error *err,
                    const struct db_value *values)
{
    return db_post_select_values(db, name, NULL, err, values);
}

bool db_catch_up(struct db *db, struct error *err)
{
    return db->queued == 0 || db_flush(db, NULL, err);
}
