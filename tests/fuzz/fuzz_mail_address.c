/* Address lists, how they are shown, and their JSON. */
#include "server/mail/address.h"
#include "tests/fuzz/mail_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct mail_addresses list;
    address_parse(arena, fuzz_input(bytes, length), &list);
    REQUIRE(list.count <= ADDRESS_MAX);
    for (size_t i = 0; i < list.count; i++) {
        require_text(list.at[i].name);
        require_text(list.at[i].email);
        require_text(list.at[i].group);
        REQUIRE(list.at[i].email.length <= ADDRESS_EMAIL_BYTES_MAX);
        REQUIRE(list.at[i].name.length <= ADDRESS_NAME_BYTES_MAX);
        require_text(address_display(arena, list.at[i].email));
    }
    struct buf out = BUF_INIT(16 * 1024 * 1024);
    struct json json = JSON_INIT(&out);
    address_write_json(&json, &list);
    require_text(buf_view(&out));
    buf_free(&out);
    arena_free(&arena);
    return 0;
}
