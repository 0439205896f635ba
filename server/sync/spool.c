#include "server/sync/spool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

int spool_on_disk(void)
{
    const char *folder = getenv("TMPDIR");
    return open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

int spool_open(uint64_t bytes, bool *is_on_disk)
{
    int fd = bytes > SPOOL_MEMORY_BYTES ? spool_on_disk() : -1;
    if (is_on_disk)
        *is_on_disk = fd >= 0;
    return fd >= 0 ? fd : memfd_create("messages", MFD_CLOEXEC);
}
