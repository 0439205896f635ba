/* Address lists: From, To, Cc (RFC 5322 section 3.4, with the obsolete syntax, and what is found in
 * the wild). The real address is always in `email`: a name that looks like an address stays a name.
 */
#ifndef RESTANTE_MAIL_ADDRESS_H
#define RESTANTE_MAIL_ADDRESS_H

#include "server/base/arena.h"
#include "server/base/json.h"

enum {
    ADDRESS_MAX = 1000,            /* of one field; more are cut and `is_cut` says so */
    ADDRESS_EMAIL_BYTES_MAX = 998, /* longer ones are cut */
    ADDRESS_NAME_BYTES_MAX = 1000,
};

struct mail_address {
    struct str name;  /* display name, decoded; empty: none */
    struct str email; /* local@domain as written, without comments, folds or quotes that are not
                         needed; empty: an empty group ("undisclosed-recipients:;") or text that
                         holds no address (then in `name`) */
    struct str group; /* name of the group it stands in; empty: none */
};

struct mail_addresses {
    struct mail_address *at;
    size_t count;
    bool is_cut;
};

/* Parses a raw field value (folds, encoded words and all). Never fails. */
void address_parse(struct arena *arena, struct str value, struct mail_addresses *list);

/* The address as a person should see it: an IDN domain in its own script, but only when it cannot
 * be taken for another (single script or the usual Japanese, Chinese, Korean mixes, no
 * whole-script look-alike of Latin); otherwise in its xn-- form. */
struct str address_display(struct arena *arena, struct str email);

/* [{"name": null or text, "email": text}, ...] (RFC 8621 section 4.1.2.3); entries without an email
 * but with a name are written with an empty email. */
void address_write_json(struct json *json, const struct mail_addresses *list);

#endif
