/* What envelope_write_json wrote, read back: our own JSON, but from a database. */
#include <jansson.h>

#include "server/mail/envelope.h"

static struct str text_of(struct arena *arena, const json_t *value)
{
    return json_is_string(value)
               ? arena_str(arena, str_make(json_string_value(value), json_string_length(value)))
               : STR_EMPTY;
}

static void read_from(struct arena *arena, struct str from_json, struct mail_addresses *from)
{
    json_t *list = json_loadb(from_json.at, from_json.length, 0, NULL);
    size_t count = json_array_size(list);
    from->at = ARENA_ARRAY(arena, count, struct mail_address);
    for (size_t i = 0; i < count && i < ADDRESS_MAX; i++) {
        const json_t *entry = json_array_get(list, i);
        from->at[from->count++] = (struct mail_address){
            .name = text_of(arena, json_object_get(entry, "name")),
            .email = text_of(arena, json_object_get(entry, "email")),
            .group = STR_EMPTY,
        };
    }
    json_decref(list);
}

void envelope_read_json(struct arena *arena, struct str header_json, struct str from_json,
                        struct envelope *envelope)
{
    json_t *header = json_loadb(header_json.at, header_json.length, 0, NULL);
    const json_t *results = json_object_get(header, "authenticationResults");
    *envelope = (struct envelope){.priority = 3};
    const struct {
        const char *name;
        struct str *text;
    } texts[] = {{"listId", &envelope->list_id},
                 {"listUnsubscribe", &envelope->list_unsubscribe},
                 {"listUnsubscribePost", &envelope->list_unsubscribe_post},
                 {"listPost", &envelope->list_post},
                 {"listArchive", &envelope->list_archive},
                 {"autoSubmitted", &envelope->auto_submitted},
                 {"precedence", &envelope->precedence},
                 {"receiptTo", &envelope->disposition_notification_to},
                 {"spamStatus", &envelope->spam_status},
                 {"returnPath", &envelope->return_path}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i].text = text_of(arena, json_object_get(header, texts[i].name));
    for (size_t i = 0; i < json_array_size(results) &&
                       envelope->authentication_results_count < ENVELOPE_AUTHENTICATION_RESULTS;
         i++)
        envelope->authentication_results[envelope->authentication_results_count++] =
            text_of(arena, json_array_get(results, i));
    if (json_is_integer(json_object_get(header, "priority")))
        envelope->priority = (int)json_integer_value(json_object_get(header, "priority"));
    json_decref(header);
    if (from_json.length)
        read_from(arena, from_json, &envelope->from);
}
