/* What bytes are, told by the bytes themselves (WHATWG MIME Sniffing, the part that is safe to
 * believe): never by a name or a label. */
#ifndef RESTANTE_MAIL_SNIFF_H
#define RESTANTE_MAIL_SNIFF_H

#include "server/base/str.h"

enum { SNIFF_BYTES = 64 }; /* of the beginning are enough */

/* "image/png", "application/pdf"...; empty: nothing that is known. */
struct str sniff_type(struct str begin);
/* A picture made of dots, which a browser may show without any script coming along. */
bool sniff_is_raster(struct str type);

#endif
