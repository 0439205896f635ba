#include "handlers/html/body.h"

#include "handlers/html/render_cache.h"

static const struct mime_list *chosen_parts(const struct mime_message *message, bool as_text)
{
    return as_text && message->text_body.count ? &message->text_body : &message->html_body;
}

static void choose(const struct mime_message *message, bool as_text, struct body *body)
{
    const struct mime_list *list = chosen_parts(message, as_text);
    body->message = message;
    body->count = 0;
    for (size_t i = 0; i < list->count && body->count < BODY_PARTS_MAX; i++)
        if (mime_is_text(list->at[i]))
            body->parts[body->count++] = (struct body_part){.part = list->at[i]};
    for (size_t i = 0; i < message->html_body.count; i++)
        body->has_html |= str_equal(message->html_body.at[i]->type, STR("text/html"));
    for (size_t i = 0; i < message->text_body.count; i++)
        body->has_text |= str_equal(message->text_body.at[i]->type, STR("text/plain"));
}

/* The name of a rendering: which bytes, how they are described, and how they are to be shown. */
static void name_rendering(struct arena *arena, const struct email *email,
                           const struct content_place *place,
                           const struct parser_render_options *options,
                           unsigned char key[TOKEN_HASH_BYTES])
{
    bool has_pictures = false;
    for (struct mime_part *part = options->message->root; part; part = mime_next(part))
        has_pictures |= part->cid.length > 0;
    struct str prefix = has_pictures ? options->part_url_prefix : STR_EMPTY;
    content_hash(arena_printf(arena,
                              "%lld %lld %lld %lld %d %d %" STR_FMT " %" STR_FMT " %" STR_FMT,
                              (long long)email->account_id, (long long)place->blob.id,
                              (long long)place->offset, (long long)place->length,
                              options->allow_remote, options->as_text, STR_ARG(place->part->id),
                              STR_ARG(prefix), STR_ARG(email->structure)),
                 key);
}

static bool render_part(struct request *req, struct db *db, const struct email *email,
                        const struct content_place *place,
                        const struct parser_render_options *options,
                        struct parser_rendered *rendered, struct error *err)
{
    struct str bytes;
    unsigned char key[TOKEN_HASH_BYTES];
    name_rendering(req->arena, email, place, options, key);
    if (render_cache_get(app_of(req)->renderings, key, req->arena, rendered))
        return true;
    if (!content_read(db, req->arena, place, CONTENT_TEXT_BYTES_MAX, &bytes, err) ||
        !parser_render(app_of(req)->parsers, req->arena, place->part, bytes, options, rendered,
                       err))
        return false;
    rendered->is_cut |= place->length > CONTENT_TEXT_BYTES_MAX;
    render_cache_put(app_of(req)->renderings, key, rendered);
    return true;
}

/* Renders each part that is here; the ids of the others go to `missing`. */
static bool render_parts(struct request *req, struct db *db, const struct email *email,
                         const struct body_options *options, const struct mime_message *whole,
                         struct body *body, struct str *missing, size_t *missing_count,
                         struct error *err)
{
    *missing_count = 0;
    for (size_t i = 0; i < body->count; i++) {
        struct content_place place;
        if (!content_find(req, db, email, body->parts[i].part, &place, err))
            return false;
        if (!place.is_here) {
            missing[(*missing_count)++] = body->parts[i].part->id;
            continue;
        }
        struct parser_render_options render = {.allow_remote = options->allow_remote,
                                               .part_url_prefix = options->picture_url,
                                               .message = whole,
                                               .as_text = options->as_text};
        if (!render_part(req, db, email, &place, &render, &body->parts[i].rendered, err))
            return false;
    }
    return true;
}

/* The message within that part is encoded: its parts lie in its own bytes. What stands in them as
 * cid: has no number on the mail server, so such pictures are left out. */
static bool render_wrapped(struct request *req, struct db *db, const struct email *email,
                           const struct body_options *options, const struct mime_part *around,
                           struct body *body, struct str *missing, size_t *missing_count,
                           struct error *err)
{
    struct content_place place;
    struct str raw = STR_EMPTY;
    struct parser_summary summary;
    const struct mime_message *message;
    if (!content_find(req, db, email, around, &place, err))
        return false;
    if (!place.is_here) {
        missing[(*missing_count)++] = around->id;
        return true;
    }
    if (!inside_read(req, db, &place, &raw, err) ||
        !inside_parse(req, raw, &summary, &message, err))
        return false;
    choose(message, options->as_text, body);
    body->wrapped = around->id;
    struct parser_render_options render = {.allow_remote = options->allow_remote,
                                           .as_text = options->as_text};
    for (size_t i = 0; i < body->count; i++)
        if (!parser_render(app_of(req)->parsers, req->arena, body->parts[i].part,
                           mime_body(raw, body->parts[i].part), &render, &body->parts[i].rendered,
                           err))
            return false;
    body->is_here = true;
    return true;
}

static bool render_email(struct request *req, struct db *db, const struct email *email,
                         const struct body_options *options, struct body *body, struct str *missing,
                         size_t *missing_count, struct error *err)
{
    const struct mime_message *message;
    *missing_count = 0;
    body->is_here = false;
    if (!content_structure(req->arena, email, &message, err))
        return false;
    const struct mime_message *shown = message;
    if (message && options->inside.length) {
        const struct mime_part *around = mime_find(message, options->inside);
        shown = around ? mime_inner(req->arena, around) : NULL;
        if (around && !shown)
            return render_wrapped(req, db, email, options, around, body, missing, missing_count,
                                  err);
        if (!shown)
            return error_set(err, ERROR_NOT_FOUND, "There is no such message in it.");
    }
    if (!shown)
        return true;
    choose(shown, options->as_text, body);
    if (!render_parts(req, db, email, options, message, body, missing, missing_count, err))
        return false;
    body->is_here = *missing_count == 0;
    return true;
}

bool body_load(struct request *req, struct db **db, const struct email *email,
               const struct body_options *options, struct body *body, struct error *err)
{
    struct str missing[BODY_PARTS_MAX];
    size_t missing_count;
    struct email now = *email;
    *body = (struct body){0};
    if (!render_email(req, *db, email, options, body, missing, &missing_count, err))
        return false;
    if (body->is_here)
        return true;
    store_release(app_of(req)->store, db);
    bool is_fetched =
        content_fetch(req, email, missing, missing_count, options->wait_ms, &body->why);
    *db = app_db(req, err);
    if (!*db)
        return false;
    if (!is_fetched)
        return true;
    if (!email_by_id(*db, req->arena, email->account_id, email->id, &now, err) ||
        !render_email(req, *db, &now, options, body, missing, &missing_count, err))
        return false;
    if (!body->is_here)
        error_set(&body->why, ERROR_UNAVAILABLE, "The mail server did not give this message.");
    return true;
}
