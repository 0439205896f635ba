/* A session: its state, sending commands, reading replies. */
#include "server/smtp/client.h"

#include <stdlib.h>

#include "server/smtp/client_private.h"

static void check(const struct smtp_client *client)
{
    if (!client || client->magic != CLIENT_MAGIC)
        abort();
}

/* --- beginning and end ------------------------------------------------------------------------ */

struct smtp_client *smtp_attach(struct stream *stream, const struct smtp_params *params,
                                struct error *err)
{
    struct smtp_client *client = calloc(1, sizeof *client);
    if (!client)
        abort();
    client->magic = CLIENT_MAGIC;
    client->stream = stream;
    client->security = params->stream.security;
    client->cancel = params->stream.cancel;
    client->without = params->without;
    client->line = BUF_INIT(CLIENT_LINE_BYTES);
    client->capabilities = BUF_INIT(16384);
    if (!smtp_client_greet(client, params, err))
        smtp_free(&client);
    return client;
}

struct smtp_client *smtp_connect(const struct smtp_params *params, struct error *err)
{
    struct stream *stream = stream_connect(&params->stream, err);
    return stream ? smtp_attach(stream, params, err) : NULL;
}

void smtp_free(struct smtp_client **pointer)
{
    struct smtp_client *client = *pointer;
    if (!client)
        return;
    check(client);
    stream_free(&client->stream);
    buf_free(&client->line);
    buf_free(&client->capabilities);
    client->magic = 0;
    free(client);
    *pointer = NULL;
}

void smtp_quit(struct smtp_client **client)
{
    enum { PATIENCE_MS = 1000 };
    struct client_reply reply;
    if (*client && !(*client)->is_dead) {
        smtp_client_text(*client, "QUIT\r\n");
        if (smtp_client_flush(*client, NULL)) {
            stream_set_deadline((*client)->stream, deadline_in_ms(PATIENCE_MS));
            smtp_client_read_reply(*client, NULL, NULL, &reply, NULL);
        }
    }
    smtp_free(client);
}

bool smtp_is_alive(const struct smtp_client *client)
{
    return !client->is_dead;
}

size_t smtp_accepted(const struct smtp_client *client)
{
    return client->accepted;
}

bool smtp_has(const struct smtp_client *client, enum smtp_capability capability)
{
    return client->capable.offered & ~client->without & 1u << capability;
}

struct str smtp_capabilities(const struct smtp_client *client)
{
    return buf_view(&client->capabilities);
}

bool smtp_client_die(struct smtp_client *client, const struct error *failure, struct error *err)
{
    if (!client->is_dead)
        client->failure = *failure;
    client->is_dead = true;
    if (err)
        *err = client->failure;
    return false;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Adds a line's words to the reply's, without what a terminal or a page would act on. */
static void keep_text(struct client_reply *reply, struct str text)
{
    size_t length = strlen(reply->text);
    if (length > 0 && text.length > 0 && length < sizeof reply->text - 1)
        reply->text[length++] = ' ';
    for (size_t i = 0; i < text.length && length < sizeof reply->text - 1; i++) {
        char c = text.at[i];
        reply->text[length++] = (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c;
    }
    reply->text[length] = '\0';
}

bool smtp_client_read_reply(struct smtp_client *client, client_line_fn *each, void *context,
                            struct client_reply *reply, struct error *err)
{
    struct error failure = ERROR_INIT;
    struct smtp_line line;
    if (client->is_dead)
        return smtp_client_die(client, &client->failure, err);
    *reply = (struct client_reply){0};
    for (int i = 0; i < CLIENT_REPLY_LINES_MAX; i++) {
        buf_reset(&client->line);
        if (!stream_read_line(client->stream, &client->line, &failure))
            return smtp_client_die(client, &failure, err);
        if (!smtp_parse_line(buf_view(&client->line), &line) ||
            (i > 0 && line.code != reply->code)) {
            error_set(&failure, ERROR_PROTOCOL, "The mail server's answer is not SMTP");
            return smtp_client_die(client, &failure, err);
        }
        reply->code = line.code;
        if (line.status[0])
            memcpy(reply->status, line.status, sizeof reply->status);
        keep_text(reply, line.text);
        if (each)
            each(context, &line, i == 0);
        if (line.is_last)
            return true;
    }
    error_set(&failure, ERROR_LIMIT, "The mail server does not come to an end");
    return smtp_client_die(client, &failure, err);
}

/* --- sending ---------------------------------------------------------------------------------- */

void smtp_client_text(struct smtp_client *client, const char *text)
{
    stream_put(client->stream, str_of(text), NULL);
}

bool smtp_client_flush(struct smtp_client *client, struct error *err)
{
    struct error failure = ERROR_INIT;
    if (client->is_dead)
        return smtp_client_die(client, &client->failure, err);
    stream_set_deadline(client->stream, deadline_in_ms(CLIENT_COMMAND_MS));
    return stream_flush(client->stream, &failure) || smtp_client_die(client, &failure, err);
}

bool smtp_client_ask(struct smtp_client *client, const char *words, struct client_reply *reply,
                     struct error *err)
{
    smtp_client_text(client, words);
    smtp_client_text(client, "\r\n");
    return smtp_client_flush(client, err) && smtp_client_read_reply(client, NULL, NULL, reply, err);
}

/* --- what a refusal means --------------------------------------------------------------------- */

bool smtp_client_reply_is_throttling(const struct client_reply *reply)
{
    return reply->code == 421 ||
           (reply->code / 100 == 4 && reply->code != 454 && /* RFC 4954: signing in, for now */
            (str_starts(str_of(reply->status), STR("4.7.")) ||
             strcmp(reply->status, "4.3.2") == 0));
}

bool smtp_client_explain(const struct smtp_client *client, const struct client_reply *reply,
                         enum error_scope scope, struct error *err)
{
    enum error_kind kind = reply->code >= 500                       ? ERROR_REFUSED
                           : smtp_client_reply_is_throttling(reply) ? ERROR_THROTTLED
                           : reply->code >= 400                     ? ERROR_UNAVAILABLE
                                                                    : ERROR_PROTOCOL;
    /* 421: the service closes (RFC 5321 section 3.8). 552 and x.3.4: too large. */
    if (reply->code == 421)
        scope = ERROR_SCOPE_ACCOUNT;
    if (reply->code == 552 && strcmp(reply->status, "5.3.4") == 0)
        kind = ERROR_LIMIT;
    bool is_trusted = client->security == STREAM_PLAIN || stream_is_encrypted(client->stream);
    if (!is_trusted || !*reply->text)
        error_set(err, kind, "The mail server refused with %d", reply->code);
    else if (reply->status[0])
        error_set(err, kind, "The mail server says: %d %s %s", reply->code, reply->status,
                  reply->text);
    else
        error_set(err, kind, "The mail server says: %d %s", reply->code, reply->text);
    if (err)
        err->scope = scope;
    return false;
}
