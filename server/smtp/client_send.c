/* One message: envelope, content, and what becomes of each recipient. */
#include <stdlib.h>

#include "server/smtp/client_private.h"
#include "server/smtp/dots.h"

enum {
    ADDRESS_BYTES_MAX = 320,
    PIPELINE = 100,            /* RCPT commands under way */
    CHUNK_BYTES = 256 * 1024,  /* of one BDAT */
    PIECE_BYTES = 16 * 1024,   /* asked of the source at once */
    FINAL_MS = 11 * 60 * 1000, /* RFC 5321 section 4.5.3.2.6: ten minutes, and a bit */
};

struct sending {
    struct smtp_client *client;
    const struct smtp_message *message;
    struct smtp_result *result;
    struct smtp_dots dots;
    struct buf out; /* dotted and not sent yet */
    bool has_smtputf8, has_chunking;
    bool is_at_end; /* of the source */
    size_t accepted;
};

/* --- addresses -------------------------------------------------------------------------------- */

bool smtp_check_address(struct str address, bool *is_utf8)
{
    ptrdiff_t at = -1;
    *is_utf8 = false;
    for (size_t i = 0; i < address.length; i++) {
        unsigned char c = (unsigned char)address.at[i];
        if (c <= 0x20 || c == 0x7f || c == '<' || c == '>')
            return false;
        *is_utf8 = *is_utf8 || c >= 0x80;
        if (c == '@')
            at = (ptrdiff_t)i;
    }
    return address.length <= ADDRESS_BYTES_MAX && at > 0 && (size_t)at + 1 < address.length;
}

static bool is_esmtp_value(struct str value)
{
    for (size_t i = 0; i < value.length; i++)
        if (value.at[i] <= 0x20 || value.at[i] == 0x7f || value.at[i] == '=')
            return false;
    return true;
}

/* RFC 3461 section 4: "+" and "=" and what is no printable ASCII as +XX. */
static void put_xtext(struct smtp_client *client, struct str text)
{
    struct buf out = BUF_INIT(text.length * 3 + 1);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c > 0x20 && c < 0x7f && c != '+' && c != '=')
            buf_char(&out, (char)c);
        else
            buf_printf(&out, "+%02X", c);
    }
    stream_put(client->stream, buf_view(&out), NULL);
    buf_free(&out);
}

static bool check_envelope(struct sending *s, struct error *err)
{
    const struct smtp_message *m = s->message;
    uint64_t size_max = s->client->capable.size_max;
    bool is_utf8 = false, needs_utf8 = m->is_utf8;
    if (m->recipient_count == 0 || m->recipient_count > SMTP_RECIPIENTS_MAX)
        return error_set(err, ERROR_INVALID, "A message goes to 1 to %d recipients",
                         SMTP_RECIPIENTS_MAX);
    if (m->from.length > 0 && !smtp_check_address(m->from, &is_utf8))
        return error_set(err, ERROR_INVALID, "The sender's address cannot be written like that");
    needs_utf8 = needs_utf8 || is_utf8;
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct smtp_recipient *r = &m->recipients[i];
        if (!smtp_check_address(r->address, &is_utf8) || !is_esmtp_value(r->notify))
            return error_set(err, ERROR_INVALID, "Address %zu cannot be written like that", i + 1);
        needs_utf8 = needs_utf8 || is_utf8;
    }
    if (needs_utf8 && !smtp_has(s->client, SMTP_CAP_SMTPUTF8)) {
        error_set(err, ERROR_REFUSED,
                  "The mail server cannot send to addresses with letters beyond a to z");
        err->scope = ERROR_SCOPE_MESSAGE;
        return false;
    }
    s->has_smtputf8 = needs_utf8;
    if (smtp_has(s->client, SMTP_CAP_SIZE) && size_max > 0 && m->size_bytes > size_max) {
        error_set(err, ERROR_LIMIT, "The message has %llu bytes, and the mail server takes %llu",
                  (unsigned long long)m->size_bytes, (unsigned long long)size_max);
        err->scope = ERROR_SCOPE_MESSAGE;
        return error_hint(err, "Send fewer or smaller attachments.");
    }
    return true;
}

/* --- envelope --------------------------------------------------------------------------------- */

static void put_mail(struct sending *s)
{
    struct smtp_client *client = s->client;
    const struct smtp_message *m = s->message;
    smtp_client_text(client, "MAIL FROM:<");
    stream_put(client->stream, m->from, NULL);
    smtp_client_text(client, ">");
    if (smtp_has(client, SMTP_CAP_SIZE) && m->size_bytes > 0) {
        struct buf text = BUF_INIT(48);
        buf_text(&text, " SIZE=");
        buf_u64(&text, m->size_bytes);
        stream_put(client->stream, buf_view(&text), NULL);
        buf_free(&text);
    }
    if (m->is_8bit && smtp_has(client, SMTP_CAP_8BITMIME))
        smtp_client_text(client, " BODY=8BITMIME");
    if (s->has_smtputf8)
        smtp_client_text(client, " SMTPUTF8");
    if (smtp_has(client, SMTP_CAP_DSN)) {
        smtp_client_text(client, m->wants_header_only ? " RET=HDRS" : "");
        if (m->envelope_id.length > 0) {
            smtp_client_text(client, " ENVID=");
            put_xtext(client, m->envelope_id);
        }
    }
    smtp_client_text(client, "\r\n");
}

static void put_recipient(struct sending *s, const struct smtp_recipient *recipient)
{
    struct smtp_client *client = s->client;
    smtp_client_text(client, "RCPT TO:<");
    stream_put(client->stream, recipient->address, NULL);
    smtp_client_text(client, ">");
    if (recipient->notify.length > 0 && smtp_has(client, SMTP_CAP_DSN)) {
        smtp_client_text(client, " NOTIFY=");
        stream_put(client->stream, recipient->notify, NULL);
    }
    smtp_client_text(client, "\r\n");
}

static void judge(struct sending *s, struct smtp_recipient *recipient,
                  const struct client_reply *reply)
{
    recipient->fate = reply->code < 300   ? SMTP_ACCEPTED
                      : reply->code < 500 ? SMTP_DEFERRED
                                          : SMTP_REJECTED;
    recipient->code = reply->code;
    memcpy(recipient->status, reply->status, sizeof recipient->status);
    memcpy(recipient->text, reply->text, sizeof recipient->text);
    s->accepted += recipient->fate == SMTP_ACCEPTED;
}

/* All recipients, some of them on their way at once. */
static bool send_recipients(struct sending *s, size_t sent, struct error *err)
{
    const struct smtp_message *m = s->message;
    size_t window = smtp_has(s->client, SMTP_CAP_PIPELINING) ? PIPELINE : 1;
    for (size_t i = 0; i < m->recipient_count; i++) {
        struct client_reply reply;
        if (sent == i) {
            while (sent < m->recipient_count && sent < i + window)
                put_recipient(s, &m->recipients[sent++]);
            if (!smtp_client_flush(s->client, err))
                return false;
        }
        if (!smtp_client_read_reply(s->client, NULL, NULL, &reply, err))
            return false;
        if (reply.code == 421)
            return smtp_client_explain(s->client, &reply, ERROR_SCOPE_ACCOUNT, err);
        judge(s, &m->recipients[i], &reply);
    }
    return true;
}

/* The worst that can be done for now, or for good if that is what all say. */
static bool explain_recipients(struct sending *s, struct error *err)
{
    const struct smtp_message *m = s->message;
    const struct smtp_recipient *r = &m->recipients[0];
    bool is_final = true;
    for (size_t i = 0; i < m->recipient_count; i++)
        is_final = is_final && m->recipients[i].fate == SMTP_REJECTED;
    error_set(err, is_final ? ERROR_REFUSED : ERROR_UNAVAILABLE,
              "The mail server takes none of the recipients: %d %s", r->code, r->text);
    if (err)
        err->scope = ERROR_SCOPE_MESSAGE;
    return false;
}

static bool reset(struct smtp_client *client)
{
    struct client_reply reply;
    return client->is_dead || smtp_client_ask(client, "RSET", &reply, NULL);
}

static bool send_envelope(struct sending *s, struct error *err)
{
    struct client_reply reply;
    size_t sent = 0;
    bool at_once = smtp_has(s->client, SMTP_CAP_PIPELINING);
    put_mail(s);
    while (at_once && sent < s->message->recipient_count && sent < PIPELINE)
        put_recipient(s, &s->message->recipients[sent++]);
    if (!smtp_client_flush(s->client, err) ||
        !smtp_client_read_reply(s->client, NULL, NULL, &reply, err))
        return false;
    if (reply.code != 250) {
        /* The answers to the recipients under way say no more than this one. */
        struct client_reply unused;
        for (size_t i = 0; i < sent; i++)
            if (!smtp_client_read_reply(s->client, NULL, NULL, &unused, err))
                return false;
        /* one that says so before it knows more than the sender says it to all that is sent */
        enum error_scope scope =
            smtp_client_reply_is_throttling(&reply) ? ERROR_SCOPE_ACCOUNT : ERROR_SCOPE_MESSAGE;
        smtp_client_explain(s->client, &reply, scope, err);
        reset(s->client);
        return false;
    }
    if (!send_recipients(s, sent, err))
        return false;
    if (s->accepted > 0)
        return true;
    reset(s->client);
    return explain_recipients(s, err);
}

/* --- content ---------------------------------------------------------------------------------- */

static bool give_up(struct sending *s, struct error *err)
{
    struct error failure = ERROR_INIT;
    error_set(&failure, ERROR_CLOSED, "The message was given up here");
    return smtp_client_die(s->client, &failure, err);
}

/* Adds the next piece of the message to `out`; at its end the last line's end. */
static bool read_piece(struct sending *s, struct error *err)
{
    char piece[PIECE_BYTES];
    ptrdiff_t n = s->message->source(s->message->source_context, piece, sizeof piece);
    if (n < 0)
        return give_up(s, err);
    smtp_dots_put(&s->dots, !s->has_chunking, str_make(piece, (size_t)n), &s->out);
    s->is_at_end = n == 0;
    if (s->is_at_end)
        smtp_dots_end(&s->dots, &s->out);
    return true;
}

static bool commit(struct sending *s, struct error *err)
{
    return !s->message->commit || s->message->commit(s->message->commit_context) || give_up(s, err);
}

/* From here on a silence tells nothing. */
static bool read_final(struct sending *s, struct error *err)
{
    struct client_reply reply;
    stream_set_deadline(s->client->stream, deadline_in_ms(FINAL_MS));
    stream_set_stall_ms(s->client->stream, FINAL_MS);
    bool is_answered = smtp_client_read_reply(s->client, NULL, NULL, &reply, err);
    stream_set_stall_ms(s->client->stream, CLIENT_COMMAND_MS);
    if (!is_answered) {
        s->result->is_unknown = true;
        return error_hint(err,
                          "The message may have been sent: look into the sent mail, or ask the "
                          "recipients, before sending it again.");
    }
    s->result->code = reply.code;
    memcpy(s->result->status, reply.status, sizeof s->result->status);
    memcpy(s->result->text, reply.text, sizeof s->result->text);
    s->result->is_accepted = reply.code / 100 == 2;
    return s->result->is_accepted ||
           smtp_client_explain(s->client, &reply, ERROR_SCOPE_MESSAGE, err);
}

/* The last bytes. A failure to send them is as unknown as a lost answer. */
static bool send_last(struct sending *s, struct str last, struct error *err)
{
    stream_put(s->client->stream, last, NULL);
    if (!smtp_client_flush(s->client, err)) {
        s->result->is_unknown = true;
        return error_hint(err,
                          "The message may have been sent: look into the sent mail, or ask the "
                          "recipients, before sending it again.");
    }
    return read_final(s, err);
}

static bool send_final(struct sending *s, struct str last, struct error *err)
{
    struct smtp_client *client = s->client;
    if (!smtp_client_flush(client, err) || !commit(s, err))
        return false;
    stream_set_cancel(client->stream, NULL); /* whoever stops here would never know */
    bool is_taken = send_last(s, last, err);
    stream_set_cancel(client->stream, client->cancel);
    return is_taken;
}

static bool send_by_data(struct sending *s, struct error *err)
{
    struct client_reply reply;
    if (!smtp_client_ask(s->client, "DATA", &reply, err))
        return false;
    if (reply.code != 354) {
        smtp_client_explain(s->client, &reply, ERROR_SCOPE_MESSAGE, err);
        reset(s->client);
        return false;
    }
    while (!s->is_at_end) {
        buf_reset(&s->out);
        if (!read_piece(s, err))
            return false;
        stream_put(s->client->stream, buf_view(&s->out), NULL);
        if (!smtp_client_flush(s->client, err))
            return false;
    }
    return send_final(s, STR(".\r\n"), err);
}

/* One chunk at a time: the source is asked ahead, so that the last one is known to be it. */
static bool send_by_chunks(struct sending *s, struct error *err)
{
    while (!s->is_at_end) {
        struct client_reply reply;
        buf_reset(&s->out);
        while (!s->is_at_end && s->out.length < CHUNK_BYTES)
            if (!read_piece(s, err))
                return false;
        struct buf command = BUF_INIT(64);
        buf_printf(&command, "BDAT %zu%s\r\n", s->out.length, s->is_at_end ? " LAST" : "");
        stream_put(s->client->stream, buf_view(&command), NULL);
        buf_free(&command);
        if (s->is_at_end)
            return send_final(s, buf_view(&s->out), err);
        stream_put(s->client->stream, buf_view(&s->out), NULL);
        if (!smtp_client_flush(s->client, err) ||
            !smtp_client_read_reply(s->client, NULL, NULL, &reply, err))
            return false;
        if (reply.code != 250) {
            smtp_client_explain(s->client, &reply, ERROR_SCOPE_MESSAGE, err);
            reset(s->client);
            return false;
        }
    }
    return true;
}

bool smtp_send(struct smtp_client *client, const struct smtp_message *message,
               struct smtp_result *result, struct error *err)
{
    struct error unused = ERROR_INIT;
    struct sending s = {
        .client = client,
        .message = message,
        .result = result,
        .out = BUF_INIT(CHUNK_BYTES + 4 * PIECE_BYTES),
        .has_chunking = smtp_has(client, SMTP_CAP_CHUNKING),
    };
    if (!err)
        err = &unused;
    *result = (struct smtp_result){0};
    stream_set_stall_ms(client->stream, CLIENT_COMMAND_MS); /* servers think about recipients */
    for (size_t i = 0; i < message->recipient_count; i++) {
        message->recipients[i].fate = SMTP_UNTRIED;
        message->recipients[i].code = 0;
        message->recipients[i].status[0] = message->recipients[i].text[0] = '\0';
    }
    bool is_good = check_envelope(&s, err) && send_envelope(&s, err) &&
                   (s.has_chunking ? send_by_chunks(&s, err) : send_by_data(&s, err));
    buf_free(&s.out);
    client->accepted += is_good;
    return is_good;
}
