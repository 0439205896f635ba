/* The CGI words (RFC 3875) that FastCGI and plain CGI share: variables in, a header block out. */
#ifndef RESTANTE_HTTP_CGI_H
#define RESTANTE_HTTP_CGI_H

#include "server/http/door.h"

/* A variable's value, or an empty slice with a NULL pointer. */
struct str cgi_variable(char *const *environment, const char *name);
/* Fills the request from "NAME=value" texts and sets its peer. The path is REQUEST_URI's where the
 * web server gives it (undecoded), without SCRIPT_NAME when the program is mounted below a prefix.
 * `*body_bytes` becomes CONTENT_LENGTH. ERROR_INVALID for an environment that is no request. */
bool cgi_read_environment(struct exchange *exchange, char *const *environment, uint64_t *body_bytes,
                          struct error *err);
/* "Status: 200 OK", the headers, the blank line. */
void cgi_write_head(const struct exchange *exchange, struct buf *head);

#endif
