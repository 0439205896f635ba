/* The configuration file: whatever it holds, it is read or refused, and what was read and written
 * again is read again. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool read_bytes(struct arena *arena, struct str bytes, struct config *config)
{
    char path[64];
    int fd = memfd_create("restante.conf", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes.at, bytes.length) != (ssize_t)bytes.length)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool is_read = config_read(arena, path, config, NULL);
    close(fd);
    return is_read;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena *arena = arena_new();
    struct config config, again;
    struct buf written = BUF_INIT(1 << 24);
    if (read_bytes(arena, str_make(bytes, size), &config)) {
        config_domain_of(&config, STR("example.org"));
        config_write_effective(&written, &config);
        assert(read_bytes(arena, buf_view(&written), &again));
        assert(again.domain_count == config.domain_count);
    }
    buf_free(&written);
    arena_free(&arena);
    return 0;
}
