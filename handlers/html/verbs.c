#include "handlers/html/verbs.h"

#include "handlers/html/page.h"

enum { FORM_KEY_LENGTH_MAX = 64 };

static const struct verb verbs[] = {
    {.name = "read", .kind = ACTION_KEYWORDS, .set = FLAG_SEEN},
    {.name = "unread", .kind = ACTION_KEYWORDS, .clear = FLAG_SEEN},
    {.name = "star", .kind = ACTION_KEYWORDS, .set = FLAG_FLAGGED},
    {.name = "unstar", .kind = ACTION_KEYWORDS, .clear = FLAG_FLAGGED},
    {.name = "archive", .kind = ACTION_MOVE, .role = ROLE_ARCHIVE},
    {.name = "junk",
     .kind = ACTION_MOVE,
     .role = ROLE_JUNK,
     .set = FLAG_JUNK,
     .clear = FLAG_NOT_JUNK},
    {.name = "not-junk",
     .kind = ACTION_MOVE,
     .role = ROLE_INBOX,
     .set = FLAG_NOT_JUNK,
     .clear = FLAG_JUNK},
    {.name = "trash", .kind = ACTION_TRASH},
    {.name = "destroy", .kind = ACTION_DESTROY},
    {.name = "move", .kind = ACTION_MOVE, .needs_target = true},
    {.name = "copy", .kind = ACTION_COPY, .needs_target = true},
    {.name = "label", .kind = ACTION_KEYWORDS, .is_label = true},
    {.name = "unlabel", .kind = ACTION_KEYWORDS, .is_label = true, .is_removal = true},
    {.name = "snooze", .kind = ACTION_MOVE, .is_snooze = true},
    {.name = "read-all", .kind = ACTION_KEYWORDS, .set = FLAG_SEEN, .is_whole = true},
    {.name = "empty", .kind = ACTION_DESTROY, .is_whole = true},
};

const struct verb *verb_find(struct str name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (str_equal(name, str_of(verbs[i].name)))
            return &verbs[i];
    return NULL;
}

struct action verb_action(struct arena *arena, const struct verb *verb, const struct label *label)
{
    struct action action = {.kind = verb->kind, .set = verb->set, .clear = verb->clear};
    if (verb->is_label)
        label_set_action(arena, label, verb->is_removal, &action);
    return action;
}

bool verb_marks(const struct verb *verb)
{
    return verb->set || verb->clear || verb->is_label;
}

struct str verb_key(struct arena *arena, const struct http_fields *form, const struct verb *verb,
                    const char *step, int64_t about_id, int64_t thread_id, const int64_t *email_ids,
                    size_t email_count)
{
    struct str key = form_text(form, "key");
    uint64_t hash = 14695981039346656037u ^ (uint64_t)thread_id; /* FNV-1a */
    for (size_t i = 0; i < email_count; i++)
        hash = (hash ^ (uint64_t)email_ids[i]) * 1099511628211u;
    if (!key.length || key.length > FORM_KEY_LENGTH_MAX)
        return STR_EMPTY;
    return arena_printf(arena, "%" STR_FMT ".%s%s.%lld.%016llx", STR_ARG(key), verb->name, step,
                        (long long)about_id, (unsigned long long)hash);
}
