/* What people see when something does not work: what, why, and where to go. */
#include "handlers/html/html.h"
#include "handlers/html/page.h"
#include "handlers/html/words.h"

static const char *title_of(enum error_kind kind)
{
    switch (kind) {
    case ERROR_NOT_FOUND:
        return "Not found";
    case ERROR_AUTH:
        return "Please sign in";
    case ERROR_FORBIDDEN:
        return "Not allowed";
    case ERROR_INVALID:
        return "That did not work";
    case ERROR_LIMIT:
        return "Too much";
    case ERROR_CONFLICT:
        return "Not possible now";
    case ERROR_TIMEOUT:
    case ERROR_UNAVAILABLE:
    case ERROR_THROTTLED:
    case ERROR_UNREACHABLE:
        return "Not available right now";
    default:
        return "Something went wrong";
    }
}

/* What is wrong with us is told to the log, not to people. */
static bool is_ours(enum error_kind kind)
{
    return kind == ERROR_INTERNAL || kind == ERROR_DATABASE || kind == ERROR_NONE;
}

void html_error_page(struct request *req, struct response *res, const struct error *err)
{
    struct error why = ERROR_INIT;
    struct value *page = page_new(req, title_of(err->kind));
    view_set_str(page, "reason",
                 is_ours(err->kind) ? STR("This is a fault on our side; nothing of yours is lost.")
                                    : response_sentence(req->arena, str_of(err->message)));
    view_set_str(page, "hint",
                 is_ours(err->kind) ? STR("Try again in a moment. If it stays, tell the "
                                          "administrator the number below.")
                                    : response_sentence(req->arena, str_of(err->hint)));
    view_set_str(page, "requestId", is_ours(err->kind) ? str_of(req->id) : STR_EMPTY);
    view_set_i64(page, "status", res->status);
    if (!page_send(req, res, "error", page, &why)) {
        buf_reset(&res->body);
        response_problem(res, req, err);
    }
}
