/* The sync role: opens what its parts share, and runs them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/serve.h"
#include "server/sync/hosts.h"
#include "server/sync/sync.h"

enum { RULE_BYTES_MAX = 64 * 1024 };

static void join(struct buf *out, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, "%s%s", out->length ? " " : "", list->at[i]);
}

static struct egress *open_egress(const struct config *config, struct error *err)
{
    struct buf allowed = BUF_INIT(RULE_BYTES_MAX), ports = BUF_INIT(RULE_BYTES_MAX);
    join(&allowed, &config->egress_networks);
    join(&allowed, &config->egress_hosts);
    join(&ports, &config->egress_ports);
    struct egress *egress = egress_new(buf_view(&allowed), buf_view(&ports), err);
    buf_free(&allowed);
    buf_free(&ports);
    return egress;
}

/* The same after a restart, so that a former life's leases are known as ours. */
static struct str lease_owner(struct serve_context *c)
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    return arena_printf(c->arena, "%s:%s", host, c->config->state_directory);
}

/* NULL where the database's user may not have it: then everything goes the ordinary way. */
static struct store *open_bulk(struct store *ordinary, const struct store_options *its_options)
{
    struct store_options options = *its_options;
    options.is_bulk = true;
    options.beside = ordinary;
    return store_may_be_bulk(ordinary) ? store_open(&options, NULL) : NULL;
}

int serve_sync(struct serve_context *c)
{
    struct error err = ERROR_INIT;
    const struct config *config = c->config;
    struct store_options store_options = {.role = STORE_SYNC,
                                          .conninfo = c->owner_conninfo,
                                          .connections_max = (int)config->sync_connections};
    struct parser_options parser_options = {.children = (int)config->parser_children};
    const char *ca_file = config->ca_file[0] ? config->ca_file : NULL;
    struct sync_context sync = {.keys = &c->keys,
                                .owner = lease_owner(c),
                                .workers = (int)config->sync_workers,
                                .pop3_session_ms = config->pop3_session * 1000,
                                .allow_plaintext = config->allow_plaintext};
    struct hosts_rules rules = {.connections = (int)config->host_connections,
                                .account_connections = (int)config->account_connections,
                                .per_second = (int)config->host_connects_per_second,
                                .connecting = sync.workers > 1 ? sync.workers / 2 : 1};
    struct hosts_rules sending_rules = {.connections = SYNC_SENDERS / 4,
                                        .per_second = rules.per_second,
                                        .connecting = SYNC_SENDERS / 8};
    if (rules.connections > 0 && rules.connections < sending_rules.connections)
        sending_rules.connections = rules.connections;
    int status = 1;
    log_set_role("sync");
    for (size_t i = 0; i < c->http_listeners + c->fastcgi_listeners; i++)
        close(c->listeners[i]);
    struct egress *egress = open_egress(config, &err);
    sync.egress = egress;
    sync.ca_file = ca_file;
    sync.hosts = hosts_new(&rules);
    sync.sending_hosts = hosts_new(&sending_rules);
    if (egress && (sync.tls = tls_context_new(ca_file, &err)) &&
        (sync.parsers = parser_pool_new(&parser_options, &err)) &&
        (sync.store = store_open(&store_options, &err))) {
        sync.bulk = open_bulk(sync.store, &store_options);
        status = sync_run(&sync);
    } else {
        LOG_ERROR("sync.start", LOG_ERR(&err));
    }
    store_close(&sync.bulk);
    store_close(&sync.store);
    parser_pool_free(&sync.parsers);
    hosts_free(&sync.hosts);
    hosts_free(&sync.sending_hosts);
    tls_context_free(&sync.tls);
    egress_free(&egress);
    secret_wipe(&c->keys, sizeof c->keys);
    return status;
}
