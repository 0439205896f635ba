/* One email (RFC 8621 section 4.1): metadata, header fields, body structure, and body values where
 * they are asked for with ?bodyValues=text, html or all; with safe the HTML is made safe to be
 * shown (plain text becomes HTML too), for a frame of the reader's own. */
#include "handlers/api/answer.h"
#include "handlers/api/api.h"
#include "handlers/content.h"

enum { VALUE_BYTES_MAX = 1024 * 1024, FETCH_MS = 15 * 1000, VALUES_MAX = 16 };

struct values {
    const struct mime_part *parts[VALUES_MAX];
    struct str texts[VALUES_MAX];
    bool is_cut[VALUES_MAX], is_poison[VALUES_MAX];
    struct parser_rendered rendered[VALUES_MAX]; /* when they are wanted safe */
    size_t count;
    bool is_safe, allow_remote;
};

static void want(struct values *values, const struct mime_list *list)
{
    for (size_t i = 0; i < list->count && values->count < VALUES_MAX; i++) {
        bool is_there = !mime_is_text(list->at[i]);
        for (size_t k = 0; k < values->count; k++)
            is_there = is_there || values->parts[k] == list->at[i];
        if (!is_there)
            values->parts[values->count++] = list->at[i];
    }
}

static bool choose(const struct request *req, const struct mime_message *message,
                   struct values *values, struct error *err)
{
    struct str asked = request_argument(req, "bodyValues");
    bool is_all = str_equal(asked, STR("all"));
    bool is_text = is_all || str_equal(asked, STR("text"));
    bool is_html = is_all || str_equal(asked, STR("html"));
    values->count = 0;
    values->is_safe = str_equal(asked, STR("safe"));
    values->allow_remote = str_equal(request_argument(req, "remote"), STR("1"));
    is_html |= values->is_safe;
    if (asked.length > 0 && !is_text && !is_html)
        return error_set(err, ERROR_INVALID,
                         "\"bodyValues\" is \"text\", \"html\", \"all\" or \"safe\".");
    if (message && is_text)
        want(values, &message->text_body);
    if (message && is_html)
        want(values, &message->html_body);
    return true;
}

/* One part as it is, or made safe to be shown. */
static bool decode_value(const struct request *req, const struct email *email,
                         const struct content_place *place, struct str bytes, struct values *values,
                         size_t i, struct error *err)
{
    struct parser_pool *parsers = app_of(req)->parsers;
    if (!values->is_safe)
        return parser_decode_text(parsers, req->arena, place->part, bytes, VALUE_BYTES_MAX,
                                  &values->texts[i], &values->is_cut[i], &values->is_poison[i],
                                  err);
    const struct mime_message *message;
    struct parser_rendered *rendered = &values->rendered[i];
    struct parser_render_options options = {.allow_remote = values->allow_remote};
    if (!content_structure(req->arena, email, &message, err))
        return false;
    options.message = message; /* cid: pictures become the API's parts */
    options.part_url_prefix = arena_printf(req->arena, "/api/v1/accounts/%lld/emails/%lld/parts/",
                                           (long long)email->account_id, (long long)email->id);
    if (!parser_render(parsers, req->arena, place->part, bytes, &options, rendered, err))
        return false;
    values->texts[i] = rendered->html;
    values->is_cut[i] = rendered->is_cut;
    values->is_poison[i] = rendered->verdict == PARSER_POISON;
    return true;
}

/* Decodes what is here; ids of the others go to `missing`. */
static bool decode_values(struct request *req, struct db *db, const struct email *email,
                          struct values *values, struct str *missing, size_t *missing_count,
                          struct error *err)
{
    *missing_count = 0;
    for (size_t i = 0; i < values->count; i++) {
        struct content_place place;
        struct str bytes;
        if (!content_find(req, db, email, values->parts[i], &place, err))
            return false;
        if (!place.is_here) {
            missing[(*missing_count)++] = values->parts[i]->id;
            continue;
        }
        if (!content_read(db, req->arena, &place, CONTENT_TEXT_BYTES_MAX, &bytes, err) ||
            !decode_value(req, email, &place, bytes, values, i, err))
            return false;
        values->is_cut[i] |= place.length > CONTENT_TEXT_BYTES_MAX;
    }
    return true;
}

static void write_values(struct json *json, const struct values *values)
{
    json_write_name(json, "bodyValues");
    json_write_object(json);
    for (size_t i = 0; i < values->count; i++) {
        char id[128];
        if (!str_copy(values->parts[i]->id, id, sizeof id))
            continue;
        json_write_name(json, id);
        json_write_object(json);
        answer_str(json, "value", values->texts[i]);
        answer_bool(json, "isEncodingProblem", values->is_poison[i]);
        answer_bool(json, "isTruncated", values->is_cut[i]);
        if (values->is_safe) {
            answer_bool(json, "isHtml", values->rendered[i].is_html);
            answer_str(json, "css", values->rendered[i].css);
            answer_i64(json, "remoteCount", values->rendered[i].remote_count);
            answer_str(json, "remoteHosts", values->rendered[i].remote_hosts);
            answer_i64(json, "deceptiveLinks", values->rendered[i].deceptive_links);
        }
        json_write_object_end(json);
    }
    json_write_object_end(json);
}

static void write_parts(struct json *json, const char *name, const struct mime_list *list)
{
    json_write_name(json, name);
    json_write_array(json);
    for (size_t i = 0; i < list->count; i++)
        mime_write_json(json, list->at[i]);
    json_write_array_end(json);
}

static void write_email(struct response *res, const struct email *email,
                        const struct placement *placements, size_t placement_count,
                        const struct mime_message *message, const struct values *values)
{
    struct json json = answer_json(res);
    json_write_object(&json);
    answer_email_metadata(&json, email, placements, placement_count);
    answer_raw(&json, "headers", email->header_json);
    if (message) {
        json_write_name(&json, "bodyStructure");
        mime_write_json(&json, message->root);
        write_parts(&json, "textBody", &message->text_body);
        write_parts(&json, "htmlBody", &message->html_body);
        write_parts(&json, "attachments", &message->attachments);
    } else {
        answer_raw(&json, "bodyStructure", STR_EMPTY);
    }
    write_values(&json, values);
    json_write_object_end(&json);
}

/* What one look at the replica gives. */
struct found {
    struct email email;
    struct placement *placements;
    size_t placement_count;
    const struct mime_message *message;
    struct values values;
};

static bool look(struct request *req, struct found *found, struct str *missing,
                 size_t *missing_count, struct error *err)
{
    struct db *db;
    int64_t account_id, id;
    *found = (struct found){0};
    if (!request_param_id(req, "email", &id, err) || !answer_account_id(req, &db, &account_id, err))
        return false;
    bool is_good =
        email_by_id(db, req->arena, account_id, id, &found->email, err) &&
        placements_of(db, req->arena, account_id, &id, 1, &found->placements,
                      &found->placement_count, err) &&
        content_structure(req->arena, &found->email, &found->message, err) &&
        choose(req, found->message, &found->values, err) &&
        decode_values(req, db, &found->email, &found->values, missing, missing_count, err);
    if (is_good && found->placement_count > 0) {
        found->email.flags = found->placements[0].flags;
        found->email.keywords = found->placements[0].keywords;
    }
    return answer_done(req, &db, is_good);
}

bool api_email(struct request *req, struct response *res, struct error *err)
{
    struct found found;
    struct str missing[VALUES_MAX];
    size_t missing_count = 0;
    if (!look(req, &found, missing, &missing_count, err))
        return false;
    if (missing_count > 0) {
        if (!content_fetch(req, &found.email, missing, missing_count, FETCH_MS, err) ||
            !look(req, &found, missing, &missing_count, err))
            return false;
        if (missing_count > 0)
            return error_set(err, ERROR_UNAVAILABLE, "The mail server did not give this message.");
    }
    write_email(res, &found.email, found.placements, found.placement_count, found.message,
                &found.values);
    return true;
}
