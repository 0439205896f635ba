#include "handlers/html/verbs.h"

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
