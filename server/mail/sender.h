/* What a message says of where it comes from, and how far it may be believed: the results of
 * authentication that a trusted server wrote (RFC 8601), and the ways off a mailing list (RFC 2369,
 * 8058). */
#ifndef RESTANTE_MAIL_SENDER_H
#define RESTANTE_MAIL_SENDER_H

#include "server/mail/envelope.h"

enum sender_verdict {
    SENDER_UNKNOWN, /* not said, or neither: none, neutral, temperror... */
    SENDER_PASS,
    SENDER_FAIL, /* fail, softfail, permerror */
};

struct sender_authentication {
    struct str server; /* the trusted server's name; empty: no trusted one said anything */
    enum sender_verdict spf, dkim, dmarc;
    struct str dkim_domain; /* lower case, of the signature that passed (or failed) */
    struct str spf_domain;  /* lower case, of the envelope's sender */
    bool is_aligned;        /* what passed is the domain in From, or one below or above it: the
                               sender's address is true. DMARC's word where there is one */
};

/* Reads the envelope's Authentication-Results from the top, as long as they bear the name of a
 * server in `trusted` (in any case): what stands below another's came with the message and may be
 * forged (ref security 20). All text in the arena. */
void sender_authenticate(struct arena *arena, const struct envelope *envelope,
                         const struct str *trusted, size_t trusted_count,
                         struct sender_authentication *result);

struct sender_unsubscribe {
    struct str https;  /* the first https: URI; empty: none */
    struct str mailto; /* the first mailto: URI; empty: none */
    bool is_one_click; /* a POST of "List-Unsubscribe=One-Click" to `https` is enough (RFC 8058) */
};

/* False when there is no way that may be taken. URIs with spaces, controls, a user's name before
 * the host or other schemes are none. Where https: points to is for the egress rules to judge. */
bool sender_unsubscribe(struct arena *arena, const struct envelope *envelope,
                        struct sender_unsubscribe *ways);

#endif
