/* What a form's button may say, in folders, at messages and in searches. */
#ifndef RESTANTE_HANDLERS_HTML_VERBS_H
#define RESTANTE_HANDLERS_HTML_VERBS_H

#include "server/http/request.h"
#include "server/store/labels.h"
#include "server/store/mailboxes.h"

struct verb {
    const char *name;
    enum action_kind kind;
    int set, clear;         /* keywords; with a MOVE they are set first */
    enum mailbox_role role; /* MOVE: to this one */
    bool is_whole;          /* of all messages in the folder, not of chosen ones */
    bool needs_target;      /* MOVE, COPY: the form says where to */
    bool is_label;          /* the form says which; it is put on or */
    bool is_removal;        /* taken off */
    bool is_snooze;         /* MOVE: out of the way until a time that the form says */
};

/* NULL: no button says that. */
const struct verb *verb_find(struct str name);

/* What it does to messages, still without saying to which and where to. `label`: the one that the
 * form says, for verbs about one. */
struct action verb_action(struct arena *arena, const struct verb *verb, const struct label *label);
/* Whether it marks them, be it before it moves them. */
bool verb_marks(const struct verb *verb);

/* The key of the form's page with what it is for, in the arena: a page that is sent twice does a
 * thing once, and two things from one page are two. `about_id`: a folder or label; 0: none; `step`:
 * of several that one button takes. Empty where the page has no key. */
struct str verb_key(struct arena *arena, const struct http_fields *form, const struct verb *verb,
                    const char *step, int64_t about_id, int64_t thread_id, const int64_t *email_ids,
                    size_t email_count);

#endif
