#include "server/sync/discover.h"

#include <stdio.h>

#include "server/base/log.h"
#include "server/mail/autoconfig.h"
#include "server/net/resolve.h"
#include "server/sync/providers.h"
#include "server/sync/web_fetch.h"

enum {
    CANDIDATES_MAX = 16,
    FETCH_MS = 5000,
    SRV_MS = 4000,
    GUESS_MS = 3000,       /* for one name */
    SEARCH_MS = 20 * 1000, /* in all: somebody waits, and may type the servers in instead */
    DOMAIN_BYTES_MAX = 253,
};

struct server {
    struct str host; /* empty: none */
    int port;
    const char *tls;
    struct str username;
};

struct candidate {
    const char *source, *kind;
    struct server incoming, smtp;
};

struct search {
    const struct sync_context *sync;
    struct arena *arena;
    struct str email, domain;
    struct deadline deadline;
    struct candidate at[CANDIDATES_MAX];
    size_t count;
};

/* What a step may take: its own time, or what is left of all. At least 1, which ends it at once. */
static int step_ms(const struct search *search, int wanted_ms)
{
    int64_t left_ms = deadline_left_ms(search->deadline);
    return left_ms < 1 ? 1 : left_ms < wanted_ms ? (int)left_ms : wanted_ms;
}

static bool is_there(const struct search *search, const struct candidate *candidate)
{
    for (size_t i = 0; i < search->count; i++)
        if (str_equal_nocase(search->at[i].incoming.host, candidate->incoming.host) &&
            search->at[i].incoming.port == candidate->incoming.port)
            return true;
    return false;
}

static void add(struct search *search, struct candidate candidate)
{
    if (search->count < CANDIDATES_MAX && candidate.incoming.host.length > 0 &&
        !is_there(search, &candidate))
        search->at[search->count++] = candidate;
}

/* --- the table ------------------------------------------------------------------------------- */

static bool search_table(struct search *search)
{
    const struct provider *provider = provider_of(search->domain);
    if (!provider)
        return false;
    struct server smtp = {str_of(provider->smtp), provider->smtp_port,
                          provider->smtp_port == 465 ? "implicit" : "starttls", search->email};
    if (provider->imap)
        add(search,
            (struct candidate){
                "table", "imap", {str_of(provider->imap), 993, "implicit", search->email}, smtp});
    if (provider->pop3)
        add(search,
            (struct candidate){
                "table", "pop3", {str_of(provider->pop3), 995, "implicit", search->email}, smtp});
    return true;
}

/* --- autoconfig ------------------------------------------------------------------------------ */

static const char *tls_of(enum autoconfig_security security)
{
    return security == AUTOCONFIG_TLS        ? "implicit"
           : security == AUTOCONFIG_STARTTLS ? "starttls"
                                             : "none";
}

static struct server server_of(const struct autoconfig_server *found, struct str email)
{
    return (struct server){found->host, found->port, tls_of(found->security),
                           found->username.length ? found->username : email};
}

static void add_autoconfig(struct search *search, const struct autoconfig_server *servers,
                           size_t count)
{
    struct server smtp = {0};
    for (size_t i = 0; i < count && smtp.host.length == 0; i++)
        if (str_equal(servers[i].type, STR("smtp")) && servers[i].security != AUTOCONFIG_PLAIN)
            smtp = server_of(&servers[i], search->email);
    for (size_t i = 0; i < count; i++) {
        bool is_imap = str_equal(servers[i].type, STR("imap"));
        if (str_equal(servers[i].type, STR("smtp")) ||
            (servers[i].security == AUTOCONFIG_PLAIN && !search->sync->allow_plaintext))
            continue;
        add(search, (struct candidate){"autoconfig", is_imap ? "imap" : "pop3",
                                       server_of(&servers[i], search->email), smtp});
    }
}

/* Only over HTTPS: a file that came in the clear could send passwords anywhere. */
static bool search_autoconfig(struct search *search)
{
    static const struct {
        const char *before, *after; /* the domain */
    } places[] = {{"https://autoconfig.", "/mail/config-v1.1.xml"},
                  {"https://", "/.well-known/autoconfig/mail/config-v1.1.xml"}};
    size_t before = search->count;
    for (size_t i = 0; i < sizeof places / sizeof *places && search->count == before; i++) {
        struct autoconfig_server servers[AUTOCONFIG_SERVERS_MAX];
        struct error why = ERROR_INIT;
        struct buf text = BUF_INIT(AUTOCONFIG_BYTES_MAX);
        char url[DOMAIN_BYTES_MAX + 80];
        snprintf(url, sizeof url, "%s%" STR_FMT "%s", places[i].before, STR_ARG(search->domain),
                 places[i].after);
        if (web_fetch(search->sync, url, step_ms(search, FETCH_MS), &text, &why))
            add_autoconfig(search, servers,
                           autoconfig_read(search->arena, buf_view(&text), search->email, servers));
        else
            LOG_DEBUG("discover.autoconfig", LOG_ERR(&why));
        buf_free(&text);
    }
    return search->count > before;
}

/* --- SRV ------------------------------------------------------------------------------------- */

static struct server first_srv(struct search *search, const char *secure, const char *plain,
                               struct error *err)
{
    const char *const names[] = {secure, plain};
    struct resolver resolver = {.servers = search->sync->name_servers,
                                .deadline = deadline_in_ms(step_ms(search, SRV_MS)),
                                .cancel_fd =
                                    search->sync->stop_fd > 0 ? search->sync->stop_fd : -1};
    for (size_t i = 0; i < 2; i++) {
        struct srv services[RESOLVE_SRV_MAX];
        struct str name =
            arena_printf(search->arena, "%s._tcp.%" STR_FMT, names[i], STR_ARG(search->domain));
        if (resolve_srv(&resolver, search->arena, name, services, err) > 0)
            return (struct server){services[0].host, services[0].port, i ? "starttls" : "implicit",
                                   search->email};
    }
    return (struct server){0};
}

static bool search_srv(struct search *search)
{
    struct error why = ERROR_INIT;
    size_t before = search->count;
    struct server imap = first_srv(search, "_imaps", "_imap", &why);
    struct server pop3 = first_srv(search, "_pop3s", "_pop3", &why);
    if (imap.host.length == 0 && pop3.host.length == 0)
        return false;
    struct server smtp = first_srv(search, "_submissions", "_submission", &why);
    add(search, (struct candidate){"srv", "imap", imap, smtp});
    add(search, (struct candidate){"srv", "pop3", pop3, smtp});
    return search->count > before;
}

/* --- the usual names ------------------------------------------------------------------------- */

/* A server with a good certificate for that very name answers there with TLS. */
static bool answers(struct search *search, struct str host, int port)
{
    struct error why = ERROR_INIT;
    struct stream_params params = {.host = host,
                                   .port = port,
                                   .security = STREAM_TLS_IMPLICIT,
                                   .egress = search->sync->egress,
                                   .tls = search->sync->tls,
                                   .cancel_fd = search->sync->stop_fd,
                                   .connect_ms = step_ms(search, GUESS_MS)};
    struct stream *stream = stream_connect(&params, &why);
    bool is_there = stream != NULL;
    stream_free(&stream);
    return is_there;
}

static struct server guess(struct search *search, const char *const names[3], int port)
{
    for (size_t i = 0; i < 3; i++) {
        struct str host =
            arena_printf(search->arena, "%s%" STR_FMT, names[i], STR_ARG(search->domain));
        if (!deadline_passed(search->deadline) && answers(search, host, port))
            return (struct server){host, port, "implicit", search->email};
    }
    return (struct server){0};
}

static void search_usual_names(struct search *search)
{
    static const char *const imap_names[] = {"imap.", "mail.", ""};
    static const char *const pop3_names[] = {"pop.", "pop3.", "mail."};
    static const char *const smtp_names[] = {"smtp.", "mail.", ""};
    struct server imap = guess(search, imap_names, 993);
    struct server pop3 = guess(search, pop3_names, 995);
    if (imap.host.length == 0 && pop3.host.length == 0)
        return;
    struct server smtp = guess(search, smtp_names, 465);
    add(search, (struct candidate){"guess", "imap", imap, smtp});
    add(search, (struct candidate){"guess", "pop3", pop3, smtp});
}

/* --- the answer ------------------------------------------------------------------------------ */

static void write_server(struct json *json, const char *name, const struct server *server)
{
    json_write_name(json, name);
    if (server->host.length == 0) {
        json_write_null(json);
        return;
    }
    json_write_object(json);
    json_write_name(json, "host");
    json_write_str(json, server->host);
    json_write_name(json, "port");
    json_write_i64(json, server->port);
    json_write_name(json, "tls");
    json_write_text(json, server->tls);
    json_write_name(json, "username");
    json_write_str(json, server->username);
    json_write_object_end(json);
}

static void write_candidates(struct json *json, const struct search *search)
{
    size_t recommended = 0; /* IMAP where both are offered: folders and flags stay in step */
    while (recommended < search->count && strcmp(search->at[recommended].kind, "imap") != 0)
        recommended++;
    json_write_object(json);
    json_write_name(json, "candidates");
    json_write_array(json);
    for (size_t i = 0; i < search->count; i++) {
        const struct candidate *candidate = &search->at[i];
        json_write_object(json);
        json_write_name(json, "source");
        json_write_text(json, candidate->source);
        json_write_name(json, "kind");
        json_write_text(json, candidate->kind);
        write_server(json, "incoming", &candidate->incoming);
        write_server(json, "smtp", &candidate->smtp);
        json_write_object_end(json);
    }
    json_write_array_end(json);
    json_write_name(json, "recommended");
    json_write_i64(json, recommended < search->count ? (int64_t)recommended : 0);
    const struct provider *provider = provider_of(search->domain);
    json_write_name(json, "hint");
    json_write_text(json, provider && provider->hint ? provider->hint : "");
    json_write_object_end(json);
}

bool discover_servers(const struct sync_context *sync, struct arena *arena, struct str email,
                      struct json *json, struct error *err)
{
    struct search search = {.sync = sync,
                            .arena = arena,
                            .email = email,
                            .domain = email,
                            .deadline = deadline_in_ms(SEARCH_MS)};
    char ascii[RESOLVE_HOST_BYTES];
    str_cut(&search.domain, '@');
    if (!search.domain.at || !resolve_ascii(search.domain, ascii, err))
        return error_set(err, ERROR_INVALID, "That is not a mail address.");
    search.domain = arena_str(arena, str_of(ascii));
    if (!egress_check_host(search.domain, err))
        return false;
    if (!search_table(&search) && !search_autoconfig(&search) && !search_srv(&search))
        search_usual_names(&search);
    write_candidates(json, &search);
    return true;
}
