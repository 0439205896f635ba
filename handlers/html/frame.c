/* The document inside a message's sandboxed frame. Its Content-Security-Policy alone stops scripts
 * and, until the reader allows them, pictures from elsewhere. */
#include "handlers/html/body.h"
#include "handlers/html/letter_view.h"
#include "handlers/html/page.h"
#include "handlers/html/screens.h"

enum { FRAME_WAIT_MS = 4000 };

static const char policy[] =
    "default-src 'none'; img-src 'self' data:%s; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox";

/* The mail's own style sheet, made safe by the sanitiser. A "<" has no business in it. */
static struct str style_element(struct arena *arena, struct str css)
{
    if (!css.length || str_find_char(css, '<') >= 0)
        return STR_EMPTY;
    struct buf text = BUF_INIT(css.length + 32);
    buf_text(&text, "<style>");
    buf_str(&text, css);
    buf_text(&text, "</style>");
    struct str element = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return element;
}

static void set_parts(struct value *page, const struct body *body, struct str wanted,
                      struct arena *arena)
{
    struct value *parts = view_set_list(page, "parts");
    bool is_light = false, can_turn = true;
    for (size_t i = 0; i < body->count; i++) {
        const struct parser_rendered *rendered = &body->parts[i].rendered;
        if (wanted.length && !str_equal(body->parts[i].part->id, wanted))
            continue;
        struct value *view = view_add_object(parts);
        view_set_html(view, "style", style_element(arena, rendered->css));
        view_set_html(view, "html", rendered->html);
        is_light |= rendered->brings_own_colours;
        can_turn &= !rendered->brings_own_colours || rendered->can_be_turned;
    }
    view_set_text(page, "ground", !is_light ? "either" : can_turn ? "turned" : "light");
    view_set_bool(page, "isTurned", is_light && can_turn);
}

static bool show_frame(struct request *req, struct response *res, struct db **db, struct error *err)
{
    struct email email;
    struct body body;
    struct body_options options = {.wait_ms = FRAME_WAIT_MS};
    options.allow_remote = str_equal(request_argument(req, "remote"), STR("1"));
    options.inside = request_argument(req, "inside");
    if (!session_email(req, *db, &email, err) ||
        !picture_prefix(req, *db, &email, &options.picture_url, err) ||
        !body_load(req, db, &email, &options, &body, err))
        return false;
    if (!body.is_here) {
        *err = body.why;
        return false;
    }
    bool is_print = str_equal(request_argument(req, "print"), STR("1"));
    struct value *page = page_new(
        req, is_print && email.subject.length ? arena_text(req->arena, email.subject) : "Message");
    view_set_text(page, "head", NULL);
    if (is_print)
        letter_set_head(view_set_object(page, "head"), &email, req->arena);
    set_parts(page, &body, request_argument(req, "part"), req->arena);
    response_set_header(
        res, "Content-Security-Policy",
        arena_printf(req->arena, policy, options.allow_remote ? " https: http:" : ""));
    return page_send(req, res, "frame", page, err);
}

bool html_body(struct request *req, struct response *res, struct error *err)
{
    struct db *db = app_db(req, err);
    bool is_done = db && show_frame(req, res, &db, err);
    store_release(app_of(req)->store, &db);
    return is_done;
}
