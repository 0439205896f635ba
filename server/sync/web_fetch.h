/* A small file from somebody's web server, over HTTPS, behind the egress rules. */
#ifndef RESTANTE_SYNC_WEB_FETCH_H
#define RESTANTE_SYNC_WEB_FETCH_H

#include "server/base/buf.h"
#include "server/sync/sync.h"

/* GET `url` (https only, also after at most three redirects) into `body`, up to its limit, within
 * `timeout_ms`. The address that each connection is really made to is checked. ERROR_NOT_FOUND for
 * an answer other than 200, ERROR_FORBIDDEN for an address that the rules refuse. Given up when the
 * role ends. */
bool web_fetch(const struct sync_context *sync, const char *url, long timeout_ms, struct buf *body,
               struct error *err);
/* POST of a form ("name=value") to an https URL: any 2xx will do, what else it says is not read,
 * and no redirect is followed (RFC 8058 section 3.1). Errors as above. */
bool web_post(const struct sync_context *sync, const char *url, const char *form, long timeout_ms,
              struct error *err);

#endif
