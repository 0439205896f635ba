/* Sets of UIDs or message numbers as ranges (RFC 9051 sequence-set, without "*"). */
#ifndef RESTANTE_IMAP_SET_H
#define RESTANTE_IMAP_SET_H

#include "server/base/arena.h"
#include "server/base/buf.h"

struct imap_range {
    uint32_t low, high; /* both within; 0 is never a member */
};

/* Zeroed: the empty set. Members may be added in any order; every other function puts the ranges
 * into ascending order first, disjoint and not adjacent, so after any of them `at` may be walked.
 */
struct imap_set {
    struct imap_range *at;
    size_t count;
    size_t capacity; /* 0: `at` is borrowed (from an arena); a change copies it first */
    bool is_unsorted;
};

/* Frees what is owned; the set is empty afterwards. */
void imap_set_free(struct imap_set *set);

void imap_set_add(struct imap_set *set, uint32_t number);
void imap_set_add_range(struct imap_set *set, uint32_t low, uint32_t high);
void imap_set_add_set(struct imap_set *set, const struct imap_set *other);
/* Takes out what is in [low, high]. */
void imap_set_remove_range(struct imap_set *set, uint32_t low, uint32_t high);
void imap_set_remove_set(struct imap_set *set, struct imap_set *other);
/* Leaves what is in [low, high]. */
void imap_set_clip(struct imap_set *set, uint32_t low, uint32_t high);
void imap_set_sort(struct imap_set *set);

static inline bool imap_set_is_empty(const struct imap_set *set)
{
    return set->count == 0;
}
bool imap_set_has(struct imap_set *set, uint32_t number);
/* How many numbers; a hostile server's "1:4294967295" counts 4294967295, so loop over ranges. */
uint64_t imap_set_size(struct imap_set *set);
uint32_t imap_set_lowest(struct imap_set *set);  /* 0: empty */
uint32_t imap_set_highest(struct imap_set *set); /* 0: empty */

/* Moves the `limit` highest (lowest) numbers from `set` to `taken`, which is emptied first: how a
 * backfill goes downwards (and how long commands are cut). */
void imap_set_take_highest(struct imap_set *set, uint64_t limit, struct imap_set *taken);
void imap_set_take_lowest(struct imap_set *set, uint64_t limit, struct imap_set *taken);
/* Moves leading ranges whose text fits into `bytes` (at least one range). */
void imap_set_take_text(struct imap_set *set, size_t bytes, struct imap_set *taken);

/* All numbers as an array in the arena, at most `limit`. */
uint32_t *imap_set_numbers(struct imap_set *set, struct arena *arena, size_t limit, size_t *count);

/* "1:5,7,9:12", ascending (QQ refuses others). Appends nothing for the empty set. */
void imap_set_write(struct imap_set *set, struct buf *out);

/* Reads a server's set, in any order, reversed ranges and repetitions allowed, the ranges in the
 * arena. Members of 0 are dropped; "*" is not understood. False on anything else. */
bool imap_set_parse(struct str text, struct arena *arena, struct imap_set *set);
/* The same set in the order as written, for COPYUID, where the n-th of one belongs to the n-th of
 * the other: false if it holds more than `limit` numbers. */
bool imap_set_parse_ordered(struct str text, struct arena *arena, size_t limit, uint32_t **numbers,
                            size_t *count);

#endif
