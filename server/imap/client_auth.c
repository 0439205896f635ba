/* From the greeting to the first command: STARTTLS, signing in, ID, ENABLE, COMPRESS. */
#include "server/imap/client_private.h"

static void reached(const struct imap_params *params, enum stream_step step)
{
    if (params->stream.step)
        *params->stream.step = step;
}

/* --- the greeting ----------------------------------------------------------------------------- */

static bool read_greeting(struct imap_client *client, struct str host, struct error *err)
{
    struct imap_text text;
    struct imap_response greeting;
    if (!wire_read(&client->wire, NULL, &text, err))
        return false;
    if (!imap_parse(client->arena, &text, &greeting, err) ||
        greeting.type != IMAP_RESPONSE_CONDITION) {
        error_set(err, ERROR_PROTOCOL, "%" STR_FMT " does not greet as an IMAP server",
                  STR_ARG(host));
        return error_hint(err, "Check the port: 993 with TLS, 143 with STARTTLS.");
    }
    client->host = imap_host_find(host, greeting.text);
    if (greeting.code == IMAP_CODE_CAPABILITY)
        client_capabilities(client, greeting.words, greeting.word_count);
    if (greeting.condition == IMAP_PREAUTH || greeting.condition == IMAP_OK) {
        client->is_preauth = greeting.condition == IMAP_PREAUTH;
        return true;
    }
    char words[CLIENT_TEXT_BYTES] = "";
    str_copy(str_sub(greeting.text, 0, sizeof words - 1), words, sizeof words);
    client_explain(client, IMAP_BYE, greeting.code, words, err);
    if (err && err->kind == ERROR_CLOSED)
        err->kind = ERROR_UNAVAILABLE;
    return false;
}

static bool ask_capabilities(struct imap_client *client, struct error *err)
{
    return client_run(client, "CAPABILITY", NULL, NULL, err);
}

/* Nothing of what the server said before counts after (RFC 9051 section 6.2.1). */
static bool start_tls(struct imap_client *client, const struct imap_params *params,
                      struct error *err)
{
    reached(params, STREAM_STEP_TLS);
    if (client->is_preauth)
        return error_set(err, ERROR_PROTOCOL,
                         "%" STR_FMT " signs in before TLS, which cannot be trusted",
                         STR_ARG(params->stream.host));
    if (!client->is_capability_known && !ask_capabilities(client, err))
        return false;
    struct error refused = ERROR_INIT;
    if (!imap_has(client, IMAP_CAP_STARTTLS) ||
        !client_run(client, "STARTTLS", NULL, NULL, &refused)) {
        if (client->is_dead) {
            *err = refused;
            return false;
        }
        error_set(err, ERROR_PROTOCOL, "%" STR_FMT " does not offer TLS on port %d",
                  STR_ARG(params->stream.host), params->stream.port);
        return error_hint(err, "Use TLS from the start, on port 993.");
    }
    if (!stream_start_tls(client->stream, err))
        return false;
    client->is_capability_known = false;
    client->offered = 0;
    client->mechanisms = 0;
    client->has_bye = false;
    return true;
}

/* --- signing in ------------------------------------------------------------------------------- */

/* One challenge and its answer; a server that says nothing sensible gets "*", which cancels. */
static bool answer_challenge(struct imap_client *client, struct sasl *sasl, struct buf *answer,
                             struct error *err)
{
    struct str text = str_trim(buf_view(&client->continue_text));
    buf_reset(answer);
    bool is_good = sasl_step_base64(sasl, text, answer, err);
    if (is_good)
        stream_put_secret_base64(client->stream, buf_view(answer), NULL);
    else
        client_text(client, "*");
    client_end(client);
    return is_good;
}

static bool authenticate(struct imap_client *client, struct sasl *sasl,
                         enum sasl_mechanism mechanism, struct error *err)
{
    struct client_command command;
    struct buf answer = BUF_INIT(65536);
    struct error refused = ERROR_INIT;
    bool is_good = true;
    buf_reserve(&answer, 16384); /* so that no copy of the secret is left behind by growing */
    client_begin(client, &command, "AUTHENTICATE ", NULL, NULL);
    client_text(client, sasl_name(mechanism));
    if (sasl_is_client_first(sasl) && imap_has(client, IMAP_CAP_SASL_IR)) {
        is_good = sasl_step(sasl, STR_EMPTY, &answer, &refused);
        client_text(client, answer.length ? " " : " =");
        stream_put_secret_base64(client->stream, buf_view(&answer), NULL);
    }
    client_end(client);
    while (is_good && client_await_continue(client, &command, &refused))
        is_good = answer_challenge(client, sasl, &answer, &refused);
    secret_wipe(answer.at, answer.capacity);
    buf_free(&answer);
    bool is_ok = client_finish(client, &command, err);
    if (!is_good) {
        if (err)
            *err = refused;
        return false;
    }
    return is_ok && sasl_finish(sasl, STR_EMPTY, err);
}

static bool login(struct imap_client *client, const struct imap_params *params, struct error *err)
{
    struct client_command command;
    client_begin(client, &command, "LOGIN ", NULL, NULL);
    if (client_string(client, &command, params->username, err)) {
        client_text(client, " ");
        if (client_secret(client, &command, secret_reveal(params->secret), err))
            client_end(client);
    }
    return client_finish(client, &command, err);
}

/* A refusal without a code is about name and password, unless its words say otherwise. */
static bool explain_sign_in(const struct imap_client *client, struct error *err)
{
    if (!err || client->is_dead || err->kind != ERROR_REFUSED)
        return false;
    err->kind = ERROR_AUTH;
    err->retry = ERROR_RETRY_NEVER;
    err->scope = ERROR_SCOPE_ACCOUNT;
    return error_hint(err, "Check the name and the password; some providers want a password made "
                           "for this program (\"app password\").");
}

static bool sign_in(struct imap_client *client, const struct imap_params *params, struct error *err)
{
    struct sasl_params sasl_params = {
        .credential = params->credential,
        .username = params->username,
        .secret = params->secret,
        .host = params->stream.host,
        .port = params->stream.port,
        .is_encrypted = stream_is_encrypted(client->stream),
    };
    enum sasl_mechanism mechanism = params->mechanism;
    if (mechanism == SASL_NONE)
        mechanism = sasl_choose(client->mechanisms, &sasl_params);
    if (mechanism == SASL_NONE) {
        if (params->credential == SASL_PASSWORD && !imap_has(client, IMAP_CAP_LOGINDISABLED) &&
            str_find_char(secret_reveal(params->secret), '\0') < 0 &&
            str_find_char(params->username, '\0') < 0)
            return login(client, params, err) || explain_sign_in(client, err);
        error_set(err, ERROR_REFUSED, "The mail server offers no way of signing in that fits");
        err->scope = ERROR_SCOPE_ACCOUNT;
        return error_hint(err, "Use TLS, or another way of signing in.");
    }
    struct sasl *sasl = sasl_new(mechanism, &sasl_params, err);
    if (!sasl)
        return false;
    bool is_good = authenticate(client, sasl, mechanism, err) || explain_sign_in(client, err);
    sasl_free(&sasl);
    return is_good;
}

/* --- afterwards ------------------------------------------------------------------------------- */

static bool take_id(void *context, const struct imap_response *response)
{
    struct imap_client *client = context;
    if (response->type != IMAP_RESPONSE_ID)
        return false;
    arena_reset(client->id_arena);
    client->id = ARENA_ARRAY(client->id_arena, response->pair_count + 1, struct imap_pair);
    client->id_count = response->pair_count;
    for (size_t i = 0; i < response->pair_count; i++)
        client->id[i] = (struct imap_pair){arena_str(client->id_arena, response->pairs[i].name),
                                           arena_str(client->id_arena, response->pairs[i].value)};
    return true;
}

/* What the quirk table knows better than the server. */
static void apply_quirks(struct imap_client *client)
{
    unsigned quirks = client->host->quirks;
    if (quirks & IMAP_QUIRK_NO_QRESYNC)
        client->without |= UINT64_C(1) << IMAP_CAP_QRESYNC;
    if (quirks & IMAP_QUIRK_NO_ESEARCH)
        client->without |= UINT64_C(1) << IMAP_CAP_ESEARCH | UINT64_C(1) << IMAP_CAP_PARTIAL;
}

/* ID and ENABLE in one round trip; neither may fail the session. */
static bool introduce(struct imap_client *client, const struct imap_params *params,
                      struct error *err)
{
    struct client_command id, enable;
    bool has_id = imap_has(client, IMAP_CAP_ID) || client->host->quirks & IMAP_QUIRK_ID_REQUIRED;
    bool has_enable = imap_has(client, IMAP_CAP_ENABLE) &&
                      (imap_has(client, IMAP_CAP_QRESYNC) || imap_has(client, IMAP_CAP_CONDSTORE) ||
                       (params->use_utf8 && imap_has(client, IMAP_CAP_UTF8_ACCEPT)));
    if (has_id) {
        client_begin(client, &id, "ID (\"name\" \"Restante\")", take_id, client);
        client_end(client);
    }
    if (has_enable) {
        client_begin(client, &enable, "ENABLE", NULL, NULL);
        if (imap_has(client, IMAP_CAP_QRESYNC))
            client_text(client, " QRESYNC");
        if (imap_has(client, IMAP_CAP_CONDSTORE))
            client_text(client, " CONDSTORE");
        if (params->use_utf8 && imap_has(client, IMAP_CAP_UTF8_ACCEPT))
            client_text(client, " UTF8=ACCEPT");
        client_end(client);
    }
    if (has_id)
        client_finish(client, &id, err);
    if (!*client->host->name) /* the greeting may be anything; ID names the program */
        client->host = imap_host_find(params->stream.host, imap_server_id(client, "name"));
    if (has_enable)
        client_finish(client, &enable, err);
    return !client->is_dead;
}

static bool compress(struct imap_client *client, struct error *err)
{
    struct error refused = ERROR_INIT;
    if (!client_run(client, "COMPRESS DEFLATE", NULL, NULL, &refused)) {
        if (client->is_dead && err)
            *err = refused;
        return !client->is_dead; /* it goes on as it was */
    }
    return stream_start_deflate(client->stream, err);
}

bool client_greet(struct imap_client *client, const struct imap_params *params, struct error *err)
{
    struct error unused = ERROR_INIT;
    if (!err)
        err = &unused;
    reached(params, STREAM_STEP_GREETING);
    if (!read_greeting(client, params->stream.host, err))
        return false;
    if (params->stream.security == STREAM_TLS_STARTTLS && !stream_is_encrypted(client->stream) &&
        !start_tls(client, params, err))
        return false;
    reached(params, STREAM_STEP_GREETING);
    if (!client->is_capability_known && !ask_capabilities(client, err))
        return false;
    reached(params, STREAM_STEP_SIGN_IN);
    if (!client->is_preauth) {
        client->is_capability_known = false;
        if (!sign_in(client, params, err))
            return false;
    }
    bool is_doubtful = client->host->quirks & IMAP_QUIRK_ASK_CAPABILITY;
    if ((!client->is_capability_known || is_doubtful) && !ask_capabilities(client, err))
        return false;
    apply_quirks(client);
    if (!introduce(client, params, err))
        return false;
    if (params->use_deflate && imap_has(client, IMAP_CAP_COMPRESS_DEFLATE) &&
        !compress(client, err))
        return false;
    reached(params, STREAM_STEP_DONE);
    return true;
}
