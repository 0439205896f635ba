/* An IMAP client in front of a script of tests/protocol/imap/, and what it was told, as words. */
#ifndef RESTANTE_TESTS_IMAP_HOUSE_H
#define RESTANTE_TESTS_IMAP_HOUSE_H

#include "tests/unit/script_fixture.h"

#include "server/imap/client.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What a client under test has seen and done. */
struct house {
    struct script *script;
    struct imap_client *client;
    struct arena *arena;
    struct secret secret;
    struct imap_params params;
    struct imap_handler handler;
    struct error err;
    struct buf events; /* what the handler and callbacks were told, as words */
    int stop_after;    /* fetch callback: false then; 0: never */
};

__attribute__((format(printf, 2, 3))) static inline void tell(struct house *house,
                                                              const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(&house->events, format, args);
    va_end(args);
}

static inline void on_exists(void *context, uint32_t count)
{
    tell(context, "exists %u;", count);
}

static inline void on_expunge(void *context, uint32_t seq)
{
    tell(context, "expunge %u;", seq);
}

static inline void on_vanished(void *context, struct imap_set *uids, bool is_earlier)
{
    struct house *house = context;
    tell(house, is_earlier ? "vanished earlier " : "vanished ");
    imap_set_write(uids, &house->events);
    tell(house, ";");
}

static inline void tell_fetch(struct house *house, const struct imap_fetch *fetch)
{
    tell(house, "seq %u uid %u flags %x", fetch->seq, fetch->uid, fetch->flags.system);
    for (size_t i = 0; i < fetch->section_count; i++)
        tell(house, " [%" STR_FMT "] %" STR_FMT "%s", STR_ARG(fetch->sections[i].name),
             STR_ARG(str_sub(fetch->sections[i].bytes, 0, 20)),
             fetch->sections[i].is_streamed ? "streamed" : "");
    tell(house, fetch->is_broken ? " broken;" : ";");
}

static inline void on_fetch(void *context, const struct imap_fetch *fetch)
{
    tell(context, "unasked ");
    tell_fetch(context, fetch);
}

static inline void on_status(void *context, const struct imap_status *status)
{
    tell(context, "status %" STR_FMT " %u;", STR_ARG(status->wire_path), status->messages);
}

static inline void on_alert(void *context, struct str text)
{
    tell(context, "alert %" STR_FMT ";", STR_ARG(text));
}

static inline bool each(void *context, const struct imap_fetch *fetch)
{
    struct house *house = context;
    tell_fetch(house, fetch);
    return !house->stop_after || --house->stop_after;
}

static inline void begin(struct house *house, const char *name)
{
    char path[256];
    static char text[65536];
    snprintf(path, sizeof path, "tests/protocol/imap/%s.txt", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is not there: run this from the project's folder", path);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    house->script = script_start(text);
    house->arena = arena_new();
    house->events = BUF_INIT(1 << 20);
    house->err = ERROR_INIT;
    if (!house->secret.bytes)
        house->secret = secret_new(STR("sesame"));
    house->handler = (struct imap_handler){.context = house,
                                           .exists = on_exists,
                                           .expunge = on_expunge,
                                           .vanished = on_vanished,
                                           .fetch = on_fetch,
                                           .status = on_status,
                                           .alert = on_alert};
    struct imap_params *params = &house->params;
    params->secret = &house->secret;
    params->handler = &house->handler;
    params->stream.security = STREAM_PLAIN;
    if (!params->username.length)
        params->username = STR("ada");
    if (!params->stream.host.length)
        params->stream.host = STR("imap.example.org");
    struct stream *stream = stream_adopt(house->script->client_fd, &params->stream, NULL);
    assert_non_null(stream);
    house->client = imap_attach(stream, params, &house->err);
}

/* Begins, and the session must come to be. */
static inline void sign_in(struct house *house, const char *name)
{
    begin(house, name);
    if (!house->client)
        fail_msg("%s: %s %s", name, error_kind_name(house->err.kind), house->err.message);
}

static inline void end(struct house *house)
{
    imap_free(&house->client);
    script_finish(&house->script);
    arena_free(&house->arena);
    secret_free(&house->secret);
    buf_free(&house->events);
}

static inline void assert_events(struct house *house, const char *wanted)
{
    assert_string_equal(house->events.at ? house->events.at : "", wanted);
    buf_reset(&house->events);
}

#define must(house, call)                                                    \
    do {                                                                     \
        if (!(call))                                                         \
            fail_msg("%s: %s %s", #call, error_kind_name((house)->err.kind), \
                     (house)->err.message);                                  \
    } while (0)

#define must_fail(house, kind_wanted, call)                                  \
    do {                                                                     \
        (house)->err = ERROR_INIT;                                           \
        assert_false(call);                                                  \
        if ((house)->err.kind != (kind_wanted))                              \
            fail_msg("%s: %s %s", #call, error_kind_name((house)->err.kind), \
                     (house)->err.message);                                  \
    } while (0)

static inline struct imap_set set_of(struct house *house, const char *text)
{
    struct imap_set set;
    assert_true(imap_set_parse(str_of(text), house->arena, &set));
    return set;
}

static inline bool select_mailbox(struct house *house, const char *name,
                                  struct imap_selected *selected)
{
    struct imap_select_params params = {.wire_path = str_of(name)};
    return imap_select(house->client, &params, selected, &house->err);
}

static inline bool fetch(struct house *house, const char *uids, unsigned items)
{
    struct imap_set set = set_of(house, uids);
    struct imap_fetch_params params = {.uids = &set, .items = items};
    return imap_fetch(house->client, &params, each, house, &house->err);
}

static inline ptrdiff_t give_dots(void *context, char *at, size_t length)
{
    (void)context;
    memset(at, '.', length);
    return (ptrdiff_t)length;
}

static inline bool append(struct house *house, const char *path, uint64_t size, unsigned flags,
                          struct imap_appended *appended)
{
    struct imap_append_params params = {
        .wire_path = str_of(path), .flags = flags, .size = size, .source = give_dots};
    return imap_append(house->client, &params, appended, &house->err);
}

#endif
