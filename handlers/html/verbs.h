/* What a form's button may say, in folders, at messages and in searches. */
#ifndef RESTANTE_HANDLERS_HTML_VERBS_H
#define RESTANTE_HANDLERS_HTML_VERBS_H

#include "server/store/actions.h"
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

#endif
