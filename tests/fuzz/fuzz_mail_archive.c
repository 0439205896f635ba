/* Whatever file somebody brings to be imported: it ends, and its messages lie within the batch. */
#include <assert.h>

#include "server/mail/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct archive_batch *batch = archive_batch_new();
    struct archive_cursor cursor = {0};
    for (int i = 0; i < 10; i++) {
        archive_read(str_make(bytes, length), cursor, batch);
        uint64_t end = 0;
        for (size_t k = 0; k < batch->count; k++) {
            assert(batch->at[k].offset == end);
            end += batch->at[k].length;
            assert(batch->at[k].fate == ARCHIVE_MESSAGE || batch->at[k].length == 0);
        }
        assert(end == batch->bytes.length);
        if (batch->is_end)
            break;
        assert(batch->next.entry != cursor.entry || batch->next.position != cursor.position);
        cursor = batch->next;
    }
    /* from a point that makes no sense, in the middle of the first entry */
    batch->point.entry = cursor.entry = batch->next.entry;
    memcpy(&batch->point.at, bytes,
           length < sizeof batch->point.at ? length : sizeof batch->point.at);
    cursor.position = batch->point.at.unpacked;
    archive_read(str_make(bytes, length), cursor, batch);
    archive_batch_free(&batch);
    return 0;
}
