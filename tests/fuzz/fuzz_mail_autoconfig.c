/* Autoconfig files come from whatever answers at a stranger's domain. */
#include <assert.h>

#include "server/base/utf8.h"
#include "server/mail/autoconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct autoconfig_server servers[AUTOCONFIG_SERVERS_MAX];
    size_t count = autoconfig_read(arena, str_make(bytes, length), STR("ada@example.org"), servers);
    assert(count <= AUTOCONFIG_SERVERS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(servers[i].port > 0 && servers[i].port <= 65535);
        assert(utf8_is_valid(servers[i].host) && utf8_is_valid(servers[i].username));
    }
    arena_free(&arena);
    return 0;
}
