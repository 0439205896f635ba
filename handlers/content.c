#include "handlers/content.h"

#include "handlers/wait.h"
#include "server/base/encode.h"
#include "server/base/json.h"
#include "server/base/seal.h"
#include "server/store/operations.h"

enum {
    WHOLE_BYTES_MAX = 64 * 1024 * 1024, /* of a message taken apart again */
    ARGUMENTS_BYTES_MAX = 64 * 1024,
    ASK_AGAIN_S = 30, /* reloading within this time joins the operation under way */
    KEY_BYTES_MAX = 80,
    KEY_HASH_BYTES = 16,
};

bool content_structure(struct arena *arena, const struct email *email,
                       const struct mime_message **message, struct error *err)
{
    *message = NULL;
    if (!email->structure.length)
        return true;
    *message = parser_structure_read(arena, email->structure, err);
    return *message != NULL;
}

/* The structure that an IMAP server told has no offsets: the whole message is taken apart here. */
static bool locate(const struct request *req, struct db *db, struct content_place *place,
                   struct error *err)
{
    struct str raw;
    struct parser_summary summary;
    if (!content_read(db, req->arena, place, WHOLE_BYTES_MAX, &raw, err))
        return false;
    struct parser_input input = PARSER_BYTES(raw);
    if (!parser_message(app_of(req)->parsers, req->arena, &input, &summary, err))
        return false;
    const struct mime_message *message =
        summary.verdict == PARSER_PARSED ? parser_structure_read(req->arena, summary.structure, err)
                                         : NULL;
    const struct mime_part *part = message ? mime_find(message, place->part->id) : NULL;
    if (!part)
        return error_set(err, ERROR_NOT_FOUND, "This part is not in the message.");
    place->part = part;
    return true;
}

bool content_find_whole(struct db *db, struct arena *arena, const struct email *email,
                        struct content_place *place, struct error *err)
{
    struct error why = ERROR_INIT;
    *place = (struct content_place){0};
    place->is_here =
        blob_of_email(db, arena, email->account_id, email->id, STR_EMPTY, &place->blob, &why);
    if (!place->is_here && why.kind != ERROR_NOT_FOUND) {
        *err = why;
        return false;
    }
    place->length = place->blob.size_bytes;
    return true;
}

bool content_find(const struct request *req, struct db *db, const struct email *email,
                  const struct mime_part *part, struct content_place *place, struct error *err)
{
    struct error why = ERROR_INIT;
    *place = (struct content_place){.part = part};
    place->is_here =
        blob_of_email(db, req->arena, email->account_id, email->id, part->id, &place->blob, &why);
    place->length = place->blob.size_bytes;
    if (place->is_here)
        return true;
    if (why.kind != ERROR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (!content_find_whole(db, req->arena, email, place, err))
        return false;
    place->part = part;
    if (!place->is_here)
        return true;
    /* a part of a whole message always has a header before it */
    if (part->body_offset == 0 && !locate(req, db, place, err))
        return false;
    place->offset = (int64_t)place->part->body_offset;
    place->length = (int64_t)place->part->body_length;
    return true;
}

bool content_read(struct db *db, struct arena *arena, const struct content_place *place,
                  int64_t bytes_max, struct str *bytes, struct error *err)
{
    int64_t length = place->length < bytes_max ? place->length : bytes_max;
    struct buf out = BUF_INIT((size_t)length);
    bool is_read = blob_read(db, &place->blob, place->offset, length, &out, err);
    if (is_read)
        *bytes = arena_str(arena, buf_view(&out));
    buf_free(&out);
    return is_read;
}

static struct str fetch_arguments(struct arena *arena, const struct email *email,
                                  const struct str *part_ids, size_t count)
{
    struct buf text = BUF_INIT(ARGUMENTS_BYTES_MAX);
    struct json json = JSON_INIT(&text);
    json_write_object(&json);
    json_write_name(&json, "emailId");
    json_write_i64(&json, email->id);
    json_write_name(&json, count ? "parts" : "whole");
    if (count) {
        json_write_array(&json);
        for (size_t i = 0; i < count; i++)
            json_write_str(&json, part_ids[i]);
        json_write_array_end(&json);
    } else {
        json_write_bool(&json, true);
    }
    json_write_object_end(&json);
    struct str arguments = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return arguments;
}

/* The same for the same wish within a while. */
static struct str fetch_key(struct arena *arena, struct str arguments)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct buf text = BUF_INIT(KEY_BYTES_MAX);
    content_hash(arguments, hash);
    buf_text(&text, "view-");
    encode_hex(&text, str_make(hash, KEY_HASH_BYTES));
    buf_printf(&text, "-%lld", (long long)(clock_now_us() / 1000000 / ASK_AGAIN_S));
    struct str key = arena_str(arena, buf_view(&text));
    buf_free(&text);
    return key;
}

bool content_fetch(struct request *req, const struct email *email, const struct str *part_ids,
                   size_t count, int64_t wait_ms, struct error *err)
{
    struct operation operation;
    int64_t id;
    struct str arguments = fetch_arguments(req->arena, email, part_ids, count);
    struct str key = fetch_key(req->arena, arguments);
    struct db *db = app_db(req, err);
    bool is_asked = db && operation_enqueue(db, email->account_id, STR("fetch-body"), arguments,
                                            true, key, &id, err);
    store_release(app_of(req)->store, &db);
    if (!is_asked ||
        !wait_for_operation(req, email->account_id, id, deadline_in_ms(wait_ms), &operation, err))
        return false;
    if (operation.state == OPERATION_DONE)
        return true;
    error_set(err, ERROR_UNAVAILABLE, "%" STR_FMT,
              STR_ARG(operation.error.length ? operation.error
                                             : STR("The mail server did not give this message.")));
    return error_hint(err, "Try again in a while; everything already here stays readable.");
}
