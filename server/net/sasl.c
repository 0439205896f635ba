#include "server/net/sasl.h"

#include <gsasl.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "server/base/encode.h"

struct sasl {
    enum sasl_mechanism mechanism;
    struct sasl_params params;
    char *username;  /* owned, NUL-terminated */
    int step;        /* answers given */
    bool is_refused; /* the server said no inside the exchange; the empty answer was given */
    Gsasl *gsasl;
    Gsasl_session *scram;
    bool is_proven; /* SCRAM: the server has shown that it knows the password */
};

static const struct mechanism {
    const char *name;
    enum sasl_credential credential;
    bool is_client_first;
    int rank_encrypted; /* lower is better; 0: never */
    int rank_clear;
} mechanisms[SASL_MECHANISMS] = {
    [SASL_NONE] = {"", SASL_PASSWORD, false, 0, 0},
    /* Within TLS the plain password first: SCRAM fails on servers that offer it for accounts whose
     * stored hash is of another kind, and costs two round trips more at each reconnect. */
    [SASL_PLAIN] = {"PLAIN", SASL_PASSWORD, true, 1, 5},
    [SASL_LOGIN] = {"LOGIN", SASL_PASSWORD, false, 4, 6},
    [SASL_CRAM_MD5] = {"CRAM-MD5", SASL_PASSWORD, false, 5, 3},
    [SASL_SCRAM_SHA_1] = {"SCRAM-SHA-1", SASL_PASSWORD, true, 3, 2},
    [SASL_SCRAM_SHA_256] = {"SCRAM-SHA-256", SASL_PASSWORD, true, 2, 1},
    /* A token works by itself, so it is never shown in the clear. */
    [SASL_OAUTHBEARER] = {"OAUTHBEARER", SASL_TOKEN, true, 1, 0},
    [SASL_XOAUTH2] = {"XOAUTH2", SASL_TOKEN, true, 2, 0},
    [SASL_EXTERNAL] = {"EXTERNAL", SASL_CERTIFICATE, true, 1, 0},
};

const char *sasl_name(enum sasl_mechanism mechanism)
{
    return mechanisms[mechanism].name;
}

enum sasl_mechanism sasl_by_name(struct str name)
{
    for (int i = SASL_NONE + 1; i < SASL_MECHANISMS; i++)
        if (str_equal_nocase(name, str_of(mechanisms[i].name)))
            return (enum sasl_mechanism)i;
    return SASL_NONE;
}

enum sasl_mechanism sasl_choose(unsigned offered, const struct sasl_params *params)
{
    enum sasl_mechanism best = SASL_NONE;
    int best_rank = 0;
    for (int i = SASL_NONE + 1; i < SASL_MECHANISMS; i++) {
        const struct mechanism *m = &mechanisms[i];
        int rank = params->is_encrypted ? m->rank_encrypted : m->rank_clear;
        if (!(offered & 1u << i) || m->credential != params->credential || !rank)
            continue;
        if (!best || rank < best_rank) {
            best = (enum sasl_mechanism)i;
            best_rank = rank;
        }
    }
    return best;
}

static struct str password_of(const struct sasl *sasl)
{
    return sasl->params.secret ? secret_reveal(sasl->params.secret) : STR_EMPTY;
}

static bool start_scram(struct sasl *sasl, struct error *err)
{
    int rc = gsasl_init(&sasl->gsasl);
    if (rc == GSASL_OK)
        rc = gsasl_client_start(sasl->gsasl, sasl_name(sasl->mechanism), &sasl->scram);
    if (rc == GSASL_OK)
        rc = gsasl_property_set(sasl->scram, GSASL_AUTHID, sasl->username);
    if (rc == GSASL_OK)
        rc = gsasl_property_set(sasl->scram, GSASL_PASSWORD, password_of(sasl).at);
    if (rc != GSASL_OK)
        return error_set(err, ERROR_INTERNAL, "SCRAM cannot start: %s", gsasl_strerror(rc));
    return true;
}

struct sasl *sasl_new(enum sasl_mechanism mechanism, const struct sasl_params *params,
                      struct error *err)
{
    struct str secret = params->secret ? secret_reveal(params->secret) : STR_EMPTY;
    if (str_find_char(params->username, '\0') >= 0 || str_find_char(secret, '\0') >= 0) {
        error_set(err, ERROR_INVALID, "The name or the password holds a NUL byte");
        return NULL;
    }
    /* ^A ends the fields of the token mechanisms. */
    if (mechanisms[mechanism].credential == SASL_TOKEN &&
        (str_find_char(params->username, '\1') >= 0 || str_find_char(secret, '\1') >= 0)) {
        error_set(err, ERROR_INVALID, "The name or the token holds a control character");
        return NULL;
    }
    struct sasl *sasl = calloc(1, sizeof *sasl);
    if (!sasl || !(sasl->username = strndup(params->username.at, params->username.length)))
        abort();
    sasl->mechanism = mechanism;
    sasl->params = *params;
    sasl->params.username = str_of(sasl->username);
    if ((mechanism == SASL_SCRAM_SHA_1 || mechanism == SASL_SCRAM_SHA_256) &&
        !start_scram(sasl, err))
        sasl_free(&sasl);
    return sasl;
}

void sasl_free(struct sasl **pointer)
{
    struct sasl *sasl = *pointer;
    if (!sasl)
        return;
    if (sasl->scram)
        gsasl_finish(sasl->scram);
    if (sasl->gsasl)
        gsasl_done(sasl->gsasl);
    free(sasl->username);
    free(sasl);
    *pointer = NULL;
}

bool sasl_is_client_first(const struct sasl *sasl)
{
    return mechanisms[sasl->mechanism].is_client_first;
}

/* --- the mechanisms --------------------------------------------------------------------------- */

static bool has_no_more_steps(struct error *err)
{
    return error_set(err, ERROR_PROTOCOL, "The server asks for more than the sign-in has to give");
}

static bool step_plain(struct sasl *sasl, struct buf *answer, struct error *err)
{
    if (sasl->step > 0)
        return has_no_more_steps(err);
    buf_char(answer, '\0');
    buf_str(answer, sasl->params.username);
    buf_char(answer, '\0');
    buf_str(answer, password_of(sasl));
    return true;
}

/* The prompts differ from server to server, so their order counts, not their words. */
static bool step_login(struct sasl *sasl, struct buf *answer, struct error *err)
{
    if (sasl->step > 1)
        return has_no_more_steps(err);
    buf_str(answer, sasl->step == 0 ? sasl->params.username : password_of(sasl));
    return true;
}

static bool step_cram_md5(struct sasl *sasl, struct str challenge, struct buf *answer,
                          struct error *err)
{
    if (sasl->step > 0)
        return has_no_more_steps(err);
    struct str password = password_of(sasl);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!HMAC(EVP_md5(), password.at, (int)password.length, (const unsigned char *)challenge.at,
              challenge.length, digest, &length))
        return error_set(err, ERROR_INTERNAL, "CRAM-MD5 is not available in this OpenSSL");
    buf_str(answer, sasl->params.username);
    buf_char(answer, ' ');
    encode_hex(answer, str_make(digest, length));
    return true;
}

static bool step_token(struct sasl *sasl, struct buf *answer, struct error *err)
{
    if (sasl->step > 1)
        return error_set(err, ERROR_AUTH, "The server does not accept the access token");
    if (sasl->step == 1) {
        /* The challenge is an error as JSON; what ends the exchange is an answer without content
         * (RFC 7628 section 3.2.3: one ^A). */
        sasl->is_refused = true;
        if (sasl->mechanism == SASL_OAUTHBEARER)
            buf_char(answer, '\1');
        return true;
    }
    if (sasl->mechanism == SASL_XOAUTH2) {
        buf_text(answer, "user=");
        buf_str(answer, sasl->params.username);
    } else {
        buf_text(answer, "n,a=");
        for (size_t i = 0; i < sasl->params.username.length; i++) { /* RFC 5801 section 4 */
            char c = sasl->params.username.at[i];
            if (c == ',' || c == '=')
                buf_text(answer, c == ',' ? "=2C" : "=3D");
            else
                buf_char(answer, c);
        }
        buf_printf(answer, ",\1host=%" STR_FMT "\1port=%d", STR_ARG(sasl->params.host),
                   sasl->params.port);
    }
    buf_text(answer, "\1auth=Bearer ");
    buf_str(answer, password_of(sasl));
    buf_text(answer, "\1\1");
    return true;
}

static bool step_external(struct sasl *sasl, struct buf *answer, struct error *err)
{
    if (sasl->step > 0)
        return has_no_more_steps(err);
    buf_str(answer, sasl->params.username);
    return true;
}

/* "r=...,s=...,i=4096" (RFC 5802 section 7): only the count is looked at here. */
static bool check_iterations(struct str challenge, struct error *err)
{
    for (struct str rest = challenge; rest.at;) {
        struct str attribute = str_cut(&rest, ',');
        uint32_t count;
        if (!str_starts(attribute, STR("i=")))
            continue;
        if (str_to_u32(str_skip(attribute, 2), &count) && count >= 1 &&
            count <= SASL_ITERATIONS_MAX)
            return true;
        return error_set(err, ERROR_LIMIT, "The server asks for a sign-in that costs too much");
    }
    return error_set(err, ERROR_PROTOCOL, "The server's SCRAM challenge makes no sense");
}

static bool step_scram(struct sasl *sasl, struct str challenge, struct buf *answer,
                       struct error *err)
{
    if (sasl->step > 2)
        return has_no_more_steps(err);
    if (sasl->step == 1 && !check_iterations(challenge, err))
        return false;
    char *output = NULL;
    size_t length = 0;
    int rc = gsasl_step(sasl->scram, challenge.at, challenge.length, &output, &length);
    if (rc == GSASL_OK || rc == GSASL_NEEDS_MORE) {
        if (length)
            buf_append(answer, output, length);
        gsasl_free(output);
        sasl->is_proven = sasl->step == 2 && rc == GSASL_OK;
        return true;
    }
    if (sasl->step == 2)
        return error_set(err, ERROR_AUTH, "The server cannot prove that it knows the password");
    return error_set(err, ERROR_PROTOCOL, "The server's SCRAM challenge makes no sense");
}

bool sasl_step(struct sasl *sasl, struct str challenge, struct buf *answer, struct error *err)
{
    if (challenge.length > SASL_CHALLENGE_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "The server's challenge is too long");
    if (sasl->is_refused)
        return error_set(err, ERROR_AUTH, "The server does not accept the access token");
    bool is_good = false;
    switch (sasl->mechanism) {
    case SASL_PLAIN:
        is_good = step_plain(sasl, answer, err);
        break;
    case SASL_LOGIN:
        is_good = step_login(sasl, answer, err);
        break;
    case SASL_CRAM_MD5:
        is_good = step_cram_md5(sasl, challenge, answer, err);
        break;
    case SASL_SCRAM_SHA_1:
    case SASL_SCRAM_SHA_256:
        is_good = step_scram(sasl, challenge, answer, err);
        break;
    case SASL_XOAUTH2:
    case SASL_OAUTHBEARER:
        is_good = step_token(sasl, answer, err);
        break;
    case SASL_EXTERNAL:
        is_good = step_external(sasl, answer, err);
        break;
    case SASL_NONE:
    case SASL_MECHANISMS:
        abort();
    }
    sasl->step++;
    return is_good;
}

bool sasl_step_base64(struct sasl *sasl, struct str challenge, struct buf *answer,
                      struct error *err)
{
    struct buf bytes = BUF_INIT(65536);
    bool is_good = decode_base64(&bytes, challenge)
                       ? sasl_step(sasl, buf_view(&bytes), answer, err)
                       : error_set(err, ERROR_PROTOCOL, "The server's challenge makes no sense");
    buf_free(&bytes);
    return is_good;
}

bool sasl_finish(struct sasl *sasl, struct str additional, struct error *err)
{
    if (sasl->is_refused)
        return error_set(err, ERROR_AUTH, "The server does not accept the access token");
    if (!sasl->scram || sasl->is_proven)
        return true;
    struct buf unused = BUF_INIT(SASL_CHALLENGE_BYTES_MAX);
    bool is_good = sasl->step == 2 && additional.length &&
                   step_scram(sasl, additional, &unused, err) && sasl->is_proven;
    buf_free(&unused);
    if (!is_good)
        error_set(err, ERROR_AUTH, "The server cannot prove that it knows the password");
    return is_good;
}
