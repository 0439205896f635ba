/* Looks at what a FastCGI peer has sent before libfcgi may: its reader blocks without end, and it
 * allocates whatever lengths a peer claims (CVE-2025-23016). Pure: bytes in, verdict out. */
#ifndef RESTANTE_HTTP_FCGI_HEAD_H
#define RESTANTE_HTTP_FCGI_HEAD_H

#include "server/base/str.h"

enum fcgi_head {
    FCGI_HEAD_MORE,     /* not all there yet */
    FCGI_HEAD_COMPLETE, /* BEGIN_REQUEST and all PARAMS of a responder request, well formed */
    FCGI_HEAD_BAD,
};

/* What the records of a head may take: a web server's own limits are lower (nginx: 4 x 8 kB). */
enum { FCGI_HEAD_BYTES = 64 * 1024 };

enum fcgi_head fcgi_check_head(struct str bytes);

#endif
