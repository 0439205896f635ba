/* Hosts as people type them: what is taken as a host is never an address in an odd form. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "server/net/egress.h"
#include "server/net/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct str host = str_make(bytes, length);
    char ascii[RESOLVE_HOST_BYTES];
    struct in_addr odd, usual;
    if (resolve_ascii(host, ascii, NULL)) {
        if (!egress_check_host(str_of(ascii), NULL))
            abort();
        /* inet_aton reads 127.1, 0x7f.1 and 2130706433; what passed must be dotted decimal then. */
        if (inet_aton(ascii, &odd) && inet_pton(AF_INET, ascii, &usual) != 1)
            abort();
    }
    struct egress *egress = egress_new(host, STR_EMPTY, NULL);
    egress_free(&egress);
    egress = egress_new(STR_EMPTY, host, NULL);
    egress_free(&egress);
    return 0;
}
