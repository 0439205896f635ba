/* Signing in: the SASL mechanisms mail servers speak, as a small machine of raw bytes. The protocol
 * clients do the base64 and the words around it. */
#ifndef RESTANTE_NET_SASL_H
#define RESTANTE_NET_SASL_H

#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/secret.h"

enum sasl_mechanism {
    SASL_NONE,
    SASL_PLAIN,         /* RFC 4616 */
    SASL_LOGIN,         /* draft-murchison-sasl-login */
    SASL_CRAM_MD5,      /* RFC 2195 */
    SASL_SCRAM_SHA_1,   /* RFC 5802 */
    SASL_SCRAM_SHA_256, /* RFC 7677 */
    SASL_XOAUTH2,       /* Google's and Microsoft's */
    SASL_OAUTHBEARER,   /* RFC 7628 */
    SASL_EXTERNAL,      /* RFC 4422 appendix A: the TLS client certificate */
    SASL_MECHANISMS
};

/* As on the wire: "SCRAM-SHA-256". */
const char *sasl_name(enum sasl_mechanism mechanism);
/* SASL_NONE for those we do not speak. */
enum sasl_mechanism sasl_by_name(struct str name);

enum sasl_credential { SASL_PASSWORD, SASL_TOKEN, SASL_CERTIFICATE };

/* More would keep our processor busy at a stranger's wish (security.md 35). */
enum { SASL_ITERATIONS_MAX = 1000000, SASL_CHALLENGE_BYTES_MAX = 8192 };

struct sasl_params {
    enum sasl_credential credential;
    struct str username;
    const struct secret *secret; /* password or access token; must outlive the exchange */
    struct str host;             /* OAUTHBEARER names them */
    int port;
    bool is_encrypted;
};

/* The best of `offered` (bits 1 << mechanism) for that credential: over TLS the one that works
 * everywhere and costs one round trip, in the clear the one that shows least. SASL_NONE: nothing
 * fits. */
enum sasl_mechanism sasl_choose(unsigned offered, const struct sasl_params *params);

struct sasl;

/* NULL with ERROR_INVALID for a name or password that the mechanism cannot carry (NUL bytes). */
struct sasl *sasl_new(enum sasl_mechanism mechanism, const struct sasl_params *params,
                      struct error *err);
void sasl_free(struct sasl **sasl);

/* True when the client speaks first, so that the first answer may go with the command (SASL-IR);
 * otherwise an empty challenge must not be answered before the server's. */
bool sasl_is_client_first(const struct sasl *sasl);
/* The answer to a challenge (empty for the first one of a client-first mechanism), appended to
 * `answer`, which the caller wipes. ERROR_AUTH when the server proves to be wrong or says no inside
 * the exchange, ERROR_PROTOCOL when it makes no sense. */
bool sasl_step(struct sasl *sasl, struct str challenge, struct buf *answer, struct error *err);
/* The same for a challenge in base64, as the protocols have them. */
bool sasl_step_base64(struct sasl *sasl, struct str challenge, struct buf *answer,
                      struct error *err);
/* To be called when the server says that all is well: ERROR_AUTH if it has not proven to know the
 * password where the mechanism has it do so. `additional`: data that came with the success (SMTP
 * and IMAP send it as one more challenge instead; then it is empty). */
bool sasl_finish(struct sasl *sasl, struct str additional, struct error *err);

#endif
