/* The source of a message, to look at. */
#include "handlers/download.h"
#include "handlers/html/screens.h"

enum { SOURCE_BYTES_MAX = 8 * 1024 * 1024 };

bool html_source(struct request *req, struct response *res, struct error *err)
{
    struct email email;
    struct content_place place;
    if (!download_obtain(req, STR_EMPTY, &email, &place, err))
        return false;
    if (place.length > SOURCE_BYTES_MAX)
        place.length = SOURCE_BYTES_MAX;
    response_set_header(res, "Content-Type", STR("text/plain; charset=utf-8"));
    response_set_header(res, "Content-Security-Policy", STR("default-src 'none'; sandbox"));
    download_stream(req, res, &place, MIME_8BIT);
    return true;
}
