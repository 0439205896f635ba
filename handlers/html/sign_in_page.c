/* Signing in and out. */
#include "handlers/html/page.h"
#include "handlers/html/screens.h"
#include "server/base/encode.h"

/* Where to go afterwards: a path of ours, or the beginning. */
static struct str next_path(struct str wanted)
{
    bool is_ours = wanted.length > 1 && wanted.length < 2000 && wanted.at[0] == '/' &&
                   wanted.at[1] != '/' && wanted.at[1] != '\\';
    for (size_t i = 0; i < wanted.length && is_ours; i++)
        is_ours = (unsigned char)wanted.at[i] > ' ' && (unsigned char)wanted.at[i] < 0x7f;
    return is_ours && !str_starts(wanted, STR("/sign-")) ? wanted : STR("/");
}

static bool show_form(struct request *req, struct response *res, struct str name, struct str next,
                      const struct error *problem, struct error *err)
{
    struct value *page = page_new(req, "Sign in");
    view_set_str(page, "csrf", session_form_token(req, res));
    view_set_str(page, "name", name);
    view_set_str(page, "next", next_path(next));
    if (problem)
        page_set_problem(page, problem);
    return page_send(req, res, "sign-in", page, err);
}

bool html_sign_in_form(struct request *req, struct response *res, struct error *err)
{
    struct str next = request_argument(req, "next");
    if (signed_in(req)) {
        response_redirect(res, next_path(next));
        return true;
    }
    return show_form(req, res, STR_EMPTY, next, NULL, err);
}

bool html_sign_in(struct request *req, struct response *res, struct error *err)
{
    struct http_fields form;
    int64_t user_id;
    struct error why = ERROR_INIT;
    if (!request_form(req, &form, err) || !session_form_check(req, form_raw(&form, "csrf"), err))
        return false;
    struct str name = form_text(&form, "name"), next = form_text(&form, "next");
    if (!sign_in(req, name, form_raw(&form, "password"), &user_id, &why)) {
        if (!page_is_form_error(&why)) {
            *err = why;
            return false;
        }
        response_set_status(res, &why);
        return show_form(req, res, name, next, &why, err);
    }
    if (!session_begin(req, res, user_id, err))
        return false;
    response_redirect(res, next_path(next));
    return true;
}

bool html_sign_out(struct request *req, struct response *res, struct error *err)
{
    if (!session_end(req, res, err))
        return false;
    response_set_header(res, "Clear-Site-Data", STR("\"cache\", \"storage\""));
    response_redirect(res, STR("/sign-in"));
    return true;
}
