/* POP3, planned: what the server lists against what was met before gives what to do with each
 * message. Pure: no connection, no database, so that it can be tested in tables.
 *
 * The rules that keep mail: nothing is removed that is not here whole; a message is taken for a
 * known one only if UIDL and size agree and nothing speaks against it, else its header must have
 * the same fingerprint; in doubt it is fetched again rather than lost. */
#ifndef RESTANTE_SYNC_POP3_PLAN_H
#define RESTANTE_SYNC_POP3_PLAN_H

#include "server/base/arena.h"
#include "server/store/accounts.h"
#include "server/store/pop3.h"

/* A UIDL as it is kept: ASCII; other bytes, and "%", as %XX. Empty stays empty. */
struct str pop3_plan_key(struct arena *arena, struct str uidl);

struct pop3_listed {
    uint32_t number; /* of this session */
    int64_t size_bytes;
    struct str key; /* of pop3_plan_key; empty: the server has no UIDL */
};

/* Larger messages are not fetched: their beginning is all that comes. As much as the parser
 * children take. */
#define POP3_MESSAGE_BYTES_MAX (INT64_C(256) << 20)

struct pop3_rules {
    enum pop3_policy policy;
    int days;          /* of POP3_REMOVE_AFTER */
    int64_t max_bytes; /* larger ones: only their beginning; 0: no limit */
    int expire_days;   /* the server throws read mail away after that; < 0: it does not say */
    bool has_top;
    int64_t now_us;
};

enum pop3_fate {
    POP3_KEEP,    /* known, stays upstream */
    POP3_FETCH,   /* new */
    POP3_PREVIEW, /* new and larger than wanted: its beginning */
    POP3_REST,    /* its beginning is here, now all of it is wanted */
    POP3_VERIFY,  /* looks known but may not be: its fingerprint decides (pop3_plan_settle) */
    POP3_DELETE,  /* here, and the policy wants it removed upstream */
};

struct pop3_step {
    struct pop3_listed listed;
    int occurrence; /* among the listed ones with the same key */
    enum pop3_fate fate;
    /* It was fetched in place of being verified: before it is added, pop3_plan_settle. */
    bool is_doubtful;
    ptrdiff_t row; /* of `rows`; -1: not known */
};

struct pop3_plan {
    const struct pop3_uidl *rows; /* by uidl and occurrence, as pop3_uidls gives them */
    size_t row_count;
    bool *is_claimed;     /* by row: a listed message is it */
    struct pop3_step *at; /* in the listed order */
    size_t count;
    size_t *forget; /* rows whose messages are gone for good */
    size_t forget_count;
    size_t *absent; /* rows that are not listed now and were before */
    size_t absent_count;
    size_t *present; /* rows that are listed again */
    size_t present_count;
    size_t *by_fingerprint; /* rows in the order of their fingerprints */
    struct pop3_rules rules;
    bool has_uidl;
};

void pop3_plan_make(struct arena *arena, const struct pop3_listed *listed, size_t listed_count,
                    const struct pop3_uidl *rows, size_t row_count, const struct pop3_rules *rules,
                    struct pop3_plan *plan);

/* The header of that step's message has this fingerprint: sets `row` and `fate` (never VERIFY) for
 * good. Without UIDL also the key, in the arena. A row under another key is then that message's. */
void pop3_plan_settle(struct arena *arena, struct pop3_plan *plan, struct pop3_step *step,
                      struct str fingerprint);

/* What the policy does with a message whose row is that and which is listed. */
enum pop3_fate pop3_plan_fate(const struct pop3_rules *rules, const struct pop3_uidl *row);

#endif
