#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/http/door_http_private.h"

enum { REAP_EVERY_MS = 250 };

/* Whose connections are counted together: an IPv6 customer has a /64 at least. */
static size_t counted_bytes(const unsigned char address[16])
{
    static const unsigned char ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, ipv4_prefix, sizeof ipv4_prefix) == 0 ? 16 : 8;
}

static struct client **bucket_of(struct clients *clients, const unsigned char address[16])
{
    uint32_t hash = 2166136261u; /* FNV-1a: long chains only cost their owner's /64 time */
    for (size_t i = 0; i < counted_bytes(address); i++)
        hash = (hash ^ address[i]) * 16777619u;
    return &clients->buckets[hash % CLIENT_BUCKETS];
}

int clients_of_address(struct clients *clients, const unsigned char address[16])
{
    int count = 0;
    size_t bytes = counted_bytes(address);
    pthread_mutex_lock(&clients->lock);
    for (struct client *client = *bucket_of(clients, address); client; client = client->next)
        count += client->has_address && memcmp(client->address, address, bytes) == 0;
    pthread_mutex_unlock(&clients->lock);
    return count;
}

struct client *clients_add(struct clients *clients, const struct sockaddr *peer, int fd)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        abort();
    client->fd = fd;
    client->has_address = ip_of(peer, client->address);
    atomic_init(&client->deadline_ms, INT64_MAX);
    pthread_mutex_lock(&clients->lock);
    client->link = bucket_of(clients, client->address);
    client->next = *client->link;
    if (client->next)
        client->next->link = &client->next;
    *client->link = client;
    atomic_fetch_add(&door_gauges.connections, 1);
    pthread_mutex_unlock(&clients->lock);
    return client;
}

void clients_remove(struct clients *clients, struct client *client)
{
    pthread_mutex_lock(&clients->lock);
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    atomic_fetch_sub(&door_gauges.connections, 1);
    pthread_mutex_unlock(&clients->lock);
    free(client);
}

void client_set_deadline(struct client *client, int64_t in_ms)
{
    atomic_store(&client->deadline_ms, clock_monotonic_ms() + in_ms);
}

void client_clear_deadline(struct client *client)
{
    atomic_store(&client->deadline_ms, INT64_MAX);
}

/* A descriptor in the table is open: libmicrohttpd gives its CLOSED notice before it closes. It
 * sees the shutdown as the client's own end. */
static void reap(struct clients *clients, int64_t now_ms)
{
    for (size_t i = 0; i < CLIENT_BUCKETS; i++)
        for (struct client *client = clients->buckets[i]; client; client = client->next)
            if (atomic_load(&client->deadline_ms) <= now_ms) {
                client_clear_deadline(client);
                shutdown(client->fd, SHUT_RDWR);
            }
}

static void *run_reaper(void *context)
{
    struct clients *clients = context;
    pthread_mutex_lock(&clients->lock);
    while (!clients->is_stopping) {
        int64_t now_ms = clock_monotonic_ms();
        int64_t next_ms = now_ms + REAP_EVERY_MS;
        struct timespec next = {next_ms / 1000, next_ms % 1000 * 1000000};
        reap(clients, now_ms);
        pthread_cond_timedwait(&clients->stopping, &clients->lock, &next);
    }
    pthread_mutex_unlock(&clients->lock);
    return NULL;
}

bool clients_start(struct clients *clients, struct error *err)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&clients->stopping, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&clients->lock, NULL);
    if (pthread_create(&clients->reaper, NULL, run_reaper, clients) == 0) {
        pthread_setname_np(clients->reaper, "http-reaper");
        return true;
    }
    pthread_mutex_destroy(&clients->lock);
    pthread_cond_destroy(&clients->stopping);
    return error_set(err, ERROR_INTERNAL, "the system gives no thread");
}

void clients_stop(struct clients *clients)
{
    pthread_mutex_lock(&clients->lock);
    clients->is_stopping = true;
    pthread_cond_signal(&clients->stopping);
    pthread_mutex_unlock(&clients->lock);
    pthread_join(clients->reaper, NULL);
}
