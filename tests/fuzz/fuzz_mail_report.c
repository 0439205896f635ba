/* Delivery reports and receipts: whatever is in them comes out clean. */
#include "server/mail/report.h"
#include "tests/fuzz/mail_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct str raw = fuzz_input(bytes, length);
    struct report report;
    if (report_parse(arena, raw, mime_parse(arena, raw), &report)) {
        require_text(report.message_id);
        require_text(report.reporting_mta);
        REQUIRE(report.count <= REPORT_RECIPIENTS_MAX);
        for (size_t i = 0; i < report.count; i++) {
            require_text(report.recipients[i].email);
            require_text(report.recipients[i].status);
            require_text(report.recipients[i].diagnostic);
            require_text(report.recipients[i].remote_mta);
            REQUIRE(report_action_name(report.recipients[i].action) != NULL);
        }
    }
    arena_free(&arena);
    return 0;
}
