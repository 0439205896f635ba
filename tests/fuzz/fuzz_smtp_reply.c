/* Any lines an SMTP server may say. */
#include <stdint.h>
#include <stdlib.h>

#include "server/smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct str rest = str_make(bytes, length);
    struct smtp_capabilities capabilities = {0};
    while (rest.at) {
        struct str line = str_cut(&rest, '\n');
        struct smtp_line parsed;
        if (!smtp_parse_line(line, &parsed))
            continue;
        if (parsed.code < 200 || parsed.code > 599 || parsed.text.length > line.length ||
            strlen(parsed.status) >= sizeof parsed.status)
            abort();
        if (parsed.status[0] && parsed.status[0] != '0' + parsed.code / 100)
            abort();
        smtp_parse_capability(parsed.text, &capabilities);
    }
    return 0;
}
