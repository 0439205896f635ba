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

/* What a mailto: URI (RFC 6068) asks to be written, of the fields that may be: no copies to others,
 * no header fields of its choice. */
enum { SENDER_MAIL_TEXT_BYTES_MAX = 2000 };
struct sender_mail {
    struct str to;      /* one address, as written: to be checked; empty: none, or several */
    struct str subject; /* one line */
    struct str text;    /* lines */
};
void sender_read_mailto(struct arena *arena, struct str uri, struct sender_mail *mail);

/* How a sender makes themselves look. */
struct sender_looks {
    struct str called; /* an address of another domain that stands in the name; empty: none */
    bool is_lookalike; /* the domain is made to look like another (address_display) */
};
void sender_look(struct arena *arena, const struct mail_addresses *from,
                 struct sender_looks *looks);

/* What X-Spam-Status and its like say; whoever wrote the message may have written that too. */
struct sender_junk {
    bool is_said, is_junk;
    struct str score, limit; /* "8.2", "5.0"; empty: not said */
};
void sender_junk(const struct envelope *envelope, struct sender_junk *junk);

#endif
