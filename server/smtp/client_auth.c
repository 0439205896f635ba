/* From the greeting to the first message: EHLO, TLS, signing in. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "server/net/resolve.h"
#include "server/smtp/client_private.h"

static void reached(const struct smtp_params *params, enum stream_step step)
{
    if (params->stream.step)
        *params->stream.step = step;
}

static bool read_greeting(struct smtp_client *client, const struct smtp_params *params,
                          struct error *err)
{
    struct client_reply reply;
    struct error failure = ERROR_INIT;
    if (!smtp_client_read_reply(client, NULL, NULL, &reply, &failure) || reply.code == 220) {
        if (!client->is_dead)
            return true;
        *err = failure;
        if (failure.kind != ERROR_PROTOCOL)
            return false;
        error_set(err, ERROR_PROTOCOL, "%" STR_FMT " does not greet as an SMTP server",
                  STR_ARG(params->stream.host));
        return error_hint(err, "Check the port: 465 with TLS, 587 with STARTTLS.");
    }
    return smtp_client_explain(client, &reply, ERROR_SCOPE_ACCOUNT, err);
}

/* --- EHLO ------------------------------------------------------------------------------------- */

static unsigned read_mechanisms(struct str words)
{
    unsigned mechanisms = 0;
    while (words.at)
        mechanisms |= 1u << sasl_by_name(str_cut(&words, ' '));
    return mechanisms & ~(1u << SASL_NONE);
}

static void take_capability(void *context, const struct smtp_line *line, bool is_first)
{
    struct smtp_client *client = context;
    if (is_first || line->code != 250)
        return;
    smtp_parse_capability(line->text, &client->capable);
    client->mechanisms |= read_mechanisms(client->capable.mechanisms);
    client->capable.mechanisms = STR_EMPTY;
    if (client->capabilities.length > 0)
        buf_char(&client->capabilities, ' ');
    for (size_t i = 0; i < line->text.length; i++)
        buf_char(&client->capabilities, line->text.at[i] == ' ' ? '=' : line->text.at[i]);
}

/* Our name: a machine that people sign in to from anywhere has none that a mail server could check,
 * so its address on this connection stands for it (RFC 5321 section 4.1.4). */
static void put_name(struct smtp_client *client, struct str helo)
{
    struct address own = {.any = {0}};
    socklen_t length = sizeof own;
    char text[ADDRESS_TEXT_BYTES];
    if (helo.length > 0) {
        stream_put(client->stream, helo, NULL);
        return;
    }
    if (getsockname(stream_fd(client->stream), &own.any, &length) ||
        (own.any.sa_family != AF_INET && own.any.sa_family != AF_INET6)) {
        smtp_client_text(client, "[127.0.0.1]");
        return;
    }
    smtp_client_text(client, own.any.sa_family == AF_INET6 ? "[IPv6:" : "[");
    smtp_client_text(client, address_text(&own.any, text));
    smtp_client_text(client, "]");
}

static bool say_hello(struct smtp_client *client, const struct smtp_params *params,
                      struct error *err)
{
    struct client_reply reply;
    client->capable = (struct smtp_capabilities){0};
    client->mechanisms = 0;
    buf_reset(&client->capabilities);
    smtp_client_text(client, "EHLO ");
    put_name(client, params->helo);
    smtp_client_text(client, "\r\n");
    if (!smtp_client_flush(client, err) ||
        !smtp_client_read_reply(client, take_capability, client, &reply, err))
        return false;
    if (reply.code == 250)
        return true;
    if (reply.code < 500)
        return smtp_client_explain(client, &reply, ERROR_SCOPE_ACCOUNT, err);
    smtp_client_text(client, "HELO ");
    put_name(client, params->helo);
    smtp_client_text(client, "\r\n");
    if (!smtp_client_flush(client, err) || !smtp_client_read_reply(client, NULL, NULL, &reply, err))
        return false;
    return reply.code == 250 || smtp_client_explain(client, &reply, ERROR_SCOPE_ACCOUNT, err);
}

/* Nothing of what the server said before counts after (RFC 3207 section 4.2). */
static bool start_tls(struct smtp_client *client, const struct smtp_params *params,
                      struct error *err)
{
    struct client_reply reply = {.code = 502};
    reached(params, STREAM_STEP_TLS);
    if (smtp_has(client, SMTP_CAP_STARTTLS) && !smtp_client_ask(client, "STARTTLS", &reply, err))
        return false;
    if (reply.code >= 400 && reply.code < 500)
        return smtp_client_explain(client, &reply, ERROR_SCOPE_ACCOUNT, err);
    if (reply.code != 220) {
        error_set(err, ERROR_PROTOCOL, "%" STR_FMT " does not offer TLS on port %d",
                  STR_ARG(params->stream.host), params->stream.port);
        return error_hint(err, "Use TLS from the start, on port 465.");
    }
    return stream_start_tls(client->stream, err);
}

/* --- signing in ------------------------------------------------------------------------------- */

/* What a 334 says: the last line's text, which is base64. */
static void take_challenge(void *context, const struct smtp_line *line, bool is_first)
{
    struct buf *challenge = context;
    (void)is_first;
    buf_reset(challenge);
    if (line->code == 334)
        buf_str(challenge, line->text);
}

static bool answer_challenge(struct smtp_client *client, struct sasl *sasl, struct str text,
                             struct buf *answer, struct error *err)
{
    buf_reset(answer);
    bool is_good = sasl_step_base64(sasl, text, answer, err);
    if (is_good)
        stream_put_secret_base64(client->stream, buf_view(answer), NULL);
    smtp_client_text(client, is_good ? "\r\n" : "*\r\n");
    return is_good;
}

static bool authenticate(struct smtp_client *client, struct sasl *sasl,
                         enum sasl_mechanism mechanism, struct client_reply *reply,
                         struct error *err)
{
    enum { COMMAND_BYTES_MAX = 12288 }; /* RFC 4954 section 4 */
    struct buf answer = BUF_INIT(65536), challenge = BUF_INIT(65536);
    struct error refused = ERROR_INIT, broken = ERROR_INIT;
    bool is_good = true, is_alive;
    buf_reserve(&answer, 16384); /* so that no copy of the secret is left behind by growing */
    bool is_pending = sasl_is_client_first(sasl);
    if (is_pending)
        is_good = sasl_step(sasl, STR_EMPTY, &answer, &refused);
    smtp_client_text(client, "AUTH ");
    smtp_client_text(client, sasl_name(mechanism));
    if (is_good && is_pending && answer.length * 4 / 3 + 32 <= COMMAND_BYTES_MAX) {
        smtp_client_text(client, answer.length ? " " : " =");
        stream_put_secret_base64(client->stream, buf_view(&answer), NULL);
        is_pending = false;
    }
    smtp_client_text(client, "\r\n");
    while (
        (is_alive = smtp_client_flush(client, &broken) &&
                    smtp_client_read_reply(client, take_challenge, &challenge, reply, &broken)) &&
        reply->code == 334) {
        if (is_good && is_pending && challenge.length == 0) {
            stream_put_secret_base64(client->stream, buf_view(&answer), NULL);
            smtp_client_text(client, "\r\n");
            is_pending = false;
        } else if (is_good)
            is_good = answer_challenge(client, sasl, buf_view(&challenge), &answer, &refused);
        else
            smtp_client_text(client, "*\r\n");
    }
    secret_wipe(answer.at, answer.capacity);
    buf_free(&answer);
    buf_free(&challenge);
    if (!is_alive || !is_good) {
        *err = is_good ? broken : refused;
        return false;
    }
    return reply->code != 235 || sasl_finish(sasl, STR_EMPTY, err);
}

/* RFC 4954 section 6. */
static bool explain_sign_in(const struct smtp_client *client, const struct client_reply *reply,
                            struct error *err)
{
    smtp_client_explain(client, reply, ERROR_SCOPE_ACCOUNT, err);
    if (reply->code == 530 || reply->code == 538)
        return error_hint(err, "Choose TLS or STARTTLS.");
    if (err->kind != ERROR_REFUSED)
        return false;
    err->kind = ERROR_AUTH;
    return error_hint(err, "Check the name and the password; some providers want a password made "
                           "for this program (\"app password\").");
}

static bool sign_in(struct smtp_client *client, const struct smtp_params *params, struct error *err)
{
    struct client_reply reply = {0};
    struct sasl_params sasl_params = {
        .credential = params->credential,
        .username = params->username,
        .secret = params->secret,
        .host = params->stream.host,
        .port = params->stream.port,
        .is_encrypted = stream_is_encrypted(client->stream),
    };
    enum sasl_mechanism mechanism = params->mechanism;
    if (mechanism == SASL_NONE && smtp_has(client, SMTP_CAP_AUTH))
        mechanism = sasl_choose(client->mechanisms, &sasl_params);
    if (mechanism == SASL_NONE) {
        error_set(err, ERROR_REFUSED, "The mail server offers no way of signing in that fits");
        return error_hint(err, "Use the port for sending mail: 465 with TLS, 587 with STARTTLS.");
    }
    struct sasl *sasl = sasl_new(mechanism, &sasl_params, err);
    bool is_done = sasl && authenticate(client, sasl, mechanism, &reply, err);
    sasl_free(&sasl);
    if (!is_done)
        return false;
    return reply.code == 235 || explain_sign_in(client, &reply, err);
}

bool smtp_client_greet(struct smtp_client *client, const struct smtp_params *params,
                       struct error *err)
{
    struct error unused = ERROR_INIT;
    if (!err)
        err = &unused;
    reached(params, STREAM_STEP_GREETING);
    stream_set_deadline(client->stream, deadline_in_ms(CLIENT_COMMAND_MS));
    if (!read_greeting(client, params, err) || !say_hello(client, params, err))
        return false;
    if (params->stream.security == STREAM_TLS_STARTTLS && !stream_is_encrypted(client->stream)) {
        if (!start_tls(client, params, err))
            return false;
        reached(params, STREAM_STEP_GREETING);
        if (!say_hello(client, params, err))
            return false;
    }
    reached(params, STREAM_STEP_SIGN_IN);
    if (params->username.length > 0 && !sign_in(client, params, err))
        return false;
    reached(params, STREAM_STEP_DONE);
    return true;
}
