/* Groups of the address book. Members are contacts: who is removed from it is gone from its groups.
 */
#ifndef RESTANTE_STORE_CONTACT_GROUPS_H
#define RESTANTE_STORE_CONTACT_GROUPS_H

#include "server/store/contacts.h"

enum { GROUP_MEMBERS_MAX = 1000, GROUP_NAME_BYTES_MAX = 200 };

struct contact_group {
    int64_t id;
    struct str name;
    int64_t member_count;
};

/* By name. */
bool contact_group_list(struct db *db, struct arena *arena, int64_t user_id,
                        struct contact_group **groups, size_t *count, struct error *err);
bool contact_group_by_id(struct db *db, struct arena *arena, int64_t user_id, int64_t id,
                         struct contact_group *group, struct error *err);
/* Makes (filling `id`) or renames it. ERROR_CONFLICT: there is one of that name; ERROR_INVALID: no
 * name for a group (it must not look like addresses). */
bool contact_group_put(struct db *db, int64_t user_id, struct contact_group *group,
                       struct error *err);
/* The contacts in it stay. */
bool contact_group_delete(struct db *db, int64_t user_id, int64_t id, struct error *err);

bool contact_group_members(struct db *db, struct arena *arena, int64_t user_id, int64_t id,
                           struct contact **members, size_t *count, struct error *err);
/* Who is no contact of this person, or is in it already (not), is passed over. */
bool contact_group_join(struct db *db, int64_t user_id, int64_t id, const int64_t *contacts,
                        size_t count, struct error *err);
bool contact_group_leave(struct db *db, int64_t user_id, int64_t id, const int64_t *contacts,
                         size_t count, struct error *err);

/* Whom a group's name stands for; none: there is no such group, or nobody with an address in it. */
bool contact_group_people(struct db *db, struct arena *arena, int64_t user_id, struct str name,
                          struct contact_match **people, size_t *count, struct error *err);
/* Groups whose name has a word that begins with what was typed, and somebody in them. */
bool contact_group_complete(struct db *db, struct arena *arena, int64_t user_id, struct str typed,
                            int limit, struct contact_group **groups, size_t *count,
                            struct error *err);

#endif
