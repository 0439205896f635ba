/* Servers of large providers, so that their people need not wait for look-ups. A row is all that is
 * known of one. */
#ifndef RESTANTE_SYNC_PROVIDERS_H
#define RESTANTE_SYNC_PROVIDERS_H

#include "server/base/str.h"

struct provider {
    const char *domains;            /* separated by spaces */
    const char *imap, *pop3, *smtp; /* hosts, always with TLS on 993, 995, 465 (or... */
    int smtp_port;                  /* ...587 with STARTTLS) */
    const char *hint; /* what people must know before they give a password; NULL: nothing */
};

/* NULL: not in the table. */
const struct provider *provider_of(struct str domain);
/* By the name of one of its servers. */
const struct provider *provider_of_host(struct str host);

#endif
