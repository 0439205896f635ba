/* A session: its state, sending commands, reading lines and replies. */
#include "server/pop3/client.h"

#include <stdlib.h>

#include "server/pop3/client_private.h"

static void check(const struct pop3_client *client)
{
    if (!client || client->magic != CLIENT_MAGIC)
        abort();
}

/* --- beginning and end ------------------------------------------------------------------------ */

struct pop3_client *pop3_attach(struct stream *stream, const struct pop3_params *params,
                                struct error *err)
{
    struct pop3_client *client = calloc(1, sizeof *client);
    if (!client || !(client->in = malloc(CLIENT_IN_BYTES)))
        abort();
    client->magic = CLIENT_MAGIC;
    client->stream = stream;
    client->security = params->stream.security;
    client->without = params->without;
    client->timestamp = BUF_INIT(1024);
    client->capabilities = BUF_INIT(16384);
    client->capable.expire_days = POP3_EXPIRE_UNKNOWN;
    client->spoke_ms = clock_monotonic_ms();
    if (!pop3_client_greet(client, params, err))
        pop3_free(&client);
    return client;
}

struct pop3_client *pop3_connect(const struct pop3_params *params, struct error *err)
{
    struct stream *stream = stream_connect(&params->stream, err);
    return stream ? pop3_attach(stream, params, err) : NULL;
}

void pop3_free(struct pop3_client **pointer)
{
    struct pop3_client *client = *pointer;
    if (!client)
        return;
    check(client);
    stream_free(&client->stream);
    buf_free(&client->timestamp);
    buf_free(&client->capabilities);
    free(client->in);
    client->magic = 0;
    free(client);
    *pointer = NULL;
}

bool pop3_quit(struct pop3_client **pointer, struct error *err)
{
    struct pop3_client *client = *pointer;
    struct pop3_reply reply;
    check(client);
    bool is_done = pop3_client_ask(client, "QUIT", &reply, err);
    if (is_done && reply.status != POP3_OK)
        is_done = pop3_client_explain(client, &reply, ERROR_SCOPE_ACCOUNT, err);
    pop3_free(pointer);
    return is_done;
}

bool pop3_is_alive(const struct pop3_client *client)
{
    return !client->is_dead;
}

bool pop3_has(const struct pop3_client *client, enum pop3_capability capability)
{
    return client->capable.offered & ~client->without & 1u << capability;
}

struct str pop3_capabilities(const struct pop3_client *client)
{
    return buf_view(&client->capabilities);
}

int pop3_expire_days(const struct pop3_client *client)
{
    return client->capable.expire_days;
}

uint32_t pop3_login_delay_s(const struct pop3_client *client)
{
    return client->capable.login_delay_s;
}

struct stream *pop3_stream(struct pop3_client *client)
{
    return client->stream;
}

bool pop3_client_die(struct pop3_client *client, const struct error *failure, struct error *err)
{
    if (!client->is_dead)
        client->failure = *failure;
    client->is_dead = true;
    if (err)
        *err = client->failure;
    return false;
}

static bool die(struct pop3_client *client, enum error_kind kind, const char *what,
                struct error *err)
{
    struct error failure = ERROR_INIT;
    error_set(&failure, kind, "%s", what);
    return pop3_client_die(client, &failure, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

bool pop3_client_fill(struct pop3_client *client, struct error *err)
{
    struct error failure = ERROR_INIT;
    if (client->is_dead)
        return pop3_client_die(client, &client->failure, err);
    if (client->in_from == client->in_to)
        client->in_from = client->in_to = 0;
    if (client->in_to == CLIENT_IN_BYTES) {
        client->in_to -= client->in_from;
        memmove(client->in, client->in + client->in_from, client->in_to);
        client->in_from = 0;
    }
    if (client->in_to == CLIENT_IN_BYTES)
        return die(client, ERROR_LIMIT, "The mail server sends a line that does not end", err);
    ptrdiff_t n = stream_read_some(client->stream, client->in + client->in_to,
                                   CLIENT_IN_BYTES - client->in_to, &failure);
    if (n < 0)
        return pop3_client_die(client, &failure, err);
    client->in_to += (size_t)n;
    return true;
}

bool pop3_client_read_line(struct pop3_client *client, struct str *line, struct error *err)
{
    size_t seen = 0; /* from in_from on: no LF in there */
    for (;;) {
        const char *from = client->in + client->in_from;
        size_t there = client->in_to - client->in_from;
        const char *end = there > seen ? memchr(from + seen, '\n', there - seen) : NULL;
        if (!end) {
            seen = there;
            if (!pop3_client_fill(client, err))
                return false;
            continue;
        }
        size_t length = (size_t)(end - from);
        client->in_from += length + 1;
        client->is_lf_only = length == 0 || from[length - 1] != '\r';
        *line = str_make(from, client->is_lf_only ? length : length - 1);
        return true;
    }
}

bool pop3_client_read_reply(struct pop3_client *client, struct pop3_reply *reply, struct error *err)
{
    struct str line;
    if (!pop3_client_read_line(client, &line, err))
        return false;
    client->spoke_ms = clock_monotonic_ms();
    return pop3_parse_reply(line, reply) ||
           die(client, ERROR_PROTOCOL, "The mail server's answer is not POP3", err);
}

bool pop3_client_read_listed(struct pop3_client *client, struct str *line, bool *is_end,
                             struct error *err)
{
    if (!pop3_client_read_line(client, line, err))
        return false;
    *is_end = str_equal(*line, STR("."));
    if (str_starts(*line, STR(".")))
        *line = str_skip(*line, 1);
    return true;
}

/* --- sending ---------------------------------------------------------------------------------- */

void pop3_client_command(struct pop3_client *client, const char *words)
{
    stream_put(client->stream, str_of(words), NULL); /* the stream remembers a failure */
    stream_put(client->stream, STR("\r\n"), NULL);
}

bool pop3_client_flush(struct pop3_client *client, struct error *err)
{
    struct error failure = ERROR_INIT;
    if (client->is_dead)
        return pop3_client_die(client, &client->failure, err);
    stream_set_deadline(client->stream, deadline_in_ms(CLIENT_COMMAND_MS));
    return stream_flush(client->stream, &failure) || pop3_client_die(client, &failure, err);
}

bool pop3_client_ask(struct pop3_client *client, const char *words, struct pop3_reply *reply,
                     struct error *err)
{
    pop3_client_command(client, words);
    return pop3_client_flush(client, err) && pop3_client_read_reply(client, reply, err);
}

/* --- what a refusal means --------------------------------------------------------------------- */

static const struct {
    enum pop3_code code;
    enum error_kind kind;
} by_code[] = {
    {POP3_CODE_IN_USE, ERROR_UNAVAILABLE},
    {POP3_CODE_LOGIN_DELAY, ERROR_UNAVAILABLE},
    {POP3_CODE_SYS_TEMP, ERROR_UNAVAILABLE},
    {POP3_CODE_SYS_PERM, ERROR_REFUSED},
    {POP3_CODE_AUTH, ERROR_AUTH},
};

/* For servers without codes: refused for now, whatever was asked. */
static const char *const for_now[] = {
    "in use",   "lock",     "busy",      "temporar",       "try again",       "try later",
    "too many", "too fast", "throttled", "minutes before", "another session",
};

static bool is_for_now(struct str text)
{
    for (size_t i = 0; i < sizeof for_now / sizeof *for_now; i++)
        if (str_find_nocase(text, str_of(for_now[i])) >= 0)
            return true;
    return false;
}

bool pop3_client_explain(const struct pop3_client *client, const struct pop3_reply *reply,
                         enum error_scope scope, struct error *err)
{
    enum error_kind kind = ERROR_REFUSED;
    char words[300];
    size_t length = 0;
    for (size_t i = 0; i < reply->text.length && length < sizeof words - 1; i++) {
        char c = reply->text.at[i];
        words[length++] = (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c;
    }
    words[length] = '\0';
    for (size_t i = 0; i < sizeof by_code / sizeof *by_code; i++)
        if (by_code[i].code == reply->code)
            kind = by_code[i].kind;
    if (kind == ERROR_REFUSED && reply->code == POP3_CODE_NONE && is_for_now(reply->text))
        kind = ERROR_UNAVAILABLE;
    if (kind != ERROR_REFUSED)
        scope = ERROR_SCOPE_ACCOUNT;
    /* Words from before TLS may be anyone's: they are not shown. */
    bool is_trusted = client->security == STREAM_PLAIN || stream_is_encrypted(client->stream);
    if (is_trusted && *words)
        error_set(err, kind, "The mail server says: %s", words);
    else
        error_set(err, kind, "The mail server refused, without saying why");
    if (err) {
        err->scope = scope;
        if (reply->code == POP3_CODE_LOGIN_DELAY)
            err->retry_after_ms = (int)client->capable.login_delay_s * 1000;
    }
    return false;
}

/* --- capabilities ----------------------------------------------------------------------------- */

/* Servers without CAPA are old: what RFC 1939 has is there, perhaps. */
static const unsigned of_rfc_1939 = 1u << POP3_CAP_TOP | 1u << POP3_CAP_UIDL | 1u << POP3_CAP_USER;

static unsigned read_mechanisms(struct str words)
{
    unsigned mechanisms = 0;
    while (words.at)
        mechanisms |= 1u << sasl_by_name(str_cut(&words, ' '));
    return mechanisms & ~(1u << SASL_NONE);
}

bool pop3_client_ask_capabilities(struct pop3_client *client, struct error *err)
{
    struct pop3_reply reply;
    struct str line;
    bool is_end = false;
    if (!pop3_client_ask(client, "CAPA", &reply, err))
        return false;
    client->capable =
        (struct pop3_capabilities){.offered = of_rfc_1939, .expire_days = POP3_EXPIRE_UNKNOWN};
    client->mechanisms = 0;
    buf_reset(&client->capabilities);
    if (reply.status != POP3_OK)
        return true;
    client->capable.offered = 1u << POP3_CAP_CAPA;
    for (int i = 0; i < CLIENT_CAPA_LINES_MAX; i++) {
        if (!pop3_client_read_listed(client, &line, &is_end, err))
            return false;
        if (is_end)
            return true;
        pop3_parse_capability(line, &client->capable);
        client->mechanisms |= read_mechanisms(client->capable.mechanisms);
        client->capable.mechanisms = STR_EMPTY;
        if (client->capabilities.length > 0)
            buf_char(&client->capabilities, ' ');
        for (size_t k = 0; k < line.length; k++)
            buf_char(&client->capabilities, line.at[k] == ' ' ? '=' : line.at[k]);
    }
    return die(client, ERROR_LIMIT, "The mail server does not stop listing what it can", err);
}
