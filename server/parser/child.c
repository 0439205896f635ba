#include "server/parser/child.h"

#include <unistd.h>

#include "server/base/log.h"
#include "server/mail/calendar.h"
#include "server/mail/charset.h"
#include "server/mail/words.h"
#include "server/parser/parser.h"
#include "server/parser/sandbox.h"
#include "server/parser/wire.h"

enum {
    CPU_SECONDS_MAX = 60, /* of one request, should nobody be there to end it sooner */
};

/* The first frame: limits. */
static bool start(int fd, struct buf *payload)
{
    enum protocol_kind kind;
    struct error err = ERROR_INIT;
    if (protocol_receive(fd, &kind, payload, NULL, DEADLINE_NEVER) != PROTOCOL_OK ||
        kind != PROTOCOL_START)
        return false;
    struct wire in = {.rest = buf_view(payload)};
    struct sandbox_options options = {.keep_fd = fd, .mapped_bytes = PARSER_ARCHIVE_BYTES_MAX};
    options.memory_bytes = wire_u64(&in);
    options.is_permissive = wire_u8(&in);
    if (!wire_is_done(&in))
        return false;
    charset_prepare();
    words_prepare();
    calendar_prepare();
    if (!sandbox_enter(&options, &err)) {
        LOG_ERROR("parser.sandbox", LOG_ERR(&err));
        return false;
    }
    return protocol_send(fd, PROTOCOL_START, STR_EMPTY, STR_EMPTY, -1, DEADLINE_NEVER) ==
           PROTOCOL_OK;
}

int parser_child_serve(int fd, parser_handler *handler)
{
    struct buf payload = BUF_INIT(PROTOCOL_REQUEST_BYTES_MAX);
    struct buf reply = BUF_INIT(PROTOCOL_REPLY_BYTES_MAX);
    struct arena *arena = arena_new();
    bool is_good = start(fd, &payload);
    while (is_good) {
        struct parser_request request = {.fd = -1};
        enum protocol_result result =
            protocol_receive(fd, &request.kind, &payload, &request.fd, DEADLINE_NEVER);
        if (result != PROTOCOL_OK) {
            is_good = result == PROTOCOL_CLOSED; /* the pool is gone: a good end */
            break;
        }
        sandbox_allow_cpu(CPU_SECONDS_MAX);
        request.payload = buf_view(&payload);
        buf_free(&reply);
        is_good = handler(arena, &request, &reply) && !reply.is_full &&
                  protocol_send(fd, request.kind, buf_view(&reply), STR_EMPTY, -1,
                                DEADLINE_NEVER) == PROTOCOL_OK;
        if (request.fd >= 0)
            close(request.fd);
        arena_reset(arena);
        buf_free(&payload);
    }
    buf_free(&payload);
    buf_free(&reply);
    arena_free(&arena);
    return is_good ? 0 : 1;
}

int parser_child_main(int fd)
{
    log_set_role("parser");
    /* exit handlers have nothing to do here, and some would break the sandbox's rules */
    _exit(parser_child_serve(fd, parser_answer));
}
