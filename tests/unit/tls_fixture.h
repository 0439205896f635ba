/* A CA of the test's own and servers with good and bad certificates, made by OpenSSL's API. */
#ifndef RESTANTE_TESTS_TLS_FIXTURE_H
#define RESTANTE_TESTS_TLS_FIXTURE_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct tls_identity {
    X509 *certificate;
    EVP_PKEY *key;
};

static void tls_extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* A certificate for `names` ("DNS:a,IP:127.0.0.1"; NULL: a CA), valid for that many seconds from
 * now, signed by `issuer` (NULL: by itself). */
static struct tls_identity tls_make(const struct tls_identity *issuer, const char *names,
                                    long valid_s)
{
    static long serial = 1;
    struct tls_identity made = {X509_new(), EVP_EC_gen("P-256")};
    const struct tls_identity *signer = issuer ? issuer : &made;
    X509_NAME *name = X509_get_subject_name(made.certificate);
    char common[32];
    snprintf(common, sizeof common, "%s %ld", names ? "server" : "CA", serial);
    X509_set_version(made.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -86400 * 2);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), valid_s);
    X509_set_pubkey(made.certificate, made.key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(signer->certificate));
    tls_extend(made.certificate, signer->certificate, NID_basic_constraints,
               names ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (names)
        tls_extend(made.certificate, signer->certificate, NID_subject_alt_name, names);
    assert_true(X509_sign(made.certificate, signer->key, EVP_sha256()) > 0);
    return made;
}

static void tls_drop(struct tls_identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

/* Writes a CA where tls_context_new can read it. */
static void tls_write(const struct tls_identity *identity, const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(PEM_write_X509(file, identity->certificate));
    fclose(file);
}

/* A server of one connection: sends `before` in the clear, then (with an identity) makes TLS, then
 * sends `after`, then reads until the client goes. */
struct tls_server {
    int fd, client_fd;
    const char *before, *after;
    const struct tls_identity *identity;
    int version; /* the only one it speaks; 0: any */
    pthread_t thread;
    char seen[4096]; /* what the client sent: in the clear, and then within TLS */
    size_t seen_length;
    size_t clear_length; /* how much of it in the clear */
};

static void tls_server_expect_line(struct tls_server *server)
{
    char c = '\0';
    while (c != '\n' && server->seen_length < sizeof server->seen - 1 &&
           recv(server->fd, &c, 1, 0) == 1)
        server->seen[server->seen_length++] = c;
}

static void *tls_server_run(void *context)
{
    struct tls_server *server = context;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (server->version) {
        SSL_CTX_set_security_level(ctx, 0);
        SSL_CTX_set_min_proto_version(ctx, server->version);
        SSL_CTX_set_max_proto_version(ctx, server->version);
    }
    /* "greeting|answer|answer": a line of the client's stands between them. */
    for (const char *say = server->before; say && *say;) {
        size_t length = strcspn(say, "|");
        send(server->fd, say, length, MSG_NOSIGNAL);
        say += length;
        if (*say == '|') {
            tls_server_expect_line(server);
            say++;
        }
    }
    server->clear_length = server->seen_length;
    SSL *ssl = SSL_new(ctx);
    if (server->identity) {
        SSL_use_certificate(ssl, server->identity->certificate);
        SSL_use_PrivateKey(ssl, server->identity->key);
        SSL_set_fd(ssl, server->fd);
        if (SSL_accept(ssl) == 1) {
            int n = 1;
            for (const char *say = server->after; n > 0 && say && *say;) {
                size_t length = strcspn(say, "|");
                if (length)
                    n = SSL_write(ssl, say, (int)length);
                say += length;
                if (n > 0 && *say == '|') {
                    n = SSL_read(ssl, server->seen + server->seen_length,
                                 (int)(sizeof server->seen - 1 - server->seen_length));
                    server->seen_length += n > 0 ? (size_t)n : 0;
                    say++;
                }
            }
            while (n > 0 && server->seen_length < sizeof server->seen - 1 &&
                   (n = SSL_read(ssl, server->seen + server->seen_length,
                                 (int)(sizeof server->seen - 1 - server->seen_length))) > 0)
                server->seen_length += (size_t)n;
        }
    }
    for (char c; !server->identity && recv(server->fd, &c, 1, 0) == 1;)
        if (server->seen_length < sizeof server->seen - 1)
            server->seen[server->seen_length++] = c;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    shutdown(server->fd, SHUT_RDWR);
    return NULL;
}

static void tls_server_start(struct tls_server *server)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    signal(SIGPIPE, SIG_IGN); /* the server's writes; the client's need it not */
    server->fd = fds[0];
    server->client_fd = fds[1];
    pthread_create(&server->thread, NULL, tls_server_run, server);
}

/* After the client has closed its end. */
static void tls_server_finish(struct tls_server *server)
{
    pthread_join(server->thread, NULL);
    close(server->fd);
    server->seen[server->seen_length] = '\0';
}

#endif
