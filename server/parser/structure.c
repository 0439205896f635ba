/* email.structure read back: JSON of our own making, from the database. */
#include <jansson.h>

#include "server/parser/parser.h"

enum { DEPTH_MAX = MIME_DEPTH_MAX + 8 };

static struct str get_str(struct arena *arena, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value)
               ? arena_str(arena, str_make(json_string_value(value), json_string_length(value)))
               : STR_EMPTY;
}

static size_t get_size(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (size_t)value : 0;
}

static struct mime_part *read_part(struct arena *arena, const json_t *object,
                                   struct mime_part *parent, struct mime_message *message)
{
    unsigned depth = parent ? parent->depth + 1 : 0;
    if (!json_is_object(object) || depth > DEPTH_MAX || message->part_count >= MIME_PARTS_MAX)
        return NULL;
    message->part_count++;
    struct mime_part *part = ARENA_NEW(arena, struct mime_part);
    *part = (struct mime_part){
        .id = get_str(arena, object, "partId"),
        .type = get_str(arena, object, "type"),
        .charset = get_str(arena, object, "charset"),
        .name = get_str(arena, object, "name"),
        .disposition = get_str(arena, object, "disposition"),
        .cid = get_str(arena, object, "cid"),
        .location = get_str(arena, object, "location"),
        .language = get_str(arena, object, "language"),
        .description = STR_EMPTY,
        .boundary = STR_EMPTY,
        .encoding = mime_encoding_of(get_str(arena, object, "encoding")),
        .is_flowed = json_is_true(json_object_get(object, "flowed")),
        .is_delsp = json_is_true(json_object_get(object, "delsp")),
        .header_offset = get_size(object, "headerOffset"),
        .body_offset = get_size(object, "offset"),
        .body_length = get_size(object, "length"),
        .size = get_size(object, "size"),
        .lines = get_size(object, "lines"),
        .depth = depth,
        .parent = parent,
    };
    size_t i;
    const json_t *child;
    struct mime_part **last = &part->first_child;
    json_array_foreach(json_object_get(object, "subParts"), i, child)
    {
        *last = read_part(arena, child, part, message);
        if (!*last)
            break;
        last = &(*last)->next;
    }
    return part;
}

static void read_list(struct arena *arena, const json_t *ids, const struct mime_message *message,
                      struct mime_list *list)
{
    size_t count = json_array_size(ids);
    if (count > MIME_SHOWN_MAX)
        count = MIME_SHOWN_MAX;
    list->at = ARENA_ARRAY(arena, count, struct mime_part *);
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(ids, i);
        struct mime_part *part = mime_find(message, str_of(json_string_value(id)));
        if (json_is_string(id) && part)
            list->at[list->count++] = part;
    }
}

struct mime_message *parser_structure_read(struct arena *arena, struct str structure_json,
                                           struct error *err)
{
    json_t *json = json_loadb(structure_json.at, structure_json.length, 0, NULL);
    struct mime_message *message = ARENA_NEW(arena, struct mime_message);
    message->root = read_part(arena, json_object_get(json, "bodyStructure"), NULL, message);
    if (message->root) {
        read_list(arena, json_object_get(json, "textBody"), message, &message->text_body);
        read_list(arena, json_object_get(json, "htmlBody"), message, &message->html_body);
        read_list(arena, json_object_get(json, "attachments"), message, &message->attachments);
        message->has_attachment = json_is_true(json_object_get(json, "hasAttachment"));
        message->is_cut = json_is_true(json_object_get(json, "isCut"));
    }
    json_decref(json);
    if (message->root)
        return message;
    error_set(err, ERROR_NOT_FOUND, "the structure of this message is not known");
    return NULL;
}
