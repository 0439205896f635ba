/* Labels: what people call keywords of their messages, and in which colour they are shown. A label
 * is a keyword upstream (RFC 9051 section 2.3.2), so that other programs see it, too: an atom made
 * of the name as Thunderbird does, in small letters, "_" for what an atom cannot have, modified
 * UTF-7 beyond ASCII. In a local account (POP3) it is known only here.
 *
 * Renaming gives a label another keyword. It is the same label at once, for it is shown for its
 * former keywords, too; the messages get the new one in the background (bulk.h), which tells how
 * far it is. */
#ifndef RESTANTE_STORE_LABELS_H
#define RESTANTE_STORE_LABELS_H

#include "server/store/actions.h"

enum {
    LABEL_NAME_BYTES_MAX = 60,
    LABEL_KEYWORD_BYTES_MAX = 100,
    LABELS_MAX = 200, /* of an account */
    LABEL_COLOURS = 8,
};
/* "teal"…, in the order of the style sheet's hues. */
extern const char *const label_colours[LABEL_COLOURS];

struct label {
    int64_t account_id, id;
    struct str name;
    struct str keyword;
    struct str former; /* separated by spaces */
    int colour;
};

/* By name. */
bool label_list(struct db *db, struct arena *arena, int64_t account_id, struct label **labels,
                size_t *count, struct error *err);
bool label_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                 struct label *label, struct error *err);
/* Makes one (id 0) or changes it. The keyword is made of the name when it is empty or the name is
 * another; filled. `*bulk_id` becomes the action that gives messages their new keyword, 0: none has
 * to. ERROR_INVALID: no name for a label; ERROR_CONFLICT: there is one, or the word means something
 * among mail programs; ERROR_LIMIT. */
bool label_put(struct db *db, struct arena *arena, struct label *label, int64_t *bulk_id,
               struct error *err);
/* It is taken off all messages, in the background. */
bool label_delete(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                  int64_t *bulk_id, struct error *err);
/* Keywords that other programs gave to messages, separated by spaces: each may be made a label. */
enum { LABEL_FOUND_MAX = 50 };
bool label_found(struct db *db, struct arena *arena, int64_t account_id, struct str *keywords,
                 struct error *err);
/* What such a keyword is called until the person says otherwise: Thunderbird's five have names. */
struct str label_name_of(struct arena *arena, struct str keyword);

/* Whether it is among the keywords of a message. */
bool label_is_on(const struct label *label, struct str keywords);
/* Makes an action of kind ACTION_KEYWORDS put it on, or take it off. */
void label_set_action(struct arena *arena, const struct label *label, bool is_removal,
                      struct action *action);

#endif
