/* Frames over the socket between the pool and a child: a fixed header, then a payload. One request,
 * one reply. A descriptor may travel with a request. */
#ifndef RESTANTE_PARSER_PROTOCOL_H
#define RESTANTE_PARSER_PROTOCOL_H

#include "server/base/buf.h"
#include "server/base/clock.h"

enum {
    PROTOCOL_REQUEST_BYTES_MAX = 300 * 1024 * 1024, /* a message in memory and its description */
    PROTOCOL_REPLY_BYTES_MAX = 128 * 1024 * 1024,
};

enum protocol_kind {
    PROTOCOL_START, /* limits; answered once the sandbox is closed */
    PROTOCOL_HEADERS,
    PROTOCOL_MESSAGE,
    PROTOCOL_MESSAGES,
    PROTOCOL_TEXTS,
    PROTOCOL_RENDER,
    PROTOCOL_DECODE_TEXT,
    PROTOCOL_HEADER_FIELDS,
    PROTOCOL_CARD,
    PROTOCOL_WINMAIL,
    PROTOCOL_ARCHIVE,
    PROTOCOL_CALENDAR_REPLY,
    PROTOCOL_KINDS
};

enum protocol_result {
    PROTOCOL_OK,
    PROTOCOL_CLOSED, /* the other end is gone */
    PROTOCOL_TIMEOUT,
    PROTOCOL_BROKEN, /* what came is no frame of ours, or larger than allowed */
};

/* Sends a frame whose payload is `head` and then `tail`. `fd` travels along unless it is -1. */
enum protocol_result protocol_send(int socket, enum protocol_kind kind, struct str head,
                                   struct str tail, int fd, struct deadline deadline);
/* Reads a frame into `payload` (emptied first; its limit holds). `*fd` receives a descriptor that
 * came along, or -1; with `fd` NULL one is closed and the frame broken. */
enum protocol_result protocol_receive(int socket, enum protocol_kind *kind, struct buf *payload,
                                      int *fd, struct deadline deadline);
/* The 16 bytes in front of a payload; false when they are none. */
bool protocol_read_header(struct str bytes, enum protocol_kind *kind, uint64_t *length);

enum { PROTOCOL_HEADER_BYTES = 16 };

#endif
