#include "server/sync/hosts.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/log.h"
#include "server/sync/backoff.h"

enum {
    BUCKETS = 256,
    NAME_BYTES = 272, /* a DNS name, a colon, a port */
    FIRST_BACKOFF_MS = 5 * 1000,
    BACKOFF_MAX_MS = 15 * 60 * 1000,
    URGENT_MS = 3000,         /* people's clicks try a host that is down no more often */
    ASK_AGAIN_MS = 60 * 1000, /* the line is what counts; this is for what nobody thought of */
    BUSY_MS = 1000,           /* an account with enough connections */
    REMEMBERED_MAX = 4096,    /* hosts; then those are forgotten that nobody is at */
};

struct host {
    struct host *next; /* in its bucket */
    char name[NAME_BYTES];
    size_t visitors;     /* places that name it */
    int connections;     /* granted, being made, made */
    int connecting;      /* granted, being made */
    int leaving;         /* of those made: asked to make room */
    bool has_answered;   /* once, in the life of this process */
    int failures;        /* in a row; 0: it is not down */
    int64_t again_at_ms; /* when one account may try a host that is down */
    int64_t tried_at_ms; /* when one began to, last */
    int64_t credit_us;   /* of connections to come: each costs what per_second says */
    int64_t credited_at_ms;
    struct error why;
    struct host_place *first, *last; /* the line */
    size_t waiting;
};

/* Connections of an account. */
struct holder {
    struct holder *next;
    int64_t account_id;
    int count;
};

struct hosts {
    struct hosts_rules rules;
    pthread_mutex_t lock; /* guards all below, and every place */
    struct host *buckets[BUCKETS];
    struct holder *holders[BUCKETS];
    size_t count;
    size_t waiting; /* in all lines */
};

struct hosts *hosts_new(const struct hosts_rules *rules)
{
    struct hosts *hosts = calloc(1, sizeof *hosts);
    if (!hosts)
        abort();
    hosts->rules = *rules;
    pthread_mutex_init(&hosts->lock, NULL);
    return hosts;
}

void hosts_free(struct hosts **owner)
{
    struct hosts *hosts = *owner;
    if (!hosts)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        assert(!hosts->holders[i]);
        while (hosts->buckets[i]) {
            struct host *host = hosts->buckets[i];
            assert(host->visitors == 0);
            hosts->buckets[i] = host->next;
            free(host);
        }
    }
    pthread_mutex_destroy(&hosts->lock);
    free(hosts);
    *owner = NULL;
}

/* --- who is there ----------------------------------------------------------------------------- */

static size_t bucket_of(const char *name)
{
    uint32_t hash = 2166136261; /* FNV-1a: names are people's, the chains they may make are short */
    for (const char *at = name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619;
    return hash % BUCKETS;
}

/* Forgets hosts that nobody is at. */
static void forget(struct hosts *hosts)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct host **at = &hosts->buckets[i];
        while (*at) {
            struct host *host = *at;
            if (host->visitors > 0) {
                at = &host->next;
                continue;
            }
            *at = host->next;
            hosts->count--;
            free(host);
        }
    }
}

static struct host *find(struct hosts *hosts, struct str name, int port, int64_t now_ms)
{
    char text[NAME_BYTES];
    int length = snprintf(text, sizeof text, "%" STR_FMT ":%d",
                          STR_ARG(str_sub(name, 0, NAME_BYTES - 16)), port);
    for (int i = 0; i < length; i++)
        text[i] = ascii_lower(text[i]);
    struct host **bucket = &hosts->buckets[bucket_of(text)];
    for (struct host *host = *bucket; host; host = host->next)
        if (strcmp(host->name, text) == 0)
            return host;
    if (hosts->count >= REMEMBERED_MAX)
        forget(hosts);
    struct host *host = calloc(1, sizeof *host);
    if (!host)
        abort();
    memcpy(host->name, text, (size_t)length + 1);
    host->credited_at_ms = now_ms;
    host->credit_us = 1000000;
    host->next = *bucket;
    *bucket = host;
    hosts->count++;
    return host;
}

static struct holder **holder_of(struct hosts *hosts, int64_t account_id)
{
    struct holder **at = &hosts->holders[(uint64_t)account_id % BUCKETS];
    while (*at && (*at)->account_id != account_id)
        at = &(*at)->next;
    return at;
}

static bool has_enough(struct hosts *hosts, int64_t account_id)
{
    const struct holder *holder = *holder_of(hosts, account_id);
    return hosts->rules.account_connections > 0 && holder &&
           holder->count >= hosts->rules.account_connections;
}

static void hold(struct hosts *hosts, int64_t account_id, int change)
{
    struct holder **at = holder_of(hosts, account_id);
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at)
            abort();
        (*at)->account_id = account_id;
    }
    struct holder *holder = *at;
    holder->count += change;
    if (holder->count > 0)
        return;
    *at = holder->next;
    free(holder);
}

/* --- when the next may come ------------------------------------------------------------------- */

/* What a connection costs; 0: as many as one likes. */
static int64_t price_us(const struct hosts *hosts)
{
    return hosts->rules.per_second > 0 ? 1000000 / hosts->rules.per_second : 0;
}

/* A second's worth may be saved up. */
static void credit(struct host *host, int64_t now_ms)
{
    host->credit_us += (now_ms - host->credited_at_ms) * 1000;
    host->credited_at_ms = now_ms;
    if (host->credit_us > 1000000)
        host->credit_us = 1000000;
}

static bool may_enter(const struct hosts *hosts, struct host *host, bool is_urgent, int64_t now_ms)
{
    const struct hosts_rules *rules = &hosts->rules;
    credit(host, now_ms);
    if (host->failures > 0)
        return host->connecting == 0 && (now_ms >= host->again_at_ms ||
                                         (is_urgent && now_ms >= host->tried_at_ms + URGENT_MS));
    if (rules->connections > 0 && host->connections >= rules->connections)
        return false;
    /* one that nobody has met yet is met by one first, unless somebody waits */
    if (host->connecting >= (host->has_answered || is_urgent ? rules->connecting : 1))
        return false;
    return host->credit_us >= (is_urgent ? -1000000 : price_us(hosts));
}

static void unline(struct hosts *hosts, struct host_place *place)
{
    struct host *host = place->host;
    *(place->before ? &place->before->after : &host->first) = place->after;
    *(place->after ? &place->after->before : &host->last) = place->before;
    place->before = place->after = NULL;
    host->waiting--;
    hosts->waiting--;
}

/* Those that somebody waits for stand in front. */
static void line_up(struct hosts *hosts, struct host_place *place)
{
    struct host *host = place->host;
    place->before = place->is_urgent ? NULL : host->last;
    place->after = place->is_urgent ? host->first : NULL;
    *(place->before ? &place->before->after : &host->first) = place;
    *(place->after ? &place->after->before : &host->last) = place;
    host->waiting++;
    hosts->waiting++;
    place->state = PLACE_WAITING;
}

/* Counts it from now on. */
static void grant(struct hosts *hosts, struct host_place *place, enum place_state state,
                  int64_t now_ms)
{
    struct host *host = place->host;
    if (place->state == PLACE_WAITING)
        unline(hosts, place);
    place->state = state;
    host->connections++;
    host->connecting++;
    host->tried_at_ms = now_ms;
    host->credit_us -= price_us(hosts);
    hold(hosts, place->account_id, 1);
}

static void leave(struct hosts *hosts, struct host_place *place)
{
    struct host *host = place->host;
    if (place->state == PLACE_WAITING)
        unline(hosts, place);
    if (place->state >= PLACE_GRANTED) {
        host->connections--;
        host->connecting -= place->state != PLACE_CONNECTED;
        hold(hosts, place->account_id, -1);
    }
    host->leaving -= place->is_leaving;
    host->visitors--;
    place->host = NULL;
    place->state = PLACE_NONE;
    place->is_urgent = place->is_leaving = false;
}

/* --- the interface ---------------------------------------------------------------------------- */

static void go_to(struct hosts *hosts, struct host_place *place, struct str name, int port,
                  int64_t now_ms)
{
    struct host *host = find(hosts, name, port, now_ms);
    if (place->host == host)
        return;
    if (place->host) /* the settings were changed */
        leave(hosts, place);
    place->host = host;
    host->visitors++;
}

static void stand_in_line(struct hosts *hosts, struct host_place *place, bool is_urgent)
{
    bool is_in_line = place->state == PLACE_WAITING;
    if (is_in_line && (place->is_urgent || !is_urgent))
        return;
    if (is_in_line)
        unline(hosts, place);
    place->is_urgent = is_urgent;
    line_up(hosts, place);
}

static enum hosts_answer ask(struct hosts *hosts, struct host_place *place, bool is_urgent,
                             int64_t now_ms, int64_t *wait_ms, struct error *why)
{
    struct host *host = place->host;
    if (place->state == PLACE_GRANTED) {
        place->state = PLACE_CONNECTING;
        return HOSTS_GO;
    }
    assert(place->state < PLACE_GRANTED);
    *wait_ms = BUSY_MS;
    if (has_enough(hosts, place->account_id)) {
        leave(hosts, place);
        return HOSTS_LATER;
    }
    bool is_first = is_urgent || !host->first || host->first == place;
    if (is_first && may_enter(hosts, host, is_urgent, now_ms)) {
        grant(hosts, place, PLACE_CONNECTING, now_ms);
        return HOSTS_GO;
    }
    stand_in_line(hosts, place, is_urgent);
    if (host->failures == 0) {
        *wait_ms = backoff_jittered(ASK_AGAIN_MS);
        return HOSTS_LATER;
    }
    *wait_ms = host->again_at_ms > now_ms ? host->again_at_ms - now_ms : BUSY_MS;
    *why = host->why;
    return HOSTS_DOWN;
}

enum hosts_answer hosts_enter(struct hosts *hosts, struct host_place *place, struct str name,
                              int port, bool is_urgent, int64_t now_ms, int64_t *wait_ms,
                              struct error *why)
{
    pthread_mutex_lock(&hosts->lock);
    go_to(hosts, place, name, port, now_ms);
    enum hosts_answer answer = ask(hosts, place, is_urgent, now_ms, wait_ms, why);
    pthread_mutex_unlock(&hosts->lock);
    return answer;
}

void hosts_met(struct hosts *hosts, struct host_place *place)
{
    pthread_mutex_lock(&hosts->lock);
    struct host *host = place->host;
    assert(place->state == PLACE_CONNECTING);
    place->state = PLACE_CONNECTED;
    host->connecting--;
    if (host->failures > 0)
        LOG_INFO("host.up", log_text("host", host->name),
                 log_int("waiting", (int64_t)host->waiting));
    host->failures = 0;
    host->has_answered = true;
    pthread_mutex_unlock(&hosts->lock);
}

int64_t hosts_missed(struct hosts *hosts, struct host_place *place, int64_t now_ms,
                     const struct error *why)
{
    pthread_mutex_lock(&hosts->lock);
    struct host *host = place->host;
    assert(place->state >= PLACE_CONNECTING);
    leave(hosts, place);
    /* several that were under way together are one failure, as are people's clicks */
    if (host->failures == 0 || now_ms >= host->again_at_ms) {
        int64_t wait = backoff_ms(FIRST_BACKOFF_MS, BACKOFF_MAX_MS, ++host->failures);
        if (why->retry_after_ms > wait)
            wait = why->retry_after_ms < BACKOFF_MAX_MS ? why->retry_after_ms : BACKOFF_MAX_MS;
        host->again_at_ms = now_ms + backoff_jittered(wait);
        LOG_WARN("host.down", log_text("host", host->name), log_int("failures", host->failures),
                 log_int("again_ms", host->again_at_ms - now_ms), LOG_ERR(why));
    }
    host->why = *why;
    int64_t again_ms = host->again_at_ms - now_ms;
    pthread_mutex_unlock(&hosts->lock);
    return again_ms > 0 ? again_ms : 0;
}

void hosts_leave(struct hosts *hosts, struct host_place *place)
{
    pthread_mutex_lock(&hosts->lock);
    if (place->host)
        leave(hosts, place);
    pthread_mutex_unlock(&hosts->lock);
}

bool hosts_has_turn(struct hosts *hosts, const struct host_place *place)
{
    pthread_mutex_lock(&hosts->lock);
    bool has_turn = place->state == PLACE_GRANTED;
    pthread_mutex_unlock(&hosts->lock);
    return has_turn;
}

void hosts_settle(struct hosts *hosts, struct host_place *place, bool had_turn)
{
    pthread_mutex_lock(&hosts->lock);
    if (place->state > PLACE_GRANTED || (place->state == PLACE_GRANTED && had_turn))
        leave(hosts, place);
    pthread_mutex_unlock(&hosts->lock);
}

struct host_place *hosts_next(struct hosts *hosts, int64_t now_ms)
{
    struct host_place *place = NULL;
    pthread_mutex_lock(&hosts->lock);
    for (size_t i = 0; i < BUCKETS && hosts->waiting > 0 && !place; i++)
        for (struct host *host = hosts->buckets[i]; host && !place; host = host->next)
            if (host->first && may_enter(hosts, host, host->first->is_urgent, now_ms))
                place = host->first;
    if (place)
        grant(hosts, place, PLACE_GRANTED, now_ms);
    pthread_mutex_unlock(&hosts->lock);
    return place;
}

/* When time alone lets the first of the line in; what else it waits for tells of itself. */
static int64_t line_wait_ms(const struct hosts *hosts, struct host *host, int64_t now_ms)
{
    credit(host, now_ms);
    if (host->failures > 0 && host->connecting == 0) {
        int64_t at_ms = host->again_at_ms;
        if (host->first->is_urgent && host->tried_at_ms + URGENT_MS < at_ms)
            at_ms = host->tried_at_ms + URGENT_MS;
        return at_ms - now_ms;
    }
    int64_t missing_us = price_us(hosts) - host->credit_us;
    return host->failures == 0 && missing_us > 0 ? missing_us / 1000 + 1 : INT64_MAX;
}

int64_t hosts_wait_ms(struct hosts *hosts, int64_t now_ms, int64_t most_ms)
{
    int64_t wait_ms = most_ms;
    pthread_mutex_lock(&hosts->lock);
    for (size_t i = 0; i < BUCKETS && hosts->waiting > 0; i++)
        for (struct host *host = hosts->buckets[i]; host; host = host->next) {
            int64_t line_ms = host->first ? line_wait_ms(hosts, host, now_ms) : most_ms;
            if (line_ms < wait_ms)
                wait_ms = line_ms;
        }
    pthread_mutex_unlock(&hosts->lock);
    return wait_ms > 0 ? wait_ms : 0;
}

bool hosts_is_crowded(struct hosts *hosts)
{
    pthread_mutex_lock(&hosts->lock);
    bool is_crowded = hosts->rules.connections > 0 && hosts->waiting > 0;
    pthread_mutex_unlock(&hosts->lock);
    return is_crowded;
}

bool hosts_must_leave(struct hosts *hosts, struct host_place *place)
{
    pthread_mutex_lock(&hosts->lock);
    struct host *host = place->host;
    int most = hosts->rules.connections;
    if (place->state == PLACE_CONNECTED && !place->is_leaving && most > 0 &&
        host->connections >= most && host->failures == 0 && (size_t)host->leaving < host->waiting) {
        place->is_leaving = true;
        host->leaving++;
    }
    bool must_leave = place->is_leaving;
    pthread_mutex_unlock(&hosts->lock);
    return must_leave;
}
