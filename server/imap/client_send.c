/* Words on the wire: what is quoted, what becomes a literal, what is refused. Whatever people
 * typed, the server sees exactly one command. */
#include "server/imap/client_private.h"

enum { LITERAL_MINUS_BYTES = 4096 }; /* RFC 7888 section 4 */

void client_begin(struct imap_client *client, struct client_command *command, const char *words,
                  client_take_fn *take, void *context)
{
    *command =
        (struct client_command){.number = ++client->last_number, .take = take, .context = context};
    struct client_command **link = &client->commands;
    while (*link)
        link = &(*link)->next;
    *link = command;
    client->responses = 0;
    stream_set_deadline(client->stream, deadline_in_ms(CLIENT_COMMAND_MS));
    client_text(client, "A");
    client_u64(client, command->number);
    client_text(client, " ");
    client_text(client, words);
}

void client_str(struct imap_client *client, struct str bytes)
{
    stream_put(client->stream, bytes, NULL); /* the stream remembers a failure */
}

void client_text(struct imap_client *client, const char *text)
{
    client_str(client, str_of(text));
}

void client_u64(struct imap_client *client, uint64_t number)
{
    struct buf text = BUF_INIT(32);
    buf_u64(&text, number);
    client_str(client, buf_view(&text));
    buf_free(&text);
}

void client_set(struct imap_client *client, struct imap_set *set)
{
    struct buf text = BUF_INIT(SIZE_MAX / 2);
    imap_set_write(set, &text);
    client_str(client, buf_view(&text));
    buf_free(&text);
}

void client_end(struct imap_client *client)
{
    client_text(client, "\r\n");
}

bool client_literal(struct imap_client *client, struct client_command *command, uint64_t size,
                    bool is_binary, struct error *err)
{
    bool needs_no_wait = imap_has(client, IMAP_CAP_LITERAL_PLUS) ||
                         (imap_has(client, IMAP_CAP_LITERAL_MINUS) && size <= LITERAL_MINUS_BYTES);
    client_text(client, is_binary ? "~{" : "{");
    client_u64(client, size);
    client_text(client, needs_no_wait ? "+}\r\n" : "}\r\n");
    return needs_no_wait || client_await_continue(client, command, err);
}

/* What a quoted string can hold (RFC 9051: TEXT-CHAR; 8-bit only once UTF8=ACCEPT is on). */
static bool is_quotable(const struct imap_client *client, struct str bytes)
{
    if (bytes.length > 200)
        return false;
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !client->has_utf8))
            return false;
    }
    return true;
}

static bool put_string(struct imap_client *client, struct client_command *command, struct str bytes,
                       bool is_secret, struct error *err)
{
    bool (*put)(struct stream *, struct str, struct error *) =
        is_secret ? stream_put_secret : stream_put;
    if (!is_quotable(client, bytes)) {
        if (!client_literal(client, command, bytes.length, false, err))
            return false;
        put(client->stream, bytes, NULL);
        return true;
    }
    put(client->stream, STR("\""), NULL);
    size_t from = 0;
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.at[i] == '"' || bytes.at[i] == '\\') {
            put(client->stream, str_sub(bytes, from, i - from), NULL);
            put(client->stream, STR("\\"), NULL);
            from = i;
        }
    put(client->stream, str_skip(bytes, from), NULL);
    put(client->stream, STR("\""), NULL);
    return true;
}

bool client_string(struct imap_client *client, struct client_command *command, struct str bytes,
                   struct error *err)
{
    return put_string(client, command, bytes, false, err);
}

bool client_secret(struct imap_client *client, struct client_command *command, struct str bytes,
                   struct error *err)
{
    return put_string(client, command, bytes, true, err);
}

bool client_mailbox(struct imap_client *client, struct client_command *command,
                    struct str wire_path, struct error *err)
{
    client_text(client, " ");
    return put_string(client, command, wire_path, false, err);
}

void client_flags(struct imap_client *client, unsigned flags, const struct str *keywords,
                  size_t count)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {
        {IMAP_SEEN, "\\Seen"},       {IMAP_ANSWERED, "\\Answered"}, {IMAP_FLAGGED, "\\Flagged"},
        {IMAP_DELETED, "\\Deleted"}, {IMAP_DRAFT, "\\Draft"},
    };
    const char *space = "";
    client_text(client, " (");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (flags & names[i].flag) {
            client_text(client, space);
            client_text(client, names[i].name);
            space = " ";
        }
    for (size_t i = 0; i < count; i++) {
        client_text(client, space);
        client_str(client, keywords[i]);
        space = " ";
    }
    client_text(client, ")");
}

size_t client_line_bytes(const struct imap_client *client)
{
    return imap_has_condstore(client) ? CLIENT_LONG_LINE_BYTES : CLIENT_LINE_BYTES;
}
