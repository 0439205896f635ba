/* Folders, planned: what the server lists against what is known here gives what to do. Pure: no
 * connection, no database, so that it can be tested in tables. */
#ifndef RESTANTE_SYNC_FOLDERS_H
#define RESTANTE_SYNC_FOLDERS_H

#include "server/base/arena.h"
#include "server/store/replica.h"

/* One folder as the server listed it. */
struct listed_mailbox {
    struct str path;        /* decoded */
    struct str wire_path;   /* as on the wire */
    struct str delimiter;   /* empty: flat */
    enum mailbox_role role; /* from SPECIAL-USE; ROLE_NONE: not said */
    bool is_selectable, is_subscribed;
    struct str object_id; /* MAILBOXID; empty: not told */
    uint32_t uidvalidity; /* of its STATUS; 0: not told */
};

struct folder_plan {
    /* Every listed folder, parents first, as it should be here: `id` 0 for new ones, else the id of
     * the known one that it is (perhaps renamed). `parent_path` of each is found by path. */
    struct replica_mailbox *put;
    bool *is_changed; /* differs from what is known: write it */
    size_t put_count;
    int64_t *remove; /* known here, no longer listed */
    size_t remove_count;
};

/* An empty listing removes nothing: a server that lists no INBOX is confused, not empty (ref:
 * Exchange and others answer an empty LIST under load). Local mailboxes are left alone. */
void folders_plan(struct arena *arena, const struct listed_mailbox *listed, size_t listed_count,
                  const struct replica_mailbox *known, size_t known_count,
                  struct folder_plan *plan);

/* Sets parent_id of `put[i]` from its path, and `is_changed[i]` when it is another than before. The
 * parents come first in `put` and must have their ids by now. */
void folders_set_parent(struct folder_plan *plan, size_t i);

/* Where nothing tells of changed flags (no CONDSTORE): how long a folder of so many messages is
 * left before all of its flags are asked for again. */
int64_t folders_flags_rest_ms(int messages);

/* The role that a name suggests in the languages mail servers speak, or ROLE_NONE. `name` is the
 * last part of the path. */
enum mailbox_role folder_role_of_name(struct str name);

#endif
