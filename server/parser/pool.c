#include "server/parser/pool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/log.h"

enum {
    POOL_MAGIC = 0x504f4f4c,
    CHILDREN_MAX = 64,
    START_MS = 30000,        /* loading ICU's tables on a busy machine */
    REQUESTS_A_CHILD = 2000, /* then it is replaced: what one message left in it goes with it */
};

/* A place for a child. Belongs to the thread that set `is_busy`. */
struct slot {
    bool is_busy;
    pid_t pid; /* 0: no child now */
    int socket;
    unsigned requests;
};

/* Shared by all threads; `lock` guards everything but the inside of busy slots. */
struct parser_pool {
    unsigned magic;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    const char *program;
    int deadline_ms;
    size_t memory_bytes;
    bool is_permissive;
    struct parser_counts counts;
    int slot_count;
    struct slot slots[CHILDREN_MAX];
};

struct parser_pool *parser_pool_new(const struct parser_options *options, struct error *err)
{
    if (options->children < 0 || options->children > CHILDREN_MAX) {
        error_set(err, ERROR_INVALID, "a parser pool has 1 to %d children", (int)CHILDREN_MAX);
        return NULL;
    }
    struct parser_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        abort();
    pool->magic = POOL_MAGIC;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->freed, NULL);
    pool->program = options->program ? options->program : "/proc/self/exe";
    pool->deadline_ms = options->deadline_ms ? options->deadline_ms : PARSER_DEADLINE_MS;
    pool->memory_bytes = options->memory_bytes ? options->memory_bytes : PARSER_MEMORY_BYTES;
    pool->is_permissive = options->is_permissive;
    pool->slot_count = options->children ? options->children : PARSER_CHILDREN;
    return pool;
}

/* Ends a child, whatever it does, and waits for it. */
static void end_child(struct slot *slot)
{
    if (!slot->pid)
        return;
    close(slot->socket);
    kill(slot->pid, SIGKILL);
    while (waitpid(slot->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    slot->pid = 0;
    slot->requests = 0;
}

void parser_pool_free(struct parser_pool **pool)
{
    if (!*pool)
        return;
    assert((*pool)->magic == POOL_MAGIC);
    for (int i = 0; i < (*pool)->slot_count; i++) {
        assert(!(*pool)->slots[i].is_busy);
        end_child(&(*pool)->slots[i]);
    }
    pthread_cond_destroy(&(*pool)->freed);
    pthread_mutex_destroy(&(*pool)->lock);
    (*pool)->magic = 0;
    free(*pool);
    *pool = NULL;
}

void parser_pool_counts(struct parser_pool *pool, struct parser_counts *counts)
{
    pthread_mutex_lock(&pool->lock);
    *counts = pool->counts;
    pthread_mutex_unlock(&pool->lock);
}

void parser_count_poison(struct parser_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->counts.poison++;
    pthread_mutex_unlock(&pool->lock);
    LOG_WARN("parser.poison");
}

/* A free place, one with a living child first; waits for its turn. */
static struct slot *take_slot(struct parser_pool *pool)
{
    struct slot *found = NULL;
    pthread_mutex_lock(&pool->lock);
    while (!found) {
        for (int i = 0; i < pool->slot_count; i++) {
            struct slot *slot = &pool->slots[i];
            if (!slot->is_busy && (!found || (slot->pid && !found->pid)))
                found = slot;
        }
        if (!found)
            pthread_cond_wait(&pool->freed, &pool->lock);
    }
    found->is_busy = true;
    pool->counts.busy++;
    pool->counts.requests++;
    pool->counts.children -= found->pid != 0; /* counted again when it comes back */
    pthread_mutex_unlock(&pool->lock);
    return found;
}

static void give_slot(struct parser_pool *pool, struct slot *slot)
{
    pthread_mutex_lock(&pool->lock);
    slot->is_busy = false;
    pool->counts.busy--;
    pool->counts.children += slot->pid != 0;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

/* What the child may know of our environment: how sanitizers report. No secrets. */
static void fill_environment(char *environment[], size_t size)
{
    static const char *const names[] = {
        "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "RESTANTE_PARSER_TEST="};
    size_t count = 0;
    for (char **at = environ; *at && count + 1 < size; at++)
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (!strncmp(*at, names[i], strlen(names[i])) && count + 1 < size)
                environment[count++] = *at;
    environment[count] = NULL;
}

/* The child finds its end of the socket as its standard input. */
static bool spawn(const struct parser_pool *pool, int child_end, pid_t *pid, struct error *err)
{
    char *const arguments[] = {"restante", "parser", NULL};
    char *environment[8];
    fill_environment(environment, sizeof environment / sizeof environment[0]);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, child_end, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int code = posix_spawn(pid, pool->program, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    errno = code;
    return code == 0 || error_errno(err, ERROR_INTERNAL, "cannot start a parser");
}

/* Hands over the limits and waits until the sandbox is closed. */
static bool greet(const struct parser_pool *pool, const struct slot *slot, struct error *err)
{
    struct deadline deadline = deadline_in_ms(START_MS);
    struct buf start = BUF_INIT(64), answer = BUF_INIT(64);
    enum protocol_kind kind;
    wire_put_u64(&start, pool->memory_bytes);
    wire_put_u8(&start, pool->is_permissive);
    bool is_good = protocol_send(slot->socket, PROTOCOL_START, buf_view(&start), STR_EMPTY, -1,
                                 deadline) == PROTOCOL_OK &&
                   protocol_receive(slot->socket, &kind, &answer, NULL, deadline) == PROTOCOL_OK &&
                   kind == PROTOCOL_START;
    buf_free(&start);
    buf_free(&answer);
    return is_good || error_set(err, ERROR_INTERNAL, "a parser does not start");
}

static bool start_child(const struct parser_pool *pool, struct slot *slot, struct error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return error_errno(err, ERROR_INTERNAL, "cannot make a socket for a parser");
    bool is_started = spawn(pool, ends[1], &slot->pid, err);
    close(ends[1]);
    if (!is_started) {
        close(ends[0]);
        slot->pid = 0;
        return false;
    }
    slot->socket = ends[0];
    slot->requests = 0;
    if (greet(pool, slot, err))
        return true;
    end_child(slot);
    return false;
}

/* A living child in the slot; one that died while idle was nobody's message's fault. */
static bool ensure_child(const struct parser_pool *pool, struct slot *slot, struct error *err)
{
    if (slot->pid && waitpid(slot->pid, NULL, WNOHANG) == slot->pid) {
        close(slot->socket);
        slot->pid = 0;
    }
    if (slot->pid && slot->requests >= REQUESTS_A_CHILD)
        end_child(slot);
    return slot->pid || start_child(pool, slot, err);
}

/* One try. Anything but a good reply ends the child. */
static enum protocol_result try_once(const struct parser_pool *pool, struct slot *slot,
                                     const struct parser_ask *ask, parser_reply *reply,
                                     void *context)
{
    struct deadline deadline = deadline_in_ms(pool->deadline_ms);
    struct buf payload = BUF_INIT(PROTOCOL_REPLY_BYTES_MAX);
    enum protocol_kind kind;
    slot->requests++;
    enum protocol_result result =
        protocol_send(slot->socket, ask->kind, ask->head, ask->tail, ask->fd, deadline);
    if (result == PROTOCOL_OK)
        result = protocol_receive(slot->socket, &kind, &payload, NULL, deadline);
    if (result == PROTOCOL_OK) {
        struct wire in = {.rest = buf_view(&payload)};
        if (kind != ask->kind || !reply(context, &in) || !wire_is_done(&in))
            result = PROTOCOL_BROKEN;
    }
    buf_free(&payload);
    if (result != PROTOCOL_OK)
        end_child(slot);
    return result;
}

static void count_death(struct parser_pool *pool, enum protocol_result result)
{
    pthread_mutex_lock(&pool->lock);
    pool->counts.deaths++;
    pool->counts.timeouts += result == PROTOCOL_TIMEOUT;
    pthread_mutex_unlock(&pool->lock);
    LOG_WARN("parser.death", log_text("why", result == PROTOCOL_TIMEOUT  ? "too slow"
                                             : result == PROTOCOL_CLOSED ? "died"
                                                                         : "broken reply"));
}

enum parser_outcome parser_exchange(struct parser_pool *pool, const struct parser_ask *ask,
                                    parser_reply *reply, void *context, struct error *err)
{
    assert(pool->magic == POOL_MAGIC);
    struct slot *slot = take_slot(pool);
    enum parser_outcome outcome = PARSER_FELLED;
    for (int i = 0; i < ask->tries && outcome == PARSER_FELLED; i++) {
        if (!ensure_child(pool, slot, err)) {
            outcome = PARSER_NO_CHILD;
            break;
        }
        enum protocol_result result = try_once(pool, slot, ask, reply, context);
        if (result == PROTOCOL_OK)
            outcome = PARSER_ANSWERED;
        else
            count_death(pool, result);
    }
    give_slot(pool, slot);
    return outcome;
}
