/* Binary COPY: the file form of PostgreSQL's documentation ("Binary Format" of COPY), row by row.
 */
#include <assert.h>
#include <endian.h>

#include "server/store/db_private.h"

enum { COPY_SEND_BYTES = 256 * 1024 };

static const char copy_head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
static const char copy_trailer[] = "\377\377";

/* The plain result of a command outside of the pipeline. */
static bool take_result(struct db *db, ExecStatusType expected, struct error *err)
{
    PGresult *result = PQgetResult(db->pg);
    bool is_good = PQresultStatus(result) == expected || db_fail(db, result, err);
    PQclear(result);
    return is_good;
}

static void drain(struct db *db)
{
    PGresult *result;
    while (!db->is_broken && (result = PQgetResult(db->pg))) {
        if (PQstatus(db->pg) == CONNECTION_BAD)
            db->is_broken = true;
        PQclear(result);
    }
}

bool db_copy_begin(struct db *db, const char *name, struct error *err)
{
    assert(db->magic == DB_MAGIC && db->store->role != STORE_WEB);
    assert(db->transaction == DB_TX_ASKED || db->transaction == DB_TX_OPEN);
    const char *sql = db->store->queries.at[queries_find(&db->store->queries, name)].sql;
    /* BEGIN and posted statements first: COPY cannot travel in the pipeline */
    if (db->transaction == DB_TX_ASKED && !db_queue(db, "db_begin", DB_VALUES(), err)) {
        db->transaction = DB_TX_FAILED;
        return false;
    }
    db->transaction = DB_TX_OPEN;
    if (db->queued && !db_flush(db, NULL, err))
        return false;
    if (!PQexitPipelineMode(db->pg) || !PQsendQuery(db->pg, sql)) {
        db->transaction = DB_TX_FAILED;
        return db_fail(db, NULL, err);
    }
    if (!take_result(db, PGRES_COPY_IN, err)) {
        error_wrap(err, "%s", name);
        drain(db);
        db->transaction = DB_TX_FAILED;
        if (!db->is_broken && !PQenterPipelineMode(db->pg))
            db->is_broken = true;
        return false;
    }
    db->is_copying = true;
    buf_reset(&db->values);
    return buf_append(&db->values, copy_head, sizeof copy_head - 1);
}

static bool send_rows(struct db *db, struct error *err)
{
    if (db->values.length && PQputCopyData(db->pg, db->values.at, (int)db->values.length) != 1)
        return db_fail(db, NULL, err);
    buf_reset(&db->values);
    return true;
}

bool db_copy_row_values(struct db *db, struct error *err, const struct db_value *values)
{
    assert(db->is_copying);
    uint16_t count = 0;
    while (values[count].type != DB_END)
        count++;
    uint16_t wire_count = htobe16(count);
    buf_append(&db->values, &wire_count, sizeof wire_count);
    for (int i = 0; i < count; i++) {
        size_t at = db->values.length;
        uint32_t length = UINT32_MAX; /* NULL */
        buf_append(&db->values, &length, sizeof length);
        if (values[i].is_null)
            continue;
        if (db->values.is_full || !db_encode(&db->values, &values[i]))
            return error_set(err, ERROR_LIMIT, "more than the database takes at once");
        length = htobe32((uint32_t)(db->values.length - at - sizeof length));
        memcpy(db->values.at + at, &length, sizeof length);
    }
    return db->values.length < COPY_SEND_BYTES || send_rows(db, err);
}

bool db_copy_end(struct db *db, bool is_good, struct error *err)
{
    assert(db->is_copying);
    db->is_copying = false;
    if (is_good) {
        buf_append(&db->values, copy_trailer, sizeof copy_trailer - 1);
        is_good = send_rows(db, err);
    }
    if (!db->is_broken && PQputCopyEnd(db->pg, is_good ? NULL : "abandoned") != 1)
        is_good = db_fail(db, NULL, is_good ? err : NULL);
    else if (is_good)
        is_good = take_result(db, PGRES_COMMAND_OK, err);
    drain(db);
    if (!is_good)
        db->transaction = DB_TX_FAILED;
    if (!db->is_broken && !PQenterPipelineMode(db->pg))
        db->is_broken = true;
    buf_reset(&db->values);
    return is_good;
}

bool db_run_script(struct db *db, const char *sql, struct error *err)
{
    assert(db->magic == DB_MAGIC && !db->is_copying);
    if (db->transaction == DB_TX_ASKED) {
        if (!db_queue(db, "db_begin", DB_VALUES(), err))
            return false;
        db->transaction = DB_TX_OPEN;
    }
    if (db->queued && !db_flush(db, NULL, err))
        return false;
    if (!PQexitPipelineMode(db->pg))
        return db_fail(db, NULL, err);
    PGresult *result = PQexec(db->pg, sql);
    ExecStatusType status = PQresultStatus(result);
    bool is_good =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || db_fail(db, result, err);
    PQclear(result);
    if (!is_good && db->transaction != DB_TX_NONE)
        db->transaction = DB_TX_FAILED;
    if (!db->is_broken && !PQenterPipelineMode(db->pg))
        db->is_broken = true;
    return is_good;
}
