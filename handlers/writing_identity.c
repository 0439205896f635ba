/* Whom one writes as. */
#include "handlers/app.h"
#include "handlers/writing.h"
#include "server/parser/parser.h"

enum { TYPED_BYTES_MAX = 500, SIGNATURE_BYTES_MAX = 64 * 1024 };

const struct identity *writing_identity_choose(const struct identity *list, size_t count,
                                               int64_t identity_id, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].id == identity_id || !identity_id)
            return &list[i];
    error_set(err, ERROR_NOT_FOUND, "There is no such sender.");
    return NULL;
}

bool writing_identity(const struct request *req, struct db *db, int64_t account_id,
                      int64_t identity_id, struct identity *identity, struct error *err)
{
    struct identity *list;
    size_t count;
    if (!identity_list(db, req->arena, account_id, &list, &count, err))
        return false;
    const struct identity *chosen = writing_identity_choose(list, count, identity_id, err);
    if (chosen)
        *identity = *chosen;
    return chosen != NULL;
}

static bool check_signature(struct request *req, struct identity *identity, struct error *err)
{
    struct parser_rendered rendered;
    const struct mime_part html = {
        .id = STR("1"), .type = STR("text/html"), .charset = STR("utf-8")};
    const struct parser_render_options options = {.allow_remote = true};
    if (!identity->html_signature.length)
        return true;
    if (!parser_render(app_of(req)->parsers, req->arena, &html, identity->html_signature, &options,
                       &rendered, err))
        return false;
    identity->html_signature =
        rendered.verdict == PARSER_PARSED ? str_trim(rendered.html) : STR_EMPTY;
    return true;
}

bool writing_identity_check(struct request *req, struct identity *identity, struct error *err)
{
    struct compose_addresses people;
    const struct {
        struct str text;
        size_t bytes_max;
    } fields[] = {{identity->name, TYPED_BYTES_MAX},
                  {identity->email, TYPED_BYTES_MAX},
                  {identity->reply_to, TYPED_BYTES_MAX},
                  {identity->bcc, TYPED_BYTES_MAX},
                  {identity->text_signature, SIGNATURE_BYTES_MAX},
                  {identity->html_signature, SIGNATURE_BYTES_MAX}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].text.length > fields[i].bytes_max)
            return error_set(err, ERROR_LIMIT, "That is too long.");
    return compose_email_check(req->arena, identity->email, &identity->email, err) &&
           compose_addresses_read(req->arena, identity->reply_to, &people, err) &&
           compose_addresses_read(req->arena, identity->bcc, &people, err) &&
           check_signature(req, identity, err);
}
