/* From the greeting to the transaction state: TLS, capabilities, signing in. */
#include <openssl/evp.h>

#include "server/base/encode.h"
#include "server/pop3/client_private.h"

static void reached(const struct pop3_params *params, enum stream_step step)
{
    if (params->stream.step)
        *params->stream.step = step;
}

static bool read_greeting(struct pop3_client *client, const struct pop3_params *params,
                          struct error *err)
{
    struct str line;
    struct pop3_reply reply;
    if (!pop3_client_read_line(client, &line, err))
        return false;
    if (!pop3_parse_reply(line, &reply) || reply.status == POP3_CONTINUE) {
        error_set(err, ERROR_PROTOCOL, "%" STR_FMT " does not greet as a POP3 server",
                  STR_ARG(params->stream.host));
        return error_hint(err, "Check the port: 995 with TLS, 110 with STARTTLS.");
    }
    if (reply.status != POP3_OK) {
        pop3_client_explain(client, &reply, ERROR_SCOPE_ACCOUNT, err);
        if (err->kind == ERROR_REFUSED)
            err->kind = ERROR_UNAVAILABLE;
        return false;
    }
    buf_str(&client->timestamp, pop3_parse_timestamp(line));
    return true;
}

/* Nothing of what the server said before counts after (RFC 2595 section 4). */
static bool start_tls(struct pop3_client *client, const struct pop3_params *params,
                      struct error *err)
{
    struct pop3_reply reply = {.status = POP3_ERR};
    reached(params, STREAM_STEP_TLS);
    if (!pop3_client_ask_capabilities(client, err))
        return false;
    bool may_ask = pop3_has(client, POP3_CAP_STLS) || !pop3_has(client, POP3_CAP_CAPA);
    if (may_ask && !pop3_client_ask(client, "STLS", &reply, err))
        return false;
    if (reply.status != POP3_OK) {
        error_set(err, ERROR_PROTOCOL, "%" STR_FMT " does not offer TLS on port %d",
                  STR_ARG(params->stream.host), params->stream.port);
        return error_hint(err, "Use TLS from the start, on port 995.");
    }
    if (client->in_from != client->in_to) /* CVE-2021-22947: it came in the clear */
        return error_set(err, ERROR_PROTOCOL,
                         "%" STR_FMT " sent something between its consent to TLS and TLS: "
                         "someone may be tampering with the connection",
                         STR_ARG(params->stream.host));
    return stream_start_tls(client->stream, err);
}

/* --- signing in ------------------------------------------------------------------------------- */

static bool answer_challenge(struct pop3_client *client, struct sasl *sasl, struct str text,
                             struct buf *answer, struct error *err)
{
    buf_reset(answer);
    bool is_good = sasl_step_base64(sasl, text, answer, err);
    if (is_good) {
        stream_put_secret_base64(client->stream, buf_view(answer), NULL);
        stream_put(client->stream, STR("\r\n"), NULL);
    } else
        pop3_client_command(client, "*");
    return is_good;
}

/* AUTH, with the first answer in the command where it fits (RFC 5034 section 4: 255 octets). */
static bool authenticate(struct pop3_client *client, struct sasl *sasl,
                         enum sasl_mechanism mechanism, struct pop3_reply *reply, struct error *err)
{
    enum { COMMAND_BYTES_MAX = 255 };
    struct buf answer = BUF_INIT(65536);
    struct error refused = ERROR_INIT, broken = ERROR_INIT;
    bool is_good = true, is_alive;
    buf_reserve(&answer, 16384); /* so that no copy of the secret is left behind by growing */
    stream_put(client->stream, STR("AUTH "), NULL);
    stream_put(client->stream, str_of(sasl_name(mechanism)), NULL);
    bool is_pending = sasl_is_client_first(sasl);
    if (is_pending)
        is_good = sasl_step(sasl, STR_EMPTY, &answer, err);
    if (is_good && is_pending && answer.length * 4 / 3 + 32 <= COMMAND_BYTES_MAX) {
        stream_put(client->stream, answer.length ? STR(" ") : STR(" ="), NULL);
        stream_put_secret_base64(client->stream, buf_view(&answer), NULL);
        is_pending = false;
    }
    stream_put(client->stream, STR("\r\n"), NULL);
    while ((is_alive = pop3_client_flush(client, &broken) &&
                       pop3_client_read_reply(client, reply, &broken)) &&
           reply->status == POP3_CONTINUE) {
        if (is_good && is_pending && reply->text.length == 0) {
            stream_put_secret_base64(client->stream, buf_view(&answer), NULL);
            stream_put(client->stream, STR("\r\n"), NULL);
            is_pending = false;
        } else if (is_good)
            is_good = answer_challenge(client, sasl, reply->text, &answer, &refused);
        else
            pop3_client_command(client, "*");
    }
    secret_wipe(answer.at, answer.capacity);
    buf_free(&answer);
    if (!is_alive || !is_good) {
        if (err && err->kind == ERROR_NONE)
            *err = is_good ? broken : refused;
        return false;
    }
    return reply->status != POP3_OK || sasl_finish(sasl, STR_EMPTY, err);
}

/* Names and passwords are lines here: what would end one cannot be sent. */
static bool check_line(struct str word, struct error *err)
{
    for (size_t i = 0; i < word.length; i++)
        if (word.at[i] == '\r' || word.at[i] == '\n' || word.at[i] == '\0')
            return error_set(err, ERROR_INVALID, "The name or the password holds a line end");
    return true;
}

static bool user_pass(struct pop3_client *client, const struct pop3_params *params,
                      struct pop3_reply *reply, struct error *err)
{
    bool at_once = pop3_has(client, POP3_CAP_PIPELINING);
    if (!check_line(params->username, err) || !check_line(secret_reveal(params->secret), err))
        return false;
    stream_put(client->stream, STR("USER "), NULL);
    stream_put(client->stream, params->username, NULL);
    stream_put(client->stream, STR("\r\n"), NULL);
    if (!at_once &&
        (!pop3_client_flush(client, err) || !pop3_client_read_reply(client, reply, err)))
        return false;
    if (!at_once && reply->status != POP3_OK)
        return true;
    stream_put(client->stream, STR("PASS "), NULL);
    stream_put_secret(client->stream, secret_reveal(params->secret), NULL);
    stream_put(client->stream, STR("\r\n"), NULL);
    if (!pop3_client_flush(client, err))
        return false;
    if (at_once && !pop3_client_read_reply(client, reply, err))
        return false;
    bool is_named = !at_once || reply->status == POP3_OK;
    struct pop3_reply second;
    if (!pop3_client_read_reply(client, is_named ? reply : &second, err))
        return false;
    return true;
}

static bool apop(struct pop3_client *client, const struct pop3_params *params,
                 struct pop3_reply *reply, struct error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    struct str secret = secret_reveal(params->secret);
    struct buf hex = BUF_INIT(2 * sizeof digest);
    if (!check_line(params->username, err))
        return false;
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    bool is_good = md5 && EVP_DigestInit_ex(md5, EVP_md5(), NULL) &&
                   EVP_DigestUpdate(md5, client->timestamp.at, client->timestamp.length) &&
                   EVP_DigestUpdate(md5, secret.at, secret.length) &&
                   EVP_DigestFinal_ex(md5, digest, &length);
    EVP_MD_CTX_free(md5);
    if (!is_good)
        return error_set(err, ERROR_INTERNAL, "MD5 is not available in this OpenSSL");
    encode_hex(&hex, str_make(digest, length));
    stream_put(client->stream, STR("APOP "), NULL);
    stream_put(client->stream, params->username, NULL);
    stream_put(client->stream, STR(" "), NULL);
    stream_put_secret(client->stream, buf_view(&hex), NULL);
    stream_put(client->stream, STR("\r\n"), NULL);
    buf_free(&hex);
    return pop3_client_flush(client, err) && pop3_client_read_reply(client, reply, err);
}

/* A refusal is about name and password unless its code or its words say otherwise; a server with
 * AUTH-RESP-CODE says so when it is (RFC 3206 section 4). */
static bool explain_sign_in(const struct pop3_client *client, const struct pop3_reply *reply,
                            struct error *err)
{
    pop3_client_explain(client, reply, ERROR_SCOPE_ACCOUNT, err);
    if (err->kind != ERROR_REFUSED && err->kind != ERROR_AUTH)
        return false;
    if (reply->code == POP3_CODE_SYS_PERM)
        return error_hint(err, "Ask your mail provider; POP3 may have to be switched on there.");
    err->kind = pop3_has(client, POP3_CAP_AUTH_RESP_CODE) && reply->code != POP3_CODE_AUTH
                    ? ERROR_UNAVAILABLE
                    : ERROR_AUTH;
    err->retry = err->kind == ERROR_AUTH ? ERROR_RETRY_NEVER : ERROR_RETRY_LATER;
    return error_hint(err, "Check the name and the password; some providers want a password made "
                           "for this program (\"app password\").");
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        if ((unsigned char)s.at[i] >= 0x80)
            return false;
    return true;
}

/* RFC 6856 section 2: messages as they are rather than downgraded; names beyond ASCII. */
static bool ask_for_utf8(struct pop3_client *client, struct error *err)
{
    struct pop3_reply reply;
    return !pop3_has(client, POP3_CAP_UTF8) || pop3_client_ask(client, "UTF8", &reply, err);
}

static bool sign_in(struct pop3_client *client, const struct pop3_params *params, struct error *err)
{
    struct pop3_reply reply = {.status = POP3_ERR};
    struct sasl_params sasl_params = {
        .credential = params->credential,
        .username = params->username,
        .secret = params->secret,
        .host = params->stream.host,
        .port = params->stream.port,
        .is_encrypted = stream_is_encrypted(client->stream),
    };
    enum sasl_mechanism mechanism = params->mechanism;
    bool has_password = params->credential == SASL_PASSWORD;
    bool has_apop = has_password && client->timestamp.length > 0;
    bool has_user = has_password && pop3_has(client, POP3_CAP_USER);
    if (mechanism == SASL_NONE && pop3_has(client, POP3_CAP_SASL))
        mechanism = sasl_choose(client->mechanisms, &sasl_params);
    /* In the clear APOP shows less than a plain password does. */
    bool shows_password =
        mechanism == SASL_NONE || mechanism == SASL_PLAIN || mechanism == SASL_LOGIN;
    bool prefers_apop = has_apop && params->mechanism == SASL_NONE && shows_password &&
                        (!sasl_params.is_encrypted || (mechanism == SASL_NONE && !has_user));
    bool is_done;
    if (prefers_apop) {
        is_done = apop(client, params, &reply, err);
    } else if (mechanism != SASL_NONE) {
        struct sasl *sasl = sasl_new(mechanism, &sasl_params, err);
        is_done = sasl && authenticate(client, sasl, mechanism, &reply, err);
        sasl_free(&sasl);
    } else if (has_user) {
        is_done = user_pass(client, params, &reply, err);
    } else {
        error_set(err, ERROR_REFUSED, "The mail server offers no way of signing in that fits");
        return error_hint(err, "Use TLS, or another way of signing in.");
    }
    if (is_done && reply.status == POP3_OK)
        return true;
    if (!is_done || client->is_dead)
        return false;
    explain_sign_in(client, &reply, err);
    if (err->kind == ERROR_AUTH && !is_ascii(params->username) && !client->capable.takes_utf8_names)
        error_hint(err, "This server may not take names with letters beyond a to z.");
    return false;
}

bool pop3_client_greet(struct pop3_client *client, const struct pop3_params *params,
                       struct error *err)
{
    struct error unused = ERROR_INIT;
    if (!err)
        err = &unused;
    reached(params, STREAM_STEP_GREETING);
    stream_set_deadline(client->stream, deadline_in_ms(CLIENT_COMMAND_MS));
    if (!read_greeting(client, params, err))
        return false;
    if (params->stream.security == STREAM_TLS_STARTTLS && !stream_is_encrypted(client->stream) &&
        !start_tls(client, params, err))
        return false;
    reached(params, STREAM_STEP_GREETING);
    if (!pop3_client_ask_capabilities(client, err) || !ask_for_utf8(client, err))
        return false;
    reached(params, STREAM_STEP_SIGN_IN);
    if (!sign_in(client, params, err))
        return false;
    /* What is offered may change with the sign-in (RFC 2449 section 5). */
    if (pop3_has(client, POP3_CAP_CAPA) && !pop3_client_ask_capabilities(client, err))
        return false;
    reached(params, STREAM_STEP_DONE);
    return true;
}
