/* Any bytes as a message: quoted into a mailbox file, whatever the pieces, they come back the same
 * but for the ends of lines. */
#include <assert.h>
#include <stdlib.h>

#include "server/mail/mbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Lines ended by CRLF, the last one too. */
static void straighten(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '\n' && (i == 0 || text.at[i - 1] != '\r'))
            buf_char(out, '\r');
        buf_char(out, text.at[i]);
    }
    if (!str_ends(buf_view(out), STR("\n")))
        buf_text(out, "\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const size_t limit = 8 * length + 1000;
    struct buf file = BUF_INIT(limit), plain = BUF_INIT(limit), again = BUF_INIT(limit);
    struct mbox_quoter quoter = {0};
    struct mbox_message message = {0};
    if (length > 100000 || str_find(str_make(bytes, length), STR("\r\r\n")) >= 0 ||
        (length > 0 && bytes[length - 1] == 0x0d))
        return 0; /* a CR of the message before a line end of the file is lost */
    mbox_write_from(&file, STR("ada@example.org"), 1700000000LL * 1000000);
    size_t piece = length > 0 ? 1 + bytes[0] % 16 : 1;
    for (size_t at = 0; at < length; at += piece)
        mbox_quote(&quoter, str_sub(str_make(bytes, length), at, piece), &file);
    mbox_quote_end(&quoter, &file);
    size_t first_length = file.length;
    mbox_write_from(&file, STR(""), 0); /* another one behind it */
    size_t at = 0;
    enum mbox_step step = mbox_next(buf_view(&file), true, &at, &message);
    assert(step == MBOX_MESSAGE && at == first_length);
    assert(message.received_at == 1700000000LL * 1000000);
    mbox_unquote(message.text, &again);
    straighten(str_make(bytes, length), &plain);
    if (length > 0) {
        assert(plain.length == again.length);
        assert(memcmp(plain.at, again.at, plain.length) == 0);
    }
    /* and any bytes as a file */
    at = 0;
    while (mbox_next(str_make(bytes, length), true, &at, &message) == MBOX_MESSAGE)
        mbox_unquote(message.text, &again);
    buf_free(&file);
    buf_free(&plain);
    buf_free(&again);
    return 0;
}
