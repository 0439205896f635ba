/* The transaction state: what lies in the maildrop, getting it, marking it deleted. */
#include <stdio.h>
#include <stdlib.h>

#include "server/pop3/client_private.h"

/* --- listing ---------------------------------------------------------------------------------- */

struct listing {
    struct arena *arena;
    struct pop3_message *at;
    size_t count, capacity;
};

static struct pop3_message *add(struct listing *listing)
{
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity ? listing->capacity * 2 : 256;
        struct pop3_message *grown = ARENA_ARRAY(listing->arena, capacity, struct pop3_message);
        if (listing->count > 0)
            memcpy(grown, listing->at, listing->count * sizeof *grown);
        listing->at = grown;
        listing->capacity = capacity;
    }
    return &listing->at[listing->count++];
}

static int by_number(const void *a, const void *b)
{
    const struct pop3_message *left = a, *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

/* Reads a multi-line answer of numbered lines. A line that makes no sense is left out: the message
 * is then not touched in this session. */
static bool read_listing(struct pop3_client *client, bool is_uidl, struct listing *listing,
                         struct error *err)
{
    struct str line;
    bool is_end = false;
    for (size_t lines = 0; lines <= POP3_MESSAGES_MAX; lines++) {
        struct pop3_message message = {.uidl = STR_EMPTY};
        if (!pop3_client_read_listed(client, &line, &is_end, err))
            return false;
        if (is_end) {
            if (listing->count > 0)
                qsort(listing->at, listing->count, sizeof *listing->at, by_number);
            return true;
        }
        if (is_uidl ? !pop3_parse_uidl_line(line, &message.number, &message.uidl)
                    : !pop3_parse_list_line(line, &message.number, &message.size_bytes))
            continue;
        message.uidl = arena_str(listing->arena, message.uidl);
        *add(listing) = message;
    }
    struct error failure = ERROR_INIT;
    error_set(&failure, ERROR_LIMIT, "The mail server lists more messages than we take");
    return pop3_client_die(client, &failure, err);
}

/* Both ascending: what LIST and UIDL tell of each number. The first of a number counts. */
static void join(struct arena *arena, const struct listing *sizes, const struct listing *ids,
                 struct pop3_maildrop *maildrop)
{
    size_t i = 0, k = 0;
    maildrop->at = ARENA_ARRAY(arena, sizes->count + ids->count + 1, struct pop3_message);
    maildrop->count = 0;
    while (i < sizes->count || k < ids->count) {
        bool has_size =
            i < sizes->count && (k == ids->count || sizes->at[i].number <= ids->at[k].number);
        bool has_id =
            k < ids->count && (i == sizes->count || ids->at[k].number <= sizes->at[i].number);
        uint32_t number = has_size ? sizes->at[i].number : ids->at[k].number;
        struct pop3_message message = {.number = number, .uidl = STR_EMPTY};
        if (has_size)
            message.size_bytes = sizes->at[i].size_bytes;
        if (has_id)
            message.uidl = ids->at[k].uidl;
        while (i < sizes->count && sizes->at[i].number == number)
            i++;
        while (k < ids->count && ids->at[k].number == number)
            k++;
        maildrop->at[maildrop->count++] = message;
    }
}

bool pop3_list(struct pop3_client *client, struct arena *arena, struct pop3_maildrop *maildrop,
               struct error *err)
{
    static const char *const commands[] = {"STAT", "LIST", "UIDL"};
    struct listing sizes = {.arena = arena}, ids = {.arena = arena};
    struct pop3_reply reply;
    bool at_once = pop3_has(client, POP3_CAP_PIPELINING);
    bool asks_uidl = pop3_has(client, POP3_CAP_UIDL) || !pop3_has(client, POP3_CAP_CAPA);
    size_t count = asks_uidl ? 3 : 2;
    uint32_t messages = 0;
    uint64_t bytes;
    *maildrop = (struct pop3_maildrop){.at = NULL};
    for (size_t i = 0; at_once && i < count; i++)
        pop3_client_command(client, commands[i]);
    for (size_t i = 0; i < count; i++) {
        if (!at_once)
            pop3_client_command(client, commands[i]);
        if (!pop3_client_flush(client, err) || !pop3_client_read_reply(client, &reply, err))
            return false;
        if (reply.status != POP3_OK) {
            if (i == 2)
                break; /* no UIDL here */
            pop3_client_explain(client, &reply, ERROR_SCOPE_ACCOUNT, err);
            if (at_once && err)
                pop3_client_die(client, err, err); /* answers are under way that nobody will read */
            return false;
        }
        if (i == 0) {
            pop3_parse_stat(reply.text, &messages, &bytes);
            continue;
        }
        if (!read_listing(client, i == 2, i == 2 ? &ids : &sizes, err))
            return false;
        maildrop->has_uidl = i == 2;
    }
    join(arena, &sizes, &ids, maildrop);
    return true;
}

/* --- getting ---------------------------------------------------------------------------------- */

static void send_retrieve(struct pop3_client *client, const struct pop3_wanted *wanted)
{
    char words[64];
    if (wanted->top_lines >= 0 && pop3_has(client, POP3_CAP_TOP))
        snprintf(words, sizeof words, "TOP %u %d", wanted->number, wanted->top_lines);
    else
        snprintf(words, sizeof words, "RETR %u", wanted->number);
    pop3_client_command(client, words);
}

/* The lines behind a +OK. As long as bytes come there is no deadline: messages may be large. */
static bool read_message(struct pop3_client *client, const struct pop3_sink *sink, bool is_wanted,
                         struct error *err)
{
    struct pop3_dots dots = {.is_lf_only = client->is_lf_only};
    uint64_t dropped = 0;
    for (;;) {
        struct str there = str_make(client->in + client->in_from, client->in_to - client->in_from);
        size_t taken = pop3_dots_feed(&dots, there, sink->write, sink->context, &is_wanted);
        client->in_from += taken;
        if (dots.state == POP3_DOTS_DONE)
            return true;
        dropped += is_wanted ? 0 : taken;
        if (dropped > CLIENT_DROPPED_BYTES_MAX) {
            struct error failure = ERROR_INIT;
            error_set(&failure, ERROR_LIMIT, "The mail server does not stop sending a message");
            return pop3_client_die(client, &failure, err);
        }
        if (!pop3_client_fill(client, err))
            return false;
    }
}

bool pop3_retrieve(struct pop3_client *client, const struct pop3_wanted *wanted, size_t count,
                   const struct pop3_sink *sink, struct error *err)
{
    size_t window = pop3_has(client, POP3_CAP_PIPELINING) ? CLIENT_PIPELINE : 1;
    size_t sent = 0;
    bool goes_on = true;
    for (size_t i = 0; i < count && (goes_on || i < sent); i++) {
        struct pop3_reply reply;
        struct error why = ERROR_INIT;
        /* Sent when half of the window is free, so that several share a packet. */
        if (goes_on && sent - i <= window / 2)
            while (sent < count && sent < i + window &&
                   (sent == 0 || !sink->wants_more || sink->wants_more(sink->context)))
                send_retrieve(client, &wanted[sent++]);
        if (sent == i)
            break;
        if (!pop3_client_flush(client, err))
            return false;
        stream_set_deadline(client->stream, DEADLINE_NEVER);
        if (!pop3_client_read_reply(client, &reply, err))
            return false;
        if (reply.status != POP3_OK) {
            pop3_client_explain(client, &reply, ERROR_SCOPE_MESSAGE, &why);
            if (goes_on && sink->failed)
                sink->failed(sink->context, i, &why);
            continue;
        }
        if (goes_on && sink->begin)
            sink->begin(sink->context, i);
        if (!read_message(client, sink, goes_on, err))
            return false;
        if (goes_on && sink->end)
            goes_on = sink->end(sink->context, i);
    }
    return goes_on || error_set(err, ERROR_CONFLICT, "no more messages were wanted");
}

/* --- deleting --------------------------------------------------------------------------------- */

bool pop3_delete(struct pop3_client *client, const uint32_t *numbers, size_t count, bool *is_marked,
                 struct error *err)
{
    size_t window = pop3_has(client, POP3_CAP_PIPELINING) ? CLIENT_PIPELINE : 1;
    size_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        struct pop3_reply reply;
        if (sent == i) {
            for (; sent < count && sent < i + window; sent++) {
                char words[32];
                snprintf(words, sizeof words, "DELE %u", numbers[sent]);
                pop3_client_command(client, words);
            }
            if (!pop3_client_flush(client, err))
                return false;
        }
        if (!pop3_client_read_reply(client, &reply, err))
            return false;
        is_marked[i] = reply.status == POP3_OK;
    }
    return true;
}

bool pop3_keep_alive(struct pop3_client *client, struct error *err)
{
    struct pop3_reply reply;
    if (clock_monotonic_ms() - client->spoke_ms < CLIENT_QUIET_MS)
        return true;
    return pop3_client_ask(client, "NOOP", &reply, err);
}
