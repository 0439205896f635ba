/* Numbers, moments, sizes and people in people's words. */
#ifndef RESTANTE_HANDLERS_HTML_WORDS_H
#define RESTANTE_HANDLERS_HTML_WORDS_H

#include "server/base/arena.h"
#include "server/base/str.h"
#include "server/store/accounts.h"

/* Short, for lists: "14:05" today, "Yesterday", "Tue", "3 Mar", "3 Mar 2024"; in the server's time
 * zone. `at_us` 0 gives the empty text. */
struct str words_when(struct arena *arena, int64_t at_us, int64_t now_us);
/* Long: "Wednesday, 25 November 2026, 14:05". */
struct str words_when_long(struct arena *arena, int64_t at_us);
/* For sentences: "14:05" today, else "3 March, 14:05". */
struct str words_moment(struct arena *arena, int64_t at_us, int64_t now_us);
/* "2026-11-24T04:07:36Z". */
struct str words_iso(struct arena *arena, int64_t at_us);
/* "12,345". */
struct str words_count(struct arena *arena, int64_t number);
/* "27 kB", "1.4 MB". */
struct str words_size(struct arena *arena, int64_t bytes);

/* How an account is: "Syncing 1,200 of 100,000", "Up to date since 14:05", "Server unreachable
 * since 14:05; tried again at 14:20". */
struct str words_status(struct arena *arena, const struct account *account, int64_t now_us);

struct person {
    struct str name;  /* what to call them: never empty, never an address that is not theirs */
    struct str email; /* as it is safe to show; may be empty */
    bool has_name;
};

/* Reads [{"name", "email"}, ...]; `*count` 0 for the empty text. */
void people_read(struct arena *arena, struct str json, struct person **people, size_t *count);
/* "Ada", "Ada, Grace", "Ada, Grace and 3 others"; empty for nobody. */
struct str people_summary(struct arena *arena, const struct person *people, size_t count);
/* One or two capital letters for a person's picture. */
struct str person_initials(struct arena *arena, const struct person *person);
/* A number below 8 that stays with the address: which colour the picture has. */
int person_hue(const struct person *person);

#endif
