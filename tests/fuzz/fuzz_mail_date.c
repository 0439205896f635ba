/* Dates: whatever is read lies within the years that are allowed. */
#include "server/mail/date.h"
#include "tests/fuzz/mail_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const int64_t year_1899 = -2240611200LL * 1000000, year_10001 = 253433923200LL * 1000000;
    int64_t at = 0;
    int offset = 0;
    struct str value = fuzz_input(bytes, length);
    if (date_parse(value, &at, &offset)) {
        REQUIRE(at > year_1899 && at < year_10001);
        REQUIRE(offset >= -24 * 60 - 59 && offset <= 24 * 60 + 59);
    }
    date_parse_received(value, &at);
    return 0;
}
