/* winmail.dat: all that is found lies within the file. */
#include "server/mail/filename.h"
#include "server/mail/tnef.h"
#include "tests/fuzz/mail_fuzz.h"

static void require_within(struct str piece, struct str whole)
{
    REQUIRE(piece.length == 0 ||
            (piece.at >= whole.at && piece.at + piece.length <= whole.at + whole.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct str file = fuzz_input(bytes, length);
    struct tnef tnef;
    if (tnef_parse(arena, file, &tnef)) {
        require_text(tnef.text);
        require_within(tnef.html, file);
        REQUIRE(tnef.count <= TNEF_ATTACHMENTS_MAX);
        for (size_t i = 0; i < tnef.count; i++) {
            require_within(tnef.attachments[i].bytes, file);
            require_text(tnef.attachments[i].name);
            require_text(tnef.attachments[i].type);
            require_text(tnef.attachments[i].cid);
            REQUIRE(tnef.attachments[i].name.length <= FILENAME_BYTES_MAX);
        }
    }
    arena_free(&arena);
    return 0;
}
