#include "handlers/html/fates.h"

#include <jansson.h>

/* What became of it at a recipient's, in words; NULL: nothing is known. */
static const char *fate_words(struct str state, struct str delivery)
{
    static const char *const words[][2] = {
        {"delivered", "delivered to"},
        {"failed", "could not be delivered to"},
        {"delayed", "still under way to"},
        {"relayed", "passed on towards"},
        {"expanded", "passed on to the members of"},
        {"displayed", "opened by"},
        {"deleted", "deleted unread by"},
        {"unreported", "no report of delivery can be had here for"},
    };
    if (str_equal(state, STR("refused")))
        return "refused for";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal(delivery, str_of(words[i][0])))
            return words[i][1];
    return NULL;
}

void fates_set(struct value *view, struct arena *arena, struct str recipients)
{
    static const char *const names[] = {"email", "state", "reply", "delivery", "report"};
    struct value *list = view_set_list(view, "fates");
    json_t *all = json_loadb(recipients.at, recipients.length, 0, NULL), *one;
    size_t i;
    json_array_foreach(all, i, one)
    {
        struct str texts[5];
        for (size_t k = 0; k < 5; k++)
            texts[k] = arena_str(arena, str_of(json_string_value(json_object_get(one, names[k]))));
        const char *words = fate_words(texts[1], texts[3]);
        if (!words)
            continue;
        struct value *fate = view_add_object(list);
        view_set_text(fate, "words", words);
        view_set_str(fate, "email", texts[0]);
        view_set_str(fate, "why", str_equal(texts[1], STR("refused")) ? texts[2] : texts[4]);
        view_set_bool(fate, "isBad", str_equal(texts[3], STR("failed")));
    }
    json_decref(all);
}
