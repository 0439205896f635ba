/* COMPRESS=DEFLATE (RFC 4978) below the lines and above TLS. */
#include <stdlib.h>
#include <zlib.h>

#include "server/net/stream_private.h"

enum {
    RAW_BYTES = 16384,
    WINDOW_BITS = -15, /* no header */
    RATIO_MAX = 100,   /* of inflated to received bytes; zlib's own end is 1032 */
    RATIO_FREE_BYTES = 1 << 20,
};

struct deflate {
    z_stream in, out;
    unsigned char raw[RAW_BYTES];
    uint64_t raw_bytes, inflated_bytes;
    bool may_have_more; /* the last inflate filled its target */
};

struct deflate *deflate_new(void)
{
    struct deflate *deflate = calloc(1, sizeof *deflate);
    if (!deflate || inflateInit2(&deflate->in, WINDOW_BITS) != Z_OK ||
        deflateInit2(&deflate->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    return deflate;
}

void deflate_free(struct deflate **deflate)
{
    if (!*deflate)
        return;
    inflateEnd(&(*deflate)->in);
    deflateEnd(&(*deflate)->out);
    free(*deflate);
    *deflate = NULL;
}

void deflate_feed(struct deflate *deflate, struct str bytes)
{
    memcpy(deflate->raw, bytes.at, bytes.length);
    deflate->in.next_in = deflate->raw;
    deflate->in.avail_in = (uInt)bytes.length;
    deflate->raw_bytes += bytes.length;
}

bool deflate_has_pending(const struct deflate *deflate)
{
    return deflate->in.avail_in > 0 || deflate->may_have_more;
}

ptrdiff_t deflate_receive(struct stream *stream, void *at, size_t length, short *events)
{
    struct deflate *deflate = stream->deflate;
    for (;;) {
        if (deflate_has_pending(deflate)) {
            deflate->in.next_out = at;
            deflate->in.avail_out = (uInt)length;
            int rc = inflate(&deflate->in, Z_SYNC_FLUSH);
            size_t got = length - deflate->in.avail_out;
            deflate->may_have_more = deflate->in.avail_out == 0;
            deflate->inflated_bytes += got;
            if (deflate->inflated_bytes > RATIO_FREE_BYTES + RATIO_MAX * deflate->raw_bytes) {
                error_set(&stream->failed, ERROR_LIMIT,
                          "%s sends data that grows without measure when unpacked", stream->host);
                return -1;
            }
            if (got)
                return (ptrdiff_t)got;
            if (rc == Z_STREAM_END) {
                error_set(&stream->failed, ERROR_CLOSED, "%s closed the connection", stream->host);
                return -1;
            }
            if (rc != Z_OK && rc != Z_BUF_ERROR) {
                error_set(&stream->failed, ERROR_PROTOCOL, "%s sends broken compressed data",
                          stream->host);
                return -1;
            }
        }
        ptrdiff_t n = stream_receive(stream, deflate->raw, sizeof deflate->raw, events);
        if (n <= 0)
            return n;
        deflate->in.next_in = deflate->raw;
        deflate->in.avail_in = (uInt)n;
        deflate->raw_bytes += (uint64_t)n;
    }
}

bool deflate_compress(struct deflate *layer, struct str bytes, struct buf *out)
{
    layer->out.next_in = (unsigned char *)bytes.at;
    layer->out.avail_in = (uInt)bytes.length;
    do {
        char *room = buf_reserve(out, RAW_BYTES);
        if (!room)
            return false;
        layer->out.next_out = (unsigned char *)room;
        layer->out.avail_out = RAW_BYTES;
        if (deflate(&layer->out, Z_SYNC_FLUSH) == Z_STREAM_ERROR)
            abort();
        out->length += RAW_BYTES - layer->out.avail_out;
    } while (layer->out.avail_out == 0);
    return true;
}
