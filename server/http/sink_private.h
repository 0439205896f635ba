/* What a door puts behind response_write, and a header without copies. */
#ifndef RESTANTE_HTTP_SINK_PRIVATE_H
#define RESTANTE_HTTP_SINK_PRIVATE_H

#include "server/http/response.h"

/* The first member of a door's own sink. */
struct response_sink {
    bool (*write)(struct response_sink *sink, struct str bytes);
};

/* A header that is not set yet, of texts that outlive the response. */
void response_add_literal(struct response *res, struct str name, struct str value);

#endif
