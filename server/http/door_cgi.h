/* The CGI door: one request from the environment and standard input, its answer on standard output,
 * one process. */
#ifndef RESTANTE_HTTP_DOOR_CGI_H
#define RESTANTE_HTTP_DOOR_CGI_H

#include "server/http/door.h"

/* Whether a web server started this process as a CGI program. */
bool door_cgi_is_asked(char *const *environment);
/* Answers the request. False when the answer could not be written: exit with a failure. */
bool door_cgi_serve(const struct door_options *options, char *const *environment, int input,
                    int output);

#endif
