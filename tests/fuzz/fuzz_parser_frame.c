/* What crosses between pool and child, from either side: frames, values, requests. The first byte
 * chooses what the rest is taken for. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/utf8.h"
#include "server/parser/child.h"
#include "server/parser/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_frames(struct str bytes)
{
    int ends[2], fd;
    if (bytes.length > 60000 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return;
    if (write(ends[0], bytes.at, bytes.length) < 0)
        abort();
    close(ends[0]);
    struct buf payload = BUF_INIT(1 << 20);
    enum protocol_kind kind;
    while (protocol_receive(ends[1], &kind, &payload, &fd, DEADLINE_NEVER) == PROTOCOL_OK)
        continue;
    buf_free(&payload);
    close(ends[1]);
}

static void read_values(struct arena *arena, struct str bytes)
{
    struct wire in = {.rest = bytes};
    struct mime_part *marked;
    for (unsigned i = 0; !in.is_bad && in.rest.length; i++) {
        switch (wire_u8(&in) % 5) {
        case 0:
            if (!utf8_is_valid(wire_text(&in, arena, 1000)))
                abort();
            break;
        case 1:
            wire_json(&in, arena, 1000);
            break;
        case 2:
            wire_tsvector(&in, arena);
            break;
        case 3:
            wire_tree(&in, arena, &marked);
            break;
        default:
            wire_count(&in, 8, 1000);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!size)
        return 0;
    struct arena *arena = arena_new();
    struct str rest = str_make(bytes + 1, size - 1);
    unsigned choice = bytes[0] % (PROTOCOL_KINDS + 2);
    if (choice == PROTOCOL_KINDS) {
        read_frames(rest);
    } else if (choice > PROTOCOL_KINDS) {
        read_values(arena, rest);
    } else {
        struct buf reply = BUF_INIT(PROTOCOL_REPLY_BYTES_MAX);
        const struct parser_request request = {
            .kind = (enum protocol_kind)choice, .payload = rest, .fd = -1};
        parser_answer(arena, &request, &reply);
        buf_free(&reply);
    }
    arena_free(&arena);
    return 0;
}
