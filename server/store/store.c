/* The pool. Connections are made when they are wanted, up to a maximum; a connection that died
 * while it lay idle is noticed at its next checkout. While the database is away one thread at a
 * time tries to reach it, with back-off; the others wait for its luck as long as the outage is
 * short, then all fail fast. */
#include "server/store/store.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

#include "server/base/log.h"
#include "server/store/db_private.h"

enum {
    ACQUIRE_MS = 5000, /* longest wait for a connection; also how long an outage is waited out */
    BACKOFF_FIRST_MS = 20,
    BACKOFF_LAST_MS = 1000,
    VALUES_KEPT_BYTES = 1 << 20 /* a larger buffer is not kept with an idle connection */
};

static const char *const role_users[] = {"web", "sync", "owner"};

struct store *store_open(const struct store_options *options, struct error *err)
{
    assert(options->connections_max > 0);
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        abort();
    store->arena = arena_new();
    if (!queries_load(store->arena, &store->queries, err)) {
        arena_free(&store->arena);
        free(store);
        return NULL;
    }
    store->role = options->role;
    store->conninfo = strdup(options->conninfo);
    store->connections_max = options->connections_max;
    store->statement_timeout_ms = options->statement_timeout_ms;
    store->is_hasty = options->is_hasty;
    store->is_bulk = options->is_bulk;
    store->growing = options->beside ? options->beside : store;
    store->idle = calloc((size_t)options->connections_max, sizeof(struct db *));
    if (!store->conninfo || !store->idle)
        abort();
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return store;
}

static void db_free(struct db *db)
{
    PQfinish(db->pg);
    buf_free(&db->values);
    free(db->prepared);
    db->magic = 0;
    free(db);
}

void store_close(struct store **store_at)
{
    struct store *store = *store_at;
    if (!store)
        return;
    *store_at = NULL;
    assert(store->idle_count == store->open_count); /* all were released */
    for (int i = 0; i < store->idle_count; i++)
        db_free(store->idle[i]);
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->changed);
    arena_free(&store->arena);
    free(store->idle);
    free(store->conninfo);
    free(store);
}

/* --- connecting ------------------------------------------------------------------------------ */

/* Drives a connection attempt to its end by the deadline. */
static bool await_connection(PGconn *pg, struct deadline deadline)
{
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    while (wants == PGRES_POLLING_READING || wants == PGRES_POLLING_WRITING) {
        struct pollfd socket = {.fd = PQsocket(pg),
                                .events = wants == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (deadline_passed(deadline))
            return false;
        if (poll(&socket, 1, deadline_left_ms(deadline)) > 0)
            wants = PQconnectPoll(pg);
    }
    return wants == PGRES_POLLING_OK;
}

/* Ours for the session. Values are bound as text: this runs before any type is known. */
static bool set_up(const struct store *store, PGconn *pg)
{
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%d", store->statement_timeout_ms);
    const char *values[] = {timeout, store->role == STORE_WEB ? "restante_web" : "none"};
    const char *sql = store->queries.at[queries_find(&store->queries, "db_setup")].sql;
    PGresult *result = PQexecParams(pg, sql, 2, NULL, values, NULL, NULL, 0);
    bool is_good = PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    if (is_good && store->is_bulk) {
        result = PQexec(pg, store->queries.at[queries_find(&store->queries, "db_setup_bulk")].sql);
        is_good = PQresultStatus(result) == PGRES_TUPLES_OK;
        PQclear(result);
    }
    return is_good;
}

/* "relation exists, skipping" and the like: of interest to a debugger only. */
static void hear_notice(void *context, const PGresult *result)
{
    (void)context;
    const char *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    LOG_DEBUG("store.notice", log_text("said", said));
}

PGconn *store_connect(const struct store *store, const char *suffix, struct deadline deadline,
                      struct error *err)
{
    char name[64];
    snprintf(name, sizeof name, "restante-%s%s", role_users[store->role], suffix);
    /* The configured string is third: what it says wins over the first ones. */
    const char *const keys[] = {"target_session_attrs",      "keepalives_idle", "dbname",
                                "fallback_application_name", "client_encoding", NULL};
    const char *const values[] = {"read-write", "30", store->conninfo, name, "UTF8", NULL};
    PGconn *pg = PQconnectStartParams(keys, values, 1);
    if (!pg)
        abort();
    PQsetNoticeReceiver(pg, hear_notice, NULL);
    if (PQstatus(pg) != CONNECTION_BAD && await_connection(pg, deadline) && set_up(store, pg))
        return pg;
    char words[sizeof err->message];
    snprintf(words, sizeof words, "%s", PQerrorMessage(pg));
    for (char *c = words; *c; c++) /* libpq's are of several lines */
        *c = *c == '\n' || *c == '\t' ? ' ' : *c;
    struct str why = str_trim(str_of(words));
    error_set(err, ERROR_DATABASE, "the database cannot be reached: %" STR_FMT,
              STR_ARG(why.length ? why : STR("no answer in time")));
    error_hint(err, "restante doctor says what to look at");
    PQfinish(pg);
    return NULL;
}

static struct db *db_new(struct store *store, struct deadline deadline, struct error *err)
{
    PGconn *pg = store_connect(store, "", deadline, err);
    if (!pg)
        return NULL;
    if (!PQenterPipelineMode(pg)) {
        PQfinish(pg);
        error_set(err, ERROR_DATABASE, "libpq refuses pipeline mode");
        return NULL;
    }
    struct db *db = calloc(1, sizeof *db);
    bool *prepared = calloc(store->queries.count, sizeof *prepared);
    if (!db || !prepared)
        abort();
    *db = (struct db){.magic = DB_MAGIC,
                      .store = store,
                      .pg = pg,
                      .prepared = prepared,
                      .values = BUF_INIT(DB_VALUE_LIMIT)};
    return db;
}

/* --- the pool -------------------------------------------------------------------------------- */

/* Whether the server has said or closed anything while the connection lay idle: costs one system
 * call and finds each connection that a restart of the database has cut. */
static bool is_alive(struct db *db)
{
    struct pollfd socket = {.fd = PQsocket(db->pg), .events = POLLIN};
    if (poll(&socket, 1, 0) == 0)
        return true;
    return PQconsumeInput(db->pg) && PQstatus(db->pg) == CONNECTION_OK && poll(&socket, 1, 0) == 0;
}

static void wait_until(struct store *store, int64_t at_ms)
{
    struct timespec at = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
    pthread_cond_timedwait(&store->changed, &store->lock, &at);
}

/* After an attempt to connect; the lock is held. */
static void note_attempt(struct store *store, bool is_up, const struct error *why)
{
    int64_t now = clock_monotonic_ms();
    store->is_connecting = false;
    if (is_up) {
        if (store->down_since_ms)
            LOG_INFO("store.up", log_int("away_ms", now - store->down_since_ms));
        store->down_since_ms = 0;
        store->backoff_ms = 0;
    } else {
        if (!store->down_since_ms) {
            store->down_since_ms = now;
            LOG_WARN("store.down", LOG_ERR(why));
        }
        store->down_error = *why;
        store->backoff_ms = store->backoff_ms ? store->backoff_ms * 2 : BACKOFF_FIRST_MS;
        if (store->backoff_ms > BACKOFF_LAST_MS)
            store->backoff_ms = BACKOFF_LAST_MS;
        store->retry_at_ms = now + store->backoff_ms;
    }
    pthread_cond_broadcast(&store->changed);
}

/* Makes a connection in the place counted already; the lock is held before and after. */
static struct db *connect_one(struct store *store, struct deadline deadline)
{
    struct error why = ERROR_INIT;
    bool is_probe = store->down_since_ms != 0;
    if (is_probe)
        store->is_connecting = true;
    pthread_mutex_unlock(&store->lock);
    struct db *db = db_new(store, deadline, &why);
    pthread_mutex_lock(&store->lock);
    note_attempt(store, db != NULL, &why);
    if (!db)
        store->open_count--;
    return db;
}

/* A live idle connection, or NULL when there is none; the lock is held before and after. */
static struct db *take_idle(struct store *store)
{
    while (store->idle_count > 0) {
        struct db *db = store->idle[--store->idle_count];
        if (is_alive(db))
            return db;
        db_free(db);
        store->open_count--;
        pthread_cond_broadcast(&store->changed);
    }
    return NULL;
}

struct db *store_acquire(struct store *store, int64_t user_id, struct error *err)
{
    struct deadline deadline = deadline_in_ms(ACQUIRE_MS);
    struct db *db = NULL;
    pthread_mutex_lock(&store->lock);
    while (!(db = take_idle(store))) {
        int64_t now = clock_monotonic_ms();
        bool is_down = store->down_since_ms != 0;
        bool is_full = store->open_count == store->connections_max;
        bool is_long = store->is_hasty || store->down_since_ms + ACQUIRE_MS < now;
        if (is_down && is_long && now < store->retry_at_ms) {
            if (err)
                *err = store->down_error;
            break;
        }
        if (now >= deadline.at_ms) {
            if (is_down && err)
                *err = store->down_error;
            else if (!is_down)
                error_set(err, ERROR_UNAVAILABLE, "all %d connections to the database are busy",
                          store->connections_max);
            break;
        }
        if (is_full || (is_down && store->is_connecting)) {
            wait_until(store, deadline.at_ms);
        } else if (is_down && now < store->retry_at_ms) {
            wait_until(store,
                       store->retry_at_ms < deadline.at_ms ? store->retry_at_ms : deadline.at_ms);
        } else {
            store->open_count++;
            if ((db = connect_one(store, deadline)))
                break;
        }
    }
    pthread_mutex_unlock(&store->lock);
    if (db)
        db->user_id = store->role == STORE_WEB ? user_id : 0;
    return db;
}

void store_release(struct store *store, struct db **db_at)
{
    struct db *db = *db_at;
    if (!db)
        return;
    *db_at = NULL;
    assert(db->magic == DB_MAGIC && db->store == store && !db->is_copying);
    if (db->queued && !db_in_transaction(db))
        db_flush(db, NULL, NULL); /* posted, and no statement came */
    db_rollback(db);
    db_forget(db);
    if (db->values.capacity > VALUES_KEPT_BYTES)
        buf_free(&db->values);
    bool is_good = !db->is_broken && PQtransactionStatus(db->pg) == PQTRANS_IDLE;
    if (!is_good)
        db_free(db);
    pthread_mutex_lock(&store->lock);
    if (is_good)
        store->idle[store->idle_count++] = db;
    else
        store->open_count--;
    pthread_cond_signal(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

bool store_may_be_bulk(struct store *store)
{
    struct error why = ERROR_INIT;
    struct db_rows rows;
    bool may = false;
    struct db *db = store_acquire(store, 0, &why);
    if (db && db_select_one(db, "db_may_be_bulk", &rows, "no answer", &why)) {
        may = db_get_bool(&rows);
        db_rows_free(&rows);
    }
    store_release(store, &db);
    return may;
}

uint64_t store_round_trips(const struct store *store)
{
    return atomic_load_explicit(&store->round_trips, memory_order_relaxed);
}

bool store_is_ready(struct store *store, struct error *err)
{
    struct db *db = store_acquire(store, 0, err);
    if (!db)
        return false;
    bool is_ready = db_execute(db, "db_ping", NULL, err);
    store_release(store, &db);
    return is_ready;
}
