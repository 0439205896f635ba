/* Names of attachments: made safe to show and to save (ref security 17, 18). */
#ifndef RESTANTE_MAIL_FILENAME_H
#define RESTANTE_MAIL_FILENAME_H

#include "server/base/arena.h"

enum { FILENAME_BYTES_MAX = 255 };

/* A name without path, control characters, bidi controls (they are dropped, so that the extension
 * seen is the true one) and characters no file system takes; at most FILENAME_BYTES_MAX bytes with
 * its extension kept. Empty when nothing is left. */
struct str filename_clean(struct arena *arena, struct str name);

#endif
