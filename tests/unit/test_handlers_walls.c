/* The walls between people, over every route there is: the tables themselves are walked, and a
 * route with a parameter that this test has no id for fails it. Whoever asks for another's things
 * is answered as for ids that nobody has, byte for byte, and nothing of the other's changes. */
#include "handlers/routes.h"
#include "tests/unit/store_people.h"

#include "tests/unit/screens_fixture.h"

enum { ALICES = 5000, BOBS = 6000, NOBODYS = 7000 }; /* where the ids of each begin */

static const struct route *routes;
static size_t route_count;
static struct router *all_router;

/* --- whose what it is ------------------------------------------------------------------------ */

/* What the parameters of paths, and the places in bodies, stand for. */
static const char *const things[] = {
    "mailbox",   "email",    "thread", "draft",   "attachment", "blob",   "submission", "identity",
    "operation", "transfer", "bulk",   "contact", "group",      "search", "token",      "label"};

static long long id_of(const char *thing, long long whose)
{
    if (strcmp(thing, "account") == 0)
        return whose == ALICES ? ALICE : whose == BOBS ? BOB : whose;
    static long long fresh;
    if (strcmp(thing, "fresh") == 0)
        return ++fresh; /* a name that is not taken */
    if (strcmp(thing, "part") == 0 || strcmp(thing, "inner") == 0 || strcmp(thing, "n") == 0)
        return 1; /* of an email: there is none to own */
    for (size_t i = 0; i < sizeof things / sizeof *things; i++)
        if (strcmp(thing, things[i]) == 0)
            return whose + 1 + (long long)i;
    fail_msg("give this test an id for {%s}", thing);
    return 0;
}

/* Whether a place like "{email}" begins there; its name. */
static bool is_place(const char *at, char thing[32])
{
    char end[2];
    return *at == '{' && sscanf(at, "{%31[a-z]%1[}]", thing, end) == 2;
}

/* `pattern` with an id for each "{thing}"; those of `account` may be another's. Counts them. */
static size_t fill(struct buf *out, const char *pattern, long long account, long long whose)
{
    size_t count = 0;
    for (const char *at = pattern; *at; at++) {
        char thing[32];
        if (!is_place(at, thing)) {
            buf_char(out, *at);
            continue;
        }
        bool is_account = strcmp(thing, "account") == 0;
        buf_i64(out, id_of(thing, is_account ? account : whose));
        count += !is_account && strcmp(thing, "fresh") != 0;
        at += strlen(thing) + 1;
    }
    return count;
}

/* One of everything, for the person and the account of that number. */
static void own_everything(PGconn *pg, int who, long long whose)
{
    static const char *const rows[] = {
        "INSERT INTO mailbox (account_id, id, name, path, wire_path)"
        " VALUES ({a}, {mailbox}, 'Snoozed', 'Snoozed', 'Snoozed')",
        "INSERT INTO email (account_id, id, thread_id, subject, received_at, size_bytes, structure)"
        " VALUES ({a}, {email}, {thread}, 'plan', now(), 40, '{s}'),"
        " ({a}, {draft}, {draft}, 'draft', now(), 40, '{s}')",
        "INSERT INTO placement (account_id, email_id, mailbox_id, uid, received_at)"
        " VALUES ({a}, {email}, {mailbox}, 1, now()), ({a}, {draft}, {mailbox}, 2, now())",
        "INSERT INTO blob (account_id, id, email_id, size_bytes, chunk_bytes) VALUES"
        " ({a}, {blob}, NULL, 3, 262144), ({a}, 1{blob}, {email}, 28, 262144)",
        "INSERT INTO blob_chunk (account_id, blob_id, n, bytes) VALUES ({a}, {blob}, 0, 'abc'),"
        " ({a}, 1{blob}, 0, E'Subject: plan\\\\015\\\\012\\\\015\\\\012only mine\\\\015\\\\012')",
        "UPDATE email SET blob_id = 1{blob} WHERE account_id = {a} AND id = {email}",
        "INSERT INTO identity (account_id, id, name, email)"
        " VALUES ({a}, {identity}, 'me', 'me{a}@mail.example')",
        "INSERT INTO draft (account_id, email_id, identity_id, to_text, subject, body_text)"
        " VALUES ({a}, {draft}, {identity}, 'zoe@example.org', 'draft', 'text')",
        "INSERT INTO attachment (account_id, email_id, n, blob_id)"
        " VALUES ({a}, {draft}, {attachment}, {blob})",
        "INSERT INTO submission (account_id, id, identity_id, blob_id, message_id, mail_from,"
        " recipients) VALUES ({a}, {submission}, {identity}, {blob}, 'm@x', 'me@mail.example', "
        "'[]')",
        "INSERT INTO operation (account_id, id, kind, arguments)"
        " VALUES ({a}, {operation}, 'keywords', '{\"set\": 1}')",
        "INSERT INTO transfer (account_id, id, kind) VALUES ({a}, {transfer}, 'complete')",
        "INSERT INTO bulk (account_id, id, kind, mailbox_id)"
        " VALUES ({a}, {bulk}, 'keywords', {mailbox})",
        "INSERT INTO label (account_id, id, name, keyword) VALUES ({a}, {label}, 'Own', 'own')",
        "INSERT INTO snooze (account_id, email_id, folder_id, mailbox_id, until)"
        " VALUES ({a}, {email}, {mailbox}, {mailbox}, now() + '1 day')",
        "INSERT INTO contact (user_id, id, name, emails)"
        " VALUES ({a}, {contact}, 'Zoe', '{zoe@example.org}')",
        "INSERT INTO contact_group (user_id, id, name) VALUES ({a}, {group}, 'Choir')",
        "INSERT INTO contact_member (user_id, group_id, contact_id)"
        " VALUES ({a}, {group}, {contact})",
        "INSERT INTO saved_search (user_id, id, name, query)"
        " VALUES ({a}, {search}, 'plans', 'plan')",
        "INSERT INTO token (id, user_id, name, token_hash)"
        " VALUES ({token}, {a}, 'script', 'hash{a}')",
        "INSERT INTO thread_key VALUES ({a}, {thread}, {thread})",
        "INSERT INTO search (account_id, email_id, received_at, words)"
        " VALUES ({a}, {email}, now(), 'plan')",
        "INSERT INTO pop3_uidl (account_id, uidl, email_id, size_bytes, fingerprint, state)"
        " VALUES ({a}, 'u', {email}, 1, 'f', 'here')",
        "INSERT INTO operation_item (account_id, operation_id, email_id, mailbox_id, effect)"
        " VALUES ({a}, {operation}, {email}, {mailbox}, 0)",
        "INSERT INTO change (account_id, modseq, type) VALUES ({a}, 1000000, 'email')",
        "INSERT INTO invitation_answer (account_id, email_id, answer, submission_id)"
        " VALUES ({a}, {email}, 'accepted', {submission})",
        "INSERT INTO request_key (user_id, key_hash, fingerprint, held_until)"
        " VALUES ({a}, 'k', 'f', now())",
        "INSERT INTO remote_allowed (user_id, email) VALUES ({a}, 'zoe@example.org')",
        "UPDATE account SET next_id = {a} * 100000 WHERE id = {a}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf text = BUF_INIT(4096);
        for (const char *at = rows[i]; *at; at++) {
            char thing[32];
            if (str_starts(str_of(at), STR("{a}")))
                buf_i64(&text, who);
            else if (str_starts(str_of(at), STR("{s}")))
                buf_str(&text, structure_of("text/plain"));
            else if (is_place(at, thing))
                buf_i64(&text, id_of(thing, whose));
            else {
                buf_char(&text, *at);
                continue;
            }
            at = strchr(at, '}');
        }
        sql_on(pg, text.at);
        buf_free(&text);
    }
}

/* A digest of every row that is ALICE's, of whatever tables there are. */
static void state_of_alice(PGconn *pg, char state[33])
{
    PGresult *result =
        PQexec(pg, "SELECT md5(string_agg(query_to_xml(format('SELECT t::text AS row FROM %I t"
                   " WHERE %I = 1 ORDER BY 1', c.relname, a.attname), true, false, '')::text, ''"
                   " ORDER BY c.relname, a.attname))"
                   "  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
                   " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
                   "   AND (a.attname IN ('account_id', 'user_id')"
                   "        OR (c.relname IN ('account', 'user') AND a.attname = 'id'))");
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(pg));
    snprintf(state, 33, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
}

/* --- asking ---------------------------------------------------------------------------------- */

/* What routes need to be told for their ids to be looked at. */
static const struct said {
    unsigned method;
    const char *target, *body; /* the pattern of a route, and its arguments */
} said[] = {
#define V1 "/api/v1/accounts/{account}"
    {HTTP_PATCH, V1, "{\"name\": \"taken\"}"},
    {HTTP_POST, V1 "/actions",
     "{\"action\": \"keywords\", \"emailIds\": [\"{email}\"], \"keywords\": {\"$seen\": true}}"},
    {HTTP_POST, V1 "/actions/undo", "{\"operations\": [\"{operation}\"]}"},
    {HTTP_POST, V1 "/snoozed",
     "{\"emailIds\": [\"{email}\"], \"until\": \"2099-01-01T00:00:00Z\"}"},
    {HTTP_POST, V1 "/labels", "{\"name\": \"New{fresh}\"}"},
    {HTTP_PATCH, V1 "/labels/{label}", "{\"name\": \"Taken\"}"},
    {HTTP_POST, V1 "/mailboxes", "{\"name\": \"New{fresh}\", \"parentId\": \"{mailbox}\"}"},
    {HTTP_PATCH, V1 "/mailboxes/{mailbox}", "{\"name\": \"Taken\"}"},
    {HTTP_PATCH, V1 "/emails/{email}", "{\"keywords\": {\"$seen\": true}}"},
    {HTTP_POST, V1 "/emails/set",
     "{\"update\": {\"{email}\": {\"keywords/$seen\": true}}, \"destroy\": [\"{email}\"]}"},
    {HTTP_POST, V1 "/emails/{email}/parts/{part}/answer", "{\"answer\": \"accepted\"}"},
    {HTTP_GET, V1 "/search?q=plan", ""},
    {HTTP_POST, V1 "/identities", "{\"name\": \"x\", \"email\": \"x@mail.example\"}"},
    {HTTP_PUT | HTTP_PATCH, V1 "/identities/{identity}", "{\"name\": \"taken\"}"},
    {HTTP_POST, V1 "/drafts",
     "{\"identityId\": \"{identity}\", \"answersId\": \"{email}\", \"answersHow\": \"forward\","
     " \"takeFrom\": \"{email}\", \"take\": \"message\"}"},
    {HTTP_PUT | HTTP_PATCH, V1 "/drafts/{draft}", "{\"identityId\": \"{identity}\"}"},
    {HTTP_POST, V1 "/drafts/{draft}/attachments?name=x&blobId={blob}", "{}"},
    {HTTP_POST, V1 "/submissions", "{\"draftId\": \"{draft}\"}"},
    {HTTP_GET, V1 "/export?format=mbox&mailbox={mailbox}", ""},
    {HTTP_GET, V1 "/export/summary?mailbox={mailbox}", ""},
    {HTTP_POST, V1 "/imports?mailbox={mailbox}&name=x", "From: a@b.example\n\nx\n"},
    {HTTP_POST, "/api/v1/contacts/groups", "{\"name\": \"Band{fresh}\", \"add\": [\"{contact}\"]}"},
    {HTTP_PATCH, "/api/v1/contacts/groups/{group}",
     "{\"add\": [\"{contact}\"], \"remove\": [\"{contact}\"]}"},
    {HTTP_PUT | HTTP_PATCH, "/api/v1/contacts/{contact}", "{\"name\": \"Taken\"}"},
#undef V1
    {HTTP_GET, "/mail/{account}/compose?reply={email}", ""},
    {HTTP_GET, "/mail/{account}/thread/{thread}?in={mailbox}&open={email}", ""},
    {HTTP_POST, "/mail/{account}/refused", "last={operation}"},
    {HTTP_POST, "/mail/{account}/sync", "mailbox={mailbox}"},
    {HTTP_POST, "/mail/{account}/compose",
     "identity={identity}&answersId={email}&takeFrom={email}&take=message&to=a@b.example"},
    {HTTP_POST, "/mail/{account}/compose/{draft}", "identity={identity}&subject=taken"},
    {HTTP_POST, "/mail/{account}/{mailbox}/act", "do=star&email={email}&key=k"},
    {HTTP_POST, "/mail/{account}/{mailbox}/undo", "operations={operation}"},
    {HTTP_POST, "/mail/{account}/message/{email}/remote", "who=sender"},
    {HTTP_POST, "/mail/{account}/message/{email}/invitation/{part}", "answer=accepted&key=k"},
    {HTTP_POST, "/mail/{account}/message/{email}/receipt", "do=send&key=k"},
    {HTTP_GET, "/search?q=plan&account={account}", ""},
    {HTTP_POST, "/search/act?q=plan&account={account}", "do=star&email={account}.{email}&key=k"},
    {HTTP_POST, "/search/undo?q=plan", "operations={account}.{operation}"},
    {HTTP_POST, "/accounts/{account}", "name=Taken&prefetch=all&pollSeconds=60"},
    {HTTP_POST, "/accounts/{account}/labels", "name=New{fresh}&colour=1"},
    {HTTP_POST, "/accounts/{account}/labels/{label}", "do=save&name=Taken"},
    {HTTP_POST, "/accounts/{account}/folders", "name=New{fresh}&parent={mailbox}"},
    {HTTP_POST, "/accounts/{account}/folders/{mailbox}", "do=rename&name=Taken"},
    {HTTP_GET, "/accounts/{account}/export?format=mbox&mailbox={mailbox}", ""},
    {HTTP_POST, "/accounts/{account}/import", "mailbox={mailbox}"},
    {HTTP_POST, "/accounts/{account}/senders", "id={identity}&name=Taken&email=t@mail.example"},
    {HTTP_POST, "/contacts/groups/{group}", "do=leave-{contact}"},
    {HTTP_POST, "/contacts/{contact}", "name=Taken&emails=t@mail.example"},
};

/* What a route is told: a row of the table, or nothing in particular. */
static struct said said_to(const struct route *route, enum http_method method)
{
    size_t length = strlen(route->pattern);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if ((said[i].method & method) && strcspn(said[i].target, "?") == length &&
            !strncmp(said[i].target, route->pattern, length))
            return said[i];
    return (struct said){method, route->pattern, route->flags & ROUTE_API ? "{}" : "x=y"};
}

static char csrf[256];

/* What browsers send where a form has files. */
static void write_multipart(struct buf *out, struct str form)
{
    while (form.at) {
        struct str value = str_cut(&form, '&'), name = str_cut(&value, '=');
        buf_printf(out,
                   "--b\r\nContent-Disposition: form-data; name=\"%" STR_FMT "\"\r\n\r\n%" STR_FMT
                   "\r\n",
                   STR_ARG(name), STR_ARG(value));
    }
    buf_text(out, "--b--\r\n");
}

static void give_body(const struct route *route, struct str told)
{
    bool has_files = route->flags & (ROUTE_LARGE_BODY | ROUTE_IMPORT_BODY);
    struct buf form = BUF_INIT(8192);
    const char *type = route->flags & ROUTE_API ? "application/json"
                       : has_files              ? "multipart/form-data; boundary=b"
                                                : "application/x-www-form-urlencoded";
    if (has_files && !(route->flags & ROUTE_API))
        write_multipart(&form, told);
    else
        buf_str(&form, told);
    request_add_header(&page.req, STR("Content-Type"), str_of(type));
    page.req.body = arena_str(page.arena, buf_view(&form));
    page.req.body_bytes = page.req.body.length;
    buf_free(&form);
}

/* Ids in the path are one's, those that are told in arguments and body another's. */
static void ask_for(const struct route *route, enum http_method method, long long account,
                    long long in_path, long long told)
{
    struct buf target = BUF_INIT(1024), body = BUF_INIT(4096);
    struct said what = said_to(route, method);
    fill(&target, route->pattern, account, in_path);
    fill(&target, what.target + strlen(route->pattern), told, told);
    fill(&body, what.body, told, told);
    begin_request(method, buf_view(&target));
    request_add_header(&page.req, STR("X-CSRF-Token"), str_of(csrf));
    if (method != HTTP_GET)
        give_body(route, buf_view(&body));
    router_serve(all_router, &page.req, &page.res);
    buf_free(&target);
    buf_free(&body);
}

static void sign_in_as(int who)
{
    come_as(who);
    get("/contacts");
    snprintf(csrf, sizeof csrf, "%s", cut_after("name=\"csrf\" value=\""));
}

/* Status, headers and body, without what tells two requests of one kind apart: their ids, masks,
 * keys, and numbers. */
static struct str seen(struct arena *arena)
{
    struct buf text = BUF_INIT(RESPONSE_BODY_LIMIT + 65536), plain = BUF_INIT(RESPONSE_BODY_LIMIT);
    buf_printf(&text, "%d\n", page.res.status);
    for (size_t i = 0; i < page.res.headers.count; i++)
        if (!str_equal(page.res.headers.at[i].name, STR("X-Request-Id")))
            buf_printf(&text, "%" STR_FMT ": %" STR_FMT "\n", STR_ARG(page.res.headers.at[i].name),
                       STR_ARG(page.res.headers.at[i].value));
    buf_str(&text, response_body(&page.res));
    static const char *const random[] = {"name=\"csrf\" value=\"", "\"csrf\" content=\"",
                                         "name=\"key\" value=\"", "\"instance\":\""};
    for (struct str rest = buf_view(&text); rest.length;) {
        bool is_random = false;
        for (size_t i = 0; i < sizeof random / sizeof *random && !is_random; i++)
            if (str_starts(rest, str_of(random[i]))) {
                rest = str_skip(rest, strlen(random[i]));
                rest = str_skip(rest, (size_t)str_find_char(rest, '"'));
                is_random = true;
            }
        if (is_random)
            continue;
        if (!ascii_is_digit(*rest.at))
            buf_char(&plain, *rest.at);
        else if (plain.length == 0 || plain.at[plain.length - 1] != '#')
            buf_char(&plain, '#');
        rest = str_skip(rest, 1);
    }
    struct str kept = arena_str(arena, buf_view(&plain));
    buf_free(&text);
    buf_free(&plain);
    return kept;
}

/* --- tests ----------------------------------------------------------------------------------- */

static PGconn *owner;
static int wrong; /* routes that were told of */

struct place {
    long long account, in_path, in_body; /* whose */
};

#define complain(...) (wrong++, print_error(__VA_ARGS__))

/* BOB, in all ways in which he can name what is ALICE's. */
static void try_route(const struct route *route, enum http_method method)
{
    static const struct {
        struct place theirs, unknown;
        const char *where;
    } ways[] = {
        {{ALICES, ALICES, ALICES}, {NOBODYS, NOBODYS, NOBODYS}, "all of it"},
        {{BOBS, ALICES, ALICES}, {BOBS, NOBODYS, NOBODYS}, "in an account of one's own"},
        {{BOBS, BOBS, ALICES}, {BOBS, BOBS, NOBODYS}, "in what is told"},
    };
    struct buf scratch = BUF_INIT(4096);
    size_t path_ids = fill(&scratch, route->pattern, 0, 0);
    bool has_account = strstr(route->pattern, "{account}");
    struct said what = said_to(route, method);
    bool is_told = fill(&scratch, what.target + strlen(route->pattern), 0, 0) > 0 ||
                   fill(&scratch, what.body, 0, 0) > 0;
    buf_free(&scratch);
    for (int i = 0; i < 3; i++) {
        bool is_in_path = i == 0 ? has_account || path_ids : i == 1 && has_account && path_ids;
        if (!is_in_path && (i < 2 || !is_told))
            continue;
        char before[33], after[33];
        struct arena *arena = arena_new();
        state_of_alice(owner, before);
        struct place at = ways[i].unknown;
        ask_for(route, method, at.account, at.in_path, at.in_body);
        struct str unknown = seen(arena);
        at = ways[i].theirs;
        ask_for(route, method, at.account, at.in_path, at.in_body);
        struct str theirs = seen(arena);
        /* Some pages go back and say "too late" instead, as to who has nothing there. */
        int status = page.res.status;
        if (is_in_path && status != 404 && status != 303 && status != 409)
            complain("%s %s: %s: %d\n", http_method_name(method), route->pattern, ways[i].where,
                     status);
        if (!str_equal(theirs, unknown))
            complain("%s %s: %s: told apart:\n%" STR_FMT "\n%" STR_FMT "\n",
                     http_method_name(method), route->pattern, ways[i].where, STR_ARG(theirs),
                     STR_ARG(unknown));
        state_of_alice(owner, after);
        if (strcmp(before, after) != 0)
            complain("%s %s: %s: changed what is another's\n", http_method_name(method),
                     route->pattern, ways[i].where);
        arena_free(&arena);
    }
}

static void each_route(void (*act)(const struct route *, enum http_method), unsigned methods)
{
    for (size_t i = 0; i < route_count; i++)
        for (unsigned method = HTTP_GET; method <= HTTP_DELETE; method <<= 1)
            if (routes[i].methods & methods & method && !(routes[i].flags & ROUTE_PUBLIC))
                act(&routes[i], (enum http_method)method);
}

static void test_anothers_things_are_as_absent_as_unknown_ones_on_every_route(void **state)
{
    (void)state;
    wrong = 0;
    sign_in_as(BOB);
    each_route(try_route, ~0u);
    assert_int_equal(wrong, 0);
}

/* Or the test above proves nothing: the ids are those of things that are there. */
static void find_own(const struct route *route, enum http_method method)
{
    if (strstr(route->pattern, "{part}") || strstr(route->pattern, "unsubscribe") ||
        strstr(route->pattern, "attachments.zip"))
        return; /* not in this message */
    bool waits = strstr(route->pattern, "/test") || strstr(route->pattern, "/new") ||
                 strstr(route->pattern, "/discover");
    if (waits) /* for the sync role, which is not here */
        return;
    ask_for(route, method, ALICES, ALICES, ALICES);
    if (page.res.status == 404 || page.res.status == 403 || page.res.status >= 500)
        complain("%s %s: the owner gets %d\n%" STR_FMT "\n", http_method_name(method),
                 route->pattern, page.res.status, STR_ARG(body()));
}

static void test_their_owner_finds_them(void **state)
{
    (void)state;
    char before[33], after[33];
    wrong = 0;
    sign_in_as(ALICE);
    state_of_alice(owner, before);
    each_route(find_own, HTTP_GET);
    each_route(find_own, HTTP_POST | HTTP_PUT | HTTP_PATCH);
    state_of_alice(owner, after);
    assert_string_not_equal(before, after);
    assert_int_equal(wrong, 0);
}

/* --- the second wall ------------------------------------------------------------------------- */

/* How many of ALICE's rows that person's statement finds on the web role's connection. */
static int64_t found_by(PGconn *web, int who, const char *verb, const char *table,
                        const char *column)
{
    struct buf text = BUF_INIT(1024);
    buf_printf(&text, who ? "SET restante.user_id = '%d'" : "RESET restante.user_id", who);
    sql_on(web, text.at);
    buf_reset(&text);
    if (strcmp(verb, "SELECT") == 0)
        buf_printf(&text, "SELECT count(*) FROM \"%s\"", table);
    else if (strcmp(verb, "UPDATE") == 0)
        buf_printf(&text, "UPDATE \"%s\" SET %s = %s", table, column, column);
    else
        buf_printf(&text, "DELETE FROM \"%s\"", table);
    buf_printf(&text, " WHERE %s = %d", column, ALICE);
    int64_t found = sql_on(web, text.at);
    buf_free(&text);
    return found;
}

static void try_table(PGconn *web, const char *table, const char *column)
{
    static const char *const verbs[] = {"SELECT", "UPDATE", "DELETE"};
    static const int others[] = {BOB, 0};
    if (!found_by(web, ALICE, "SELECT", table, column))
        complain("nothing of ALICE's in %s: give her some in own_everything()\n", table);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        for (size_t k = 0; k < 2; k++)
            if (found_by(web, others[k], verbs[i], table, column))
                complain("ALICE's rows stand open: %s %s\n", verbs[i], table);
}

/* Whatever the code above forgets to ask. Which tables there are is PostgreSQL's to say. */
static void test_no_table_shows_anothers_rows_to_the_web_role(void **state)
{
    (void)state;
    PGconn *web = sql_connect(true);
    /* what is read before anybody is known has no such wall: see sql/migrations */
    PGresult *tables =
        PQexec(owner, "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a"
                      "    ON a.attrelid = c.oid AND a.attname IN ('account_id', 'user_id')"
                      " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
                      "   AND c.relname NOT IN ('session', 'token', 'trial')");
    wrong = 0;
    assert_true(PQntuples(tables) > 20);
    for (int i = 0; i < PQntuples(tables); i++)
        try_table(web, PQgetvalue(tables, i, 0), PQgetvalue(tables, i, 1));
    try_table(web, "account", "id");
    PQclear(tables);
    PQfinish(web);
    assert_int_equal(wrong, 0);
}

/* Whatever is asked, it is asked whose it is before it comes to that wall. Last of the tests: the
 * wall stays down. */
static void test_without_the_second_wall_the_first_stands_on_every_route(void **state)
{
    (void)state;
    sql_on(owner, "DO $$ DECLARE t regclass; BEGIN"
                  " FOR t IN SELECT oid FROM pg_class WHERE relrowsecurity LOOP"
                  "   EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', t);"
                  " END LOOP; END $$");
    wrong = 0;
    sign_in_as(BOB);
    each_route(try_route, ~0u);
    assert_int_equal(wrong, 0);
}

/* Views and such functions see with the eyes of who made them. */
static void test_nothing_looks_over_the_second_wall_but_what_we_know(void **state)
{
    (void)state;
    assert_int_equal(sql_on(owner, "SELECT count(*) FROM pg_class WHERE relkind IN ('v', 'm')"
                                   " AND relnamespace = 'public'::regnamespace"),
                     0);
    assert_int_equal(sql_on(owner, "SELECT count(*) FROM pg_proc WHERE prosecdef"
                                   " AND proname NOT IN ('service_status', 'search_hits')"),
                     0);
    assert_int_equal(sql_on(owner, "SELECT count(*) FROM pg_roles WHERE rolname = 'restante_web'"
                                   " AND (rolsuper OR rolbypassrls OR rolcreaterole)"),
                     0);
}

static int walls_set_up(void **state)
{
    if (set_up(state))
        return -1;
    routes = all_routes(mail_arena, &route_count);
    all_router = router_new(routes, route_count, &hooks, &app);
    owner = sql_connect(false);
    own_everything(owner, ALICE, ALICES);
    own_everything(owner, BOB, BOBS);
    return 0;
}

static int walls_tear_down(void **state)
{
    PQfinish(owner);
    router_free(&all_router);
    return tear_down(state);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "parser")) /* this program is its own parser child */
        return parser_child_main(STDIN_FILENO);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anothers_things_are_as_absent_as_unknown_ones_on_every_route),
        cmocka_unit_test(test_no_table_shows_anothers_rows_to_the_web_role),
        cmocka_unit_test(test_nothing_looks_over_the_second_wall_but_what_we_know),
        cmocka_unit_test(test_their_owner_finds_them),
        cmocka_unit_test(test_without_the_second_wall_the_first_stands_on_every_route),
    };
    return cmocka_run_group_tests(tests, walls_set_up, walls_tear_down);
}
