/* People and accounts for the store's tests, made through the store itself; and SQL of a test's own
 * on a connection of its own, to look at and to change what no function of the store should. */
#ifndef RESTANTE_TESTS_STORE_PEOPLE_H
#define RESTANTE_TESTS_STORE_PEOPLE_H

#include <libpq-fe.h>
#include <poll.h>

#include "server/store/accounts.h"
#include "server/store/users.h"
#include "tests/unit/store_fixture.h"

/* --- SQL ------------------------------------------------------------------------------------- */

static inline PGconn *sql_connect(bool is_web)
{
    struct error err = ERROR_INIT;
    struct buf conninfo = BUF_INIT(4096);
    char path[128];
    snprintf(path, sizeof path, "%s/pg", fixture.directory);
    assert_good(cluster_conninfo(path, is_web, &conninfo, &err));
    PGconn *pg = PQconnectdb(conninfo.at);
    buf_free(&conninfo);
    if (PQstatus(pg) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(pg));
    return pg;
}

/* The first column of the first row as a number, or for a command how many rows it wrote. */
static inline int64_t sql_on(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    const char *text = PQcmdTuples(result);
    if (status == PGRES_TUPLES_OK)
        text = PQntuples(result) ? PQgetvalue(result, 0, 0) : "0";
    int64_t number = strtoll(text, NULL, 10);
    PQclear(result);
    return number;
}

static inline int64_t sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline int64_t sql(const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    PGconn *pg = sql_connect(false);
    int64_t number = sql_on(pg, text);
    PQfinish(pg);
    return number;
}

/* Whether the payload is NOTIFYed on a connection that LISTENs already; forgets what came before
 * it. */
static inline bool sql_hears(PGconn *pg, const char *payload)
{
    enum { TRIES = 100, TRY_MS = 100 };
    for (int i = 0; i < TRIES; i++) {
        PGnotify *note;
        sql_on(pg, "SELECT 1");
        while ((note = PQnotifies(pg))) {
            bool is_it = strcmp(note->extra, payload) == 0;
            PQfreemem(note);
            if (is_it)
                return true;
        }
        struct pollfd socket = {.fd = PQsocket(pg), .events = POLLIN};
        poll(&socket, 1, TRY_MS);
    }
    return false;
}

/* --- people ---------------------------------------------------------------------------------- */

/* With a login that no other test has. */
static inline int64_t person_new(struct store *store)
{
    static int number;
    struct error err = ERROR_INIT;
    char login[32];
    int64_t id = 0;
    snprintf(login, sizeof login, "person%d@example.org", ++number);
    struct db *db = store_acquire(store, 0, &err);
    assert_good(db != NULL);
    assert_good(user_create(db, str_of(login), STR("hash"), false, &id, &err));
    store_release(store, &db);
    return id;
}

static inline struct account account_of(int64_t user_id, const char *username)
{
    return (struct account){
        .user_id = user_id,
        .name = STR("Work"),
        .email = STR("ada@example.org"),
        .incoming = {.host = STR("imap.example.org"), .port = 993, .username = str_of(username)},
        .smtp = {.host = STR("smtp.example.org"), .port = 587, .tls = TLS_STARTTLS},
        .prefetch = PREFETCH_RECENT,
        .prefetch_days = 30,
        .poll_seconds = 60,
        .pop3_policy = POP3_REMOVE_AFTER,
        .pop3_days = 14};
}

static inline int64_t account_new_of_kind(struct store *store, int64_t user_id,
                                          const char *username, enum account_kind kind)
{
    struct error err = ERROR_INIT;
    struct account account = account_of(user_id, username);
    account.kind = kind;
    struct db *db = store_acquire(store, user_id, &err);
    assert_good(db != NULL);
    assert_good(account_allocate_id(db, &account.id, &err));
    assert_good(account_create(db, &account, STR("sealed"), STR_EMPTY, &err));
    store_release(store, &db);
    return account.id;
}

static inline int64_t account_new(struct store *store, int64_t user_id, const char *username)
{
    return account_new_of_kind(store, user_id, username, ACCOUNT_IMAP);
}

#endif
