/* Where bytes from a mail server wait for the parser and the database: memory, or, when they are
 * many, a file without a name below TMPDIR. */
#ifndef RESTANTE_SYNC_SPOOL_H
#define RESTANTE_SYNC_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

enum { SPOOL_MEMORY_BYTES = 16 << 20 /* more than that goes to the disk */ };

/* An empty one for about that many bytes; to be closed. Where no file can be had, it is memory. -1
 * with errno. `is_on_disk` may be NULL. */
int spool_open(uint64_t bytes, bool *is_on_disk);
/* A file. -1: there is no place for one. */
int spool_on_disk(void);

#endif
