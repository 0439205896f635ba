/* Styles and icons. */
#include "server/http/static.h"

#include "handlers/app.h"
#include "handlers/html/screens.h"

bool html_static(struct request *req, struct response *res, struct error *err)
{
    return static_answer(app_of(req)->statics, req, request_param(req, "path"), res, err);
}
