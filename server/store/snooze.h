/* Messages out of the way until a time. They are moved to the folder "Snoozed", upstream too, so
 * that the person's other programs see the same, and are brought back at their time: unread, on top
 * of the list they came from. Whoever takes one out of that folder, here or elsewhere, has ended
 * it. */
#ifndef RESTANTE_STORE_SNOOZE_H
#define RESTANTE_STORE_SNOOZE_H

#include "server/store/actions.h"

enum { SNOOZE_LIST_MAX = 500 };

/* The folder. ERROR_NOT_FOUND: there is none yet, make it with mailbox_create. An action with
 * `until` that moves messages there snoozes them; one that is snoozed already gets the new time. */
#define SNOOZE_FOLDER "Snoozed"
bool snooze_folder(struct db *db, struct arena *arena, int64_t account_id, int64_t *folder_id,
                   struct error *err);

struct snoozed {
    int64_t email_id, mailbox_id;
    int64_t until; /* UTC microseconds */
};
/* The next to come back first, at most SNOOZE_LIST_MAX. */
bool snooze_list(struct db *db, struct arena *arena, int64_t account_id, struct snoozed **list,
                 size_t *count, struct error *err);
/* They come back now. ERROR_NOT_FOUND: none of them is snoozed. */
bool snooze_hurry(struct db *db, int64_t account_id, const int64_t *email_ids, size_t count,
                  struct error *err);

/* Sync role: brings some of what is due back; `*is_any` false when nothing is. */
bool snooze_step(struct db *db, bool *is_any, struct error *err);

#endif
