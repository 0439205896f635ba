/* Any lines a POP3 server may say. */
#include <stdint.h>
#include <stdlib.h>

#include "server/pop3/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct str rest = str_make(bytes, length);
    struct pop3_capabilities capabilities = {.expire_days = POP3_EXPIRE_UNKNOWN};
    while (rest.at) {
        struct str line = str_cut(&rest, '\n'), uidl;
        struct pop3_reply reply;
        uint32_t number;
        uint64_t size;
        if (pop3_parse_reply(line, &reply)) {
            if (reply.text.length > line.length)
                abort();
            pop3_parse_stat(reply.text, &number, &size);
        }
        if (pop3_parse_list_line(line, &number, &size) && number == 0)
            abort();
        if (pop3_parse_uidl_line(line, &number, &uidl) &&
            (number == 0 || uidl.length == 0 || str_find_char(uidl, ' ') >= 0))
            abort();
        if (pop3_parse_timestamp(line).length > line.length)
            abort();
        pop3_parse_capability(line, &capabilities);
    }
    return 0;
}
