/* TLS: the shared context, the handshake, and what its failures mean in people's words. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "server/net/stream_private.h"

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *socket; /* its own socket BIO would raise SIGPIPE */
};

/* --- the socket under OpenSSL ----------------------------------------------------------------- */
/* Its own socket BIO writes with write(2), which raises SIGPIPE; a library cannot ask its process
 * to ignore that. */

static int bio_read(BIO *bio, char *at, int length)
{
    int fd = (int)(intptr_t)BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    do
        n = recv(fd, at, (size_t)length, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static int bio_write(BIO *bio, const char *at, int length)
{
    int fd = (int)(intptr_t)BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    do
        n = send(fd, at, (size_t)length, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(bio);
    return (int)n;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method_new(void)
{
    BIO_METHOD *method =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "restante socket");
    if (!method)
        abort();
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
}

static BIO *bio_new(BIO_METHOD *method, int fd)
{
    BIO *bio = BIO_new(method);
    if (!bio)
        abort();
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- the shared context ----------------------------------------------------------------------- */

struct tls_context *tls_context_new(const char *extra_ca, struct error *err)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    if (!ssl)
        abort();
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    bool is_good = SSL_CTX_set_default_verify_paths(ssl);
    if (!is_good)
        error_set(err, ERROR_INTERNAL, "The system's CA certificates cannot be read");
    if (is_good && extra_ca && !SSL_CTX_load_verify_file(ssl, extra_ca)) {
        is_good = error_set(err, ERROR_INVALID, "%s holds no CA certificates in PEM form: %s",
                            extra_ca, ERR_reason_error_string(ERR_peek_last_error()));
    }
    ERR_clear_error();
    if (!is_good) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    struct tls_context *context = calloc(1, sizeof *context);
    if (!context)
        abort();
    context->ssl = ssl;
    context->socket = bio_method_new();
    return context;
}

void tls_context_free(struct tls_context **context)
{
    if (!*context)
        return;
    SSL_CTX_free((*context)->ssl);
    BIO_meth_free((*context)->socket);
    free(*context);
    *context = NULL;
}

/* --- in words --------------------------------------------------------------------------------- */

static const struct certificate_trouble {
    int code;
    const char *what; /* behind "The certificate of HOST " */
    const char *hint;
} certificate_troubles[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "has expired",
     "Whoever runs the mail server must renew its certificate."},
    {X509_V_ERR_CERT_NOT_YET_VALID, "is not valid yet", "Check the clocks of both machines."},
    {X509_V_ERR_HOSTNAME_MISMATCH, "was made out to another name",
     "Use the server name that your mail provider tells you."},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, "was not made out to this address",
     "Use the server's name rather than its address."},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
     "is self-signed, so it cannot be told from an impostor's",
     "The administrator can add the server's certificate to the trusted ones."},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "was issued by an authority that is not known here",
     "The administrator can add the authority's certificate to the trusted ones."},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
     "was issued by an authority that is not known here",
     "The administrator can add the authority's certificate to the trusted ones."},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "came without those that vouch for it",
     "Whoever runs the mail server must send the whole chain of certificates."},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "was not signed by the authority that it names",
     "Someone may be pretending to be the mail server."},
    {X509_V_ERR_CERT_REVOKED, "was revoked", "Whoever runs the mail server must replace it."},
};

static bool explain_certificate(struct stream *stream)
{
    long code = SSL_get_verify_result(stream->ssl);
    if (code == X509_V_OK)
        return false;
    for (size_t i = 0; i < sizeof certificate_troubles / sizeof *certificate_troubles; i++) {
        const struct certificate_trouble *trouble = &certificate_troubles[i];
        if (trouble->code != code)
            continue;
        error_set(&stream->failed, ERROR_TLS, "The certificate of %s %s", stream->host,
                  trouble->what);
        error_hint(&stream->failed, "%s", trouble->hint);
        return true;
    }
    error_set(&stream->failed, ERROR_TLS, "The certificate of %s cannot be trusted: %s",
              stream->host, X509_verify_cert_error_string(code));
    return true;
}

void tls_explain(struct stream *stream, int ssl_error, const char *doing)
{
    unsigned long reason = ERR_peek_last_error();
    int code = ERR_GET_REASON(reason);
    if (stream->failed.kind != ERROR_NONE || explain_certificate(stream)) {
        ERR_clear_error();
        return;
    }
    if (ssl_error == SSL_ERROR_ZERO_RETURN || ssl_error == SSL_ERROR_SYSCALL ||
        (ssl_error == SSL_ERROR_SSL && code == SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
        error_set(&stream->failed, ERROR_CLOSED, "%s closed the connection", stream->host);
    } else if (code == SSL_R_WRONG_VERSION_NUMBER || code == SSL_R_UNKNOWN_PROTOCOL ||
               code == SSL_R_PACKET_LENGTH_TOO_LONG || code == SSL_R_HTTP_REQUEST) {
        error_set(&stream->failed, ERROR_TLS, "%s does not speak TLS on port %d", stream->host,
                  stream->port);
        error_hint(&stream->failed, "Try STARTTLS, or the port for TLS from the start.");
    } else if (code == SSL_R_UNSUPPORTED_PROTOCOL || code == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
               code == SSL_R_VERSION_TOO_LOW) {
        error_set(&stream->failed, ERROR_TLS, "%s only speaks outdated versions of TLS",
                  stream->host);
        error_hint(&stream->failed, "Whoever runs the mail server must allow TLS 1.2 or later.");
    } else {
        const char *text = ERR_reason_error_string(reason);
        error_set(&stream->failed, ERROR_TLS, "The secure connection to %s %s: %s", stream->host,
                  doing, text ? text : "no reason was given");
    }
    ERR_clear_error();
}

/* --- the handshake ---------------------------------------------------------------------------- */

static void expect_host(struct stream *stream)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(stream->ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, stream->host))
        return; /* an address: no SNI (RFC 6066 section 3) */
    if (!X509_VERIFY_PARAM_set1_host(param, stream->host, 0) ||
        !SSL_set_tlsext_host_name(stream->ssl, stream->host))
        abort();
}

bool tls_handshake(struct stream *stream)
{
    SSL *ssl = SSL_new(stream->tls->ssl);
    if (!ssl)
        abort();
    BIO *bio = bio_new(stream->tls->socket, stream->fd);
    SSL_set_bio(ssl, bio, bio);
    stream->ssl = ssl;
    expect_host(stream);
    ERR_clear_error();
    for (int result; (result = SSL_connect(ssl)) != 1;) {
        int why = SSL_get_error(ssl, result);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
            tls_explain(stream, why, "could not be made");
            return false;
        }
        if (stream_poll(stream, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, -1) < 0)
            return false;
    }
    return true;
}
