/* The least that a list of 50 emails as JSON can cost with our libraries and our table: one
 * prepared statement on one table for the columns that a list draws, Jansson, libmicrohttpd
 * answering on its own threads. No session, no rights, no log, no second table. Its arguments: a
 * libpq connection string, an account's id, a port of 127.0.0.1. */
#include <arpa/inet.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char statement[] =
    "SELECT id, thread_id, subject, from_json, received_at, size_bytes, has_attachment, preview"
    " FROM email WHERE account_id = $1 ORDER BY id LIMIT 50";
static const char *conninfo, *account_id;
static _Thread_local PGconn *pg;

static void check(int is_good, const char *what)
{
    if (!is_good) {
        fprintf(stderr, "floor: %s failed %s\n", what, pg ? PQerrorMessage(pg) : "");
        exit(1);
    }
}

static char *list_emails(void)
{
    if (!pg) {
        pg = PQconnectdb(conninfo);
        check(PQstatus(pg) == CONNECTION_OK, "PQconnectdb");
        PQclear(PQprepare(pg, "page", statement, 0, NULL));
    }
    PGresult *rows = PQexecPrepared(pg, "page", 1, &account_id, NULL, NULL, 0);
    check(PQresultStatus(rows) == PGRES_TUPLES_OK && PQntuples(rows) == 50, "the query");
    json_t *emails = json_array();
    for (int row = 0; row < PQntuples(rows); row++) {
        json_t *email = json_object();
        for (int column = 0; column < PQnfields(rows); column++)
            json_object_set_new(email, PQfname(rows, column),
                                PQgetisnull(rows, row, column)
                                    ? json_null()
                                    : json_string(PQgetvalue(rows, row, column)));
        json_array_append_new(emails, email);
    }
    PQclear(rows);
    char *text = json_dumps(emails, JSON_COMPACT);
    json_decref(emails);
    return text;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **context)
{
    (void)cls, (void)url, (void)method, (void)version, (void)upload, (void)upload_size,
        (void)context;
    char *text = list_emails();
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

int main(int argc, char **argv)
{
    check(argc == 4, "reading arguments");
    conninfo = argv[1];
    account_id = argv[2];
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
                           MHD_OPTION_THREAD_POOL_SIZE, 8U, MHD_OPTION_SOCK_ADDR, &where,
                           MHD_OPTION_END) != NULL,
          "MHD_start_daemon");
    pause();
    return 0;
}
