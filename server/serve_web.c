/* The web role: opens what handlers have at hand, builds the router, and runs the doors. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "handlers/html/html.h"
#include "handlers/html/render_cache.h"
#include "handlers/lately.h"
#include "handlers/routes.h"
#include "handlers/system.h"
#include "handlers/wait.h"
#include "server/base/fence.h"
#include "server/base/log.h"
#include "server/http/door_cgi.h"
#include "server/http/door_fcgi.h"
#include "server/http/door_http.h"
#include "server/http/static.h"
#include "server/serve.h"

enum { STATEMENT_MS = 30 * 1000, GATEWAY_CONNECTIONS = 4, PROXIES_MAX = 64 };

struct web {
    struct app app;
    struct template_function functions[1];
    struct router *router;
    struct network proxies[PROXIES_MAX];
    struct door_options door_options;
    struct door_http *http[SERVE_LISTENERS_MAX];
    struct door_fcgi *fastcgi;
};

static bool read_proxies(struct web *web, const struct config *config, struct error *err)
{
    for (size_t i = 0; i < config->trusted_proxies.count; i++) {
        struct str text = str_of(config->trusted_proxies.at[i]);
        if (str_equal(text, STR("unix"))) {
            web->door_options.trusts_unix_peers = true;
            continue;
        }
        if (web->door_options.proxy_count == PROXIES_MAX)
            return error_set(err, ERROR_INVALID, "more than %d trusted proxies", PROXIES_MAX);
        if (!network_parse(text, &web->proxies[web->door_options.proxy_count++], err))
            return error_wrap(err, "trusted_proxies");
    }
    web->door_options.proxies = web->proxies;
    return true;
}

static bool set_door_options(struct web *web, struct serve_context *c, struct error *err)
{
    const struct config *config = c->config;
    web->door_options = door_defaults(web->router);
    web->door_options.workers = (int)config->web_threads;
    web->door_options.connections_max = (int)config->http_connections;
    web->door_options.per_address_max = config->http_connections_per_address
                                            ? (int)config->http_connections_per_address
                                            : (int)config->http_connections;
    web->door_options.idle_ms = (int)config->http_timeout * 1000;
    web->door_options.transfer_ms = (int)config->http_deadline * 1000;
    web->door_options.spool_folder = config_state_path(c->arena, config, "spool");
    return read_proxies(web, config, err);
}

static bool open_app(struct web *web, struct serve_context *c, int connections, struct error *err)
{
    struct app *app = &web->app;
    struct store_options store_options = {.role = STORE_WEB,
                                          .conninfo = c->web_conninfo,
                                          .connections_max = connections,
                                          .statement_timeout_ms = STATEMENT_MS};
    struct parser_options parser_options = {.children = (int)c->config->parser_children};
    int places = (int)c->config->web_threads / 2;
    size_t route_count;
    const struct route *routes = all_routes(c->arena, &route_count);
    app->config = c->config;
    app->seal_key = c->public_key;
    app->request_counts = request_counts_new(routes, route_count);
    app->looked = lately_new();
    app->renderings = render_cache_new();
    app->owned = lately_new();
    app->statics = static_new();
    web->functions[0] =
        (struct template_function){.name = "asset", .call = html_asset, .context = app->statics};
    app->templates = templates_load(web->functions, 1, err);
    web->router = router_new(routes, route_count, &app_hooks, app);
    router_set_upload_limit(web->router, (uint64_t)c->config->upload_bytes);
    router_set_import_limit(web->router, (uint64_t)c->config->import_bytes);
    return app->templates && (app->parsers = parser_pool_new(&parser_options, err)) &&
           (app->store = store_open(&store_options, err)) &&
           (app->waiters = waiters_new(app->store, places > 0 ? places : 1, err)) &&
           set_door_options(web, c, err);
}

static void close_app(struct web *web)
{
    waiters_free(&web->app.waiters);
    store_close(&web->app.store);
    parser_pool_free(&web->app.parsers);
    router_free(&web->router);
    templates_free(&web->app.templates);
    render_cache_free(&web->app.renderings);
    lately_free(&web->app.looked);
    lately_free(&web->app.owned);
    static_free(&web->app.statics);
    request_counts_free(&web->app.request_counts);
}

static bool open_doors(struct web *web, struct serve_context *c, struct error *err)
{
    if (c->fastcgi_listeners > 1)
        return error_set(err, ERROR_INVALID, "listen_fastcgi takes one address");
    for (size_t i = 0; i < c->http_listeners; i++)
        if (!(web->http[i] = door_http_start(&web->door_options, c->listeners[i], err)))
            return false;
    return c->fastcgi_listeners == 0 ||
           (web->fastcgi =
                door_fcgi_start(&web->door_options, c->listeners[c->http_listeners], err));
}

static void close_doors(struct web *web)
{
    for (size_t i = 0; i < SERVE_LISTENERS_MAX; i++)
        door_http_stop(&web->http[i]);
    door_fcgi_stop(&web->fastcgi);
}

static void wait_for_stop(void)
{
    sigset_t signals;
    int signal_number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    sigwait(&signals, &signal_number);
}

/* What is sealed here cannot be opened here: not by what we hold, nor by what lies on the disk.
 * With a PostgreSQL of our own, which is a socket, there is nobody to connect to either. */
static void give_up_keys(struct serve_context *c)
{
    secret_wipe(&c->keys, sizeof c->keys);
    setenv("TMPDIR", config_state_path(c->arena, c->config, "spool"), 1);
    bool has_network = c->config->database[0] != '\0';
    if (!fence_off(config_state_path(c->arena, c->config, "keys"), has_network))
        LOG_INFO("web.unfenced", log_text("why", "the kernel has no Landlock"));
}

int serve_web(struct serve_context *c)
{
    static struct web web;
    struct error err = ERROR_INIT;
    log_set_role("web");
    give_up_keys(c);
    bool is_open =
        open_app(&web, c, (int)c->config->web_connections, &err) && open_doors(&web, c, &err);
    if (is_open) {
        LOG_INFO("web.started", log_int("threads", c->config->web_threads));
        wait_for_stop();
        LOG_INFO("web.stopping");
        waiters_stop(web.app.waiters);
    } else {
        LOG_ERROR("web.start", LOG_ERR(&err));
    }
    close_doors(&web);
    close_app(&web);
    return is_open ? 0 : 1;
}

int serve_gateway(struct serve_context *c)
{
    static struct web web;
    struct error err = ERROR_INIT;
    extern char **environ;
    log_set_role("web");
    bool is_cgi = door_cgi_is_asked(environ);
    bool is_good = open_app(&web, c, is_cgi ? 1 : GATEWAY_CONNECTIONS, &err);
    if (!is_good) {
        LOG_ERROR("web.start", LOG_ERR(&err));
    } else if (is_cgi) {
        is_good = door_cgi_serve(&web.door_options, environ, STDIN_FILENO, STDOUT_FILENO);
    } else if (door_fcgi_is_asked()) {
        is_good = (web.fastcgi = door_fcgi_start(&web.door_options, STDIN_FILENO, &err)) != NULL;
        if (is_good)
            wait_for_stop();
        else
            LOG_ERROR("web.start", LOG_ERR(&err));
    } else {
        LOG_ERROR("web.start",
                  log_text("why", "no web server started this: descriptor 0 is no "
                                  "listening socket and GATEWAY_INTERFACE is not set"));
        is_good = false;
    }
    close_doors(&web);
    close_app(&web);
    return is_good ? 0 : 1;
}
