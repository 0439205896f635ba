#include "server/sync/sign_in.h"

#include "server/imap/client.h"
#include "server/pop3/client.h"
#include "server/smtp/client.h"
#include "server/sync/providers.h"

/* A person waits for the answer: less patience than in the background. */
enum { CONNECT_MS = 8000, STALL_MS = 10000, PROBE_MS = 3000 };

enum stream_security sign_in_security(enum tls_mode tls)
{
    return tls == TLS_IMPLICIT   ? STREAM_TLS_IMPLICIT
           : tls == TLS_STARTTLS ? STREAM_TLS_STARTTLS
                                 : STREAM_PLAIN;
}

/* --- one session ------------------------------------------------------------------------------ */

static void keep(struct buf *capabilities, struct str told)
{
    if (capabilities)
        buf_str(capabilities, told);
}

static bool try_imap(const struct stream_params *stream, struct str username,
                     const struct secret *secret, struct buf *capabilities, struct error *err)
{
    struct imap_params params = {
        .stream = *stream, .username = username, .credential = SASL_PASSWORD, .secret = secret};
    struct imap_client *client = imap_connect(&params, err);
    if (!client)
        return false;
    keep(capabilities, imap_capabilities(client));
    imap_logout(&client);
    return true;
}

static bool try_pop3(const struct stream_params *stream, struct str username,
                     const struct secret *secret, struct buf *capabilities, struct error *err)
{
    struct pop3_params params = {
        .stream = *stream, .username = username, .credential = SASL_PASSWORD, .secret = secret};
    struct pop3_client *client = pop3_connect(&params, err);
    if (!client)
        return false;
    keep(capabilities, pop3_capabilities(client));
    pop3_quit(&client, NULL);
    return true;
}

static bool try_smtp(const struct stream_params *stream, struct str username,
                     const struct secret *secret, struct buf *capabilities, struct error *err)
{
    struct smtp_params params = {
        .stream = *stream, .username = username, .credential = SASL_PASSWORD, .secret = secret};
    struct smtp_client *client = smtp_connect(&params, err);
    if (!client)
        return false;
    keep(capabilities, smtp_capabilities(client));
    smtp_quit(&client);
    return true;
}

static const struct {
    bool (*run)(const struct stream_params *stream, struct str username,
                const struct secret *secret, struct buf *capabilities, struct error *err);
    const char *name;     /* as people read it */
    const char *greeting; /* how a server begins */
    int tls_port, starttls_port;
} protocols[] = {
    [SIGN_IN_IMAP] = {try_imap, "IMAP", "* ", 993, 143},
    [SIGN_IN_POP3] = {try_pop3, "POP3", "+OK", 995, 110},
    [SIGN_IN_SMTP] = {try_smtp, "SMTP", "220", 465, 587},
};

/* --- why it failed ---------------------------------------------------------------------------- */

/* What a port does with whoever connects. */
enum manner { MANNER_UNKNOWN, MANNER_TLS, MANNER_CLEAR, MANNER_OTHER };

/* Looks for the first words of a server, in the clear or within TLS. */
static bool greets(const struct stream_params *settings, enum stream_security security,
                   const char *greeting, bool *is_expected)
{
    struct buf line = BUF_INIT(4096);
    struct stream_params params = *settings;
    params.security = security;
    params.connect_ms = params.stall_ms = PROBE_MS;
    params.step = NULL;
    struct stream *stream = stream_connect(&params, NULL);
    bool is_greeted = stream && stream_read_line(stream, &line, NULL);
    *is_expected = is_greeted && str_starts(buf_view(&line), str_of(greeting));
    stream_free(&stream);
    buf_free(&line);
    return is_greeted;
}

static enum manner find_manner(const struct stream_params *params, const char *greeting)
{
    bool was_tls = params->security == STREAM_TLS_IMPLICIT, is_expected;
    enum stream_security other = was_tls ? STREAM_PLAIN : STREAM_TLS_IMPLICIT;
    if (!greets(params, other, greeting, &is_expected))
        return MANNER_UNKNOWN;
    return !is_expected ? MANNER_OTHER : was_tls ? MANNER_CLEAR : MANNER_TLS;
}

/* The way of TLS does not fit the port: the most common mistake, and one whose symptoms (silence, a
 * broken handshake) tell nobody what to do. So the other way is tried for a moment. */
static void explain_manner(const struct stream_params *params, enum sign_in_protocol protocol,
                           struct error *err)
{
    struct error why = *err;
    switch (find_manner(params, protocols[protocol].greeting)) {
    case MANNER_TLS:
        error_set(err, ERROR_TLS, "Port %d of %" STR_FMT " speaks TLS from the first byte.",
                  params->port, STR_ARG(params->host));
        error_hint(err, "Choose TLS rather than STARTTLS for this port.");
        break;
    case MANNER_CLEAR:
        error_set(err, ERROR_TLS, "Port %d of %" STR_FMT " begins in the clear.", params->port,
                  STR_ARG(params->host));
        error_hint(err, "Choose STARTTLS for this port, or TLS with port %d.",
                   protocols[protocol].tls_port);
        break;
    case MANNER_OTHER:
        error_set(err, ERROR_PROTOCOL, "Port %d of %" STR_FMT " is not for %s.", params->port,
                  STR_ARG(params->host), protocols[protocol].name);
        error_hint(err, "%s has port %d with TLS and port %d with STARTTLS.",
                   protocols[protocol].name, protocols[protocol].tls_port,
                   protocols[protocol].starttls_port);
        break;
    case MANNER_UNKNOWN:
        *err = why;
    }
}

static bool may_be_manner(const struct stream_params *params, const struct error *err)
{
    enum stream_step step = *params->step;
    bool is_silent = err->kind == ERROR_TIMEOUT || err->kind == ERROR_CLOSED;
    if (step == STREAM_STEP_TLS && params->security == STREAM_TLS_IMPLICIT)
        return is_silent || err->kind == ERROR_TLS;
    return step == STREAM_STEP_GREETING && is_silent;
}

static void hint_by_provider(struct str host, struct error *err)
{
    const struct provider *provider = provider_of_host(host);
    if (provider && provider->hint)
        error_hint(err, "%s", provider->hint);
    else if (str_ends_nocase(host, STR(".office365.com")) ||
             str_ends_nocase(host, STR(".outlook.com")))
        error_hint(err, "Microsoft's servers no longer take passwords from mail programs.");
}

/* So that no failure is without something to do about it. */
static void hint_by_kind(enum sign_in_protocol protocol, struct error *err)
{
    switch (err->kind) {
    case ERROR_TIMEOUT:
    case ERROR_CLOSED:
        error_hint(err, "Check the port (%d for %s with TLS), or try again in a few minutes.",
                   protocols[protocol].tls_port, protocols[protocol].name);
        break;
    case ERROR_AUTH:
        error_hint(err, "Check the name and the password.");
        break;
    case ERROR_UNAVAILABLE:
        error_hint(err, "Try again in a few minutes; the settings may well be right.");
        break;
    case ERROR_PROTOCOL:
    case ERROR_LIMIT:
        error_hint(err, "Check the host and the port: this does not look like a server for %s.",
                   protocols[protocol].name);
        break;
    case ERROR_FORBIDDEN:
        error_hint(err, "The administrator decides which servers may be used.");
        break;
    case ERROR_TLS:
        error_hint(err, "Check the host's name, and whether the port fits the way of TLS.");
        break;
    default:
        error_hint(err, "Check the settings, and ask your mail provider if they are right.");
    }
}

bool sign_in_try(const struct sync_context *sync, enum sign_in_protocol protocol,
                 const struct server_settings *server, const struct secret *secret,
                 enum stream_step *step, struct buf *capabilities, struct error *err)
{
    struct error why = ERROR_INIT;
    struct stream_params params = {
        .host = server->host,
        .port = server->port,
        .security = sign_in_security(server->tls),
        .egress = sync->egress,
        .tls = sync->tls,
        .connect_ms = CONNECT_MS,
        .stall_ms = STALL_MS,
        .cancel_fd = sync->stop_fd,
        .step = step,
    };
    if (protocols[protocol].run(&params, server->username, secret, capabilities, &why))
        return true;
    if (!sync_is_stopping(sync) && may_be_manner(&params, &why))
        explain_manner(&params, protocol, &why);
    if (why.kind == ERROR_AUTH)
        hint_by_provider(server->host, &why);
    if (why.hint[0] == '\0')
        hint_by_kind(protocol, &why);
    if (err)
        *err = why;
    return false;
}
