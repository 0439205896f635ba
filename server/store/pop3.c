#include "server/store/pop3.h"

#include "server/base/arena.h"
#include "server/store/db.h"

static const char *const state_names[] = {
    [POP3_UIDL_PARTIAL] = "partial", [POP3_UIDL_OVERSIZED] = "oversized",
    [POP3_UIDL_HERE] = "here",       [POP3_UIDL_DELE_SENT] = "dele-sent",
    [POP3_UIDL_REMOVED] = "removed",
};

static void read_row(struct db_rows *rows, struct arena *arena, struct pop3_uidl *row)
{
    row->uidl = db_get_str(rows, arena);
    row->occurrence = db_get_i32(rows);
    row->email_id = db_get_i64(rows);
    row->size_bytes = db_get_i64(rows);
    row->fingerprint = db_get_str(rows, arena);
    row->state = (enum pop3_uidl_state)DB_GET_NAME(rows, state_names);
    row->received_at = db_get_time(rows);
    row->absent_since = db_get_time(rows);
}

bool pop3_uidls(struct db *db, struct arena *arena, int64_t account_id, struct pop3_uidl **rows_at,
                size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "pop3_uidls", &rows, err, db_i64(account_id)))
        return false;
    *rows_at = ARENA_ARRAY(arena, (size_t)rows.row_count, struct pop3_uidl);
    *count = 0;
    while (db_next(&rows))
        read_row(&rows, arena, &(*rows_at)[(*count)++]);
    db_rows_free(&rows);
    return true;
}

bool pop3_uidl_of_email(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                        struct pop3_uidl *row, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "pop3_uidl_of_email", &rows, "this message is not in the maildrop", err,
                       db_i64(account_id), db_i64(email_id)))
        return false;
    read_row(&rows, arena, row);
    db_rows_free(&rows);
    return true;
}

bool pop3_wordless(struct db *db, struct arena *arena, int64_t account_id, int limit,
                   struct pop3_wordless **found, size_t *count, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "pop3_wordless", &rows, err, db_i64(account_id), db_i32(limit)))
        return false;
    *found = ARENA_ARRAY(arena, (size_t)rows.row_count, struct pop3_wordless);
    *count = 0;
    while (db_next(&rows)) {
        (*found)[*count].email_id = db_get_i64(&rows);
        (*found)[(*count)++].size_bytes = db_get_i64(&rows);
    }
    db_rows_free(&rows);
    return true;
}

/* --- writing --------------------------------------------------------------------------------- */

/* The rows as arrays, a column each. */
struct columns {
    struct arena *arena;
    struct str *uidls, *fingerprints, *states;
    int32_t *occurrences;
    int64_t *email_ids, *sizes, *received;
};

static struct columns columns_of(const struct pop3_uidl *rows, size_t count)
{
    struct arena *arena = arena_new();
    struct columns c = {.arena = arena,
                        .uidls = ARENA_ARRAY(arena, count, struct str),
                        .fingerprints = ARENA_ARRAY(arena, count, struct str),
                        .states = ARENA_ARRAY(arena, count, struct str),
                        .occurrences = ARENA_ARRAY(arena, count, int32_t),
                        .email_ids = ARENA_ARRAY(arena, count, int64_t),
                        .sizes = ARENA_ARRAY(arena, count, int64_t),
                        .received = ARENA_ARRAY(arena, count, int64_t)};
    for (size_t i = 0; i < count; i++) {
        c.uidls[i] = rows[i].uidl;
        c.fingerprints[i] = rows[i].fingerprint;
        c.states[i] = str_of(state_names[rows[i].state]);
        c.occurrences[i] = rows[i].occurrence;
        c.email_ids[i] = rows[i].email_id;
        c.sizes[i] = rows[i].size_bytes;
        c.received[i] = rows[i].received_at;
    }
    return c;
}

bool pop3_uidls_put(struct db *db, int64_t account_id, const struct pop3_uidl *rows, size_t count,
                    struct error *err)
{
    if (count == 0)
        return true;
    struct columns c = columns_of(rows, count);
    bool is_good = db_execute(db, "pop3_uidls_put", NULL, err, db_i64(account_id),
                              db_text_array(c.uidls, count), db_i32_array(c.occurrences, count),
                              db_i64_array(c.email_ids, count), db_i64_array(c.sizes, count),
                              db_text_array(c.fingerprints, count), db_text_array(c.states, count),
                              db_i64_array(c.received, count));
    arena_free(&c.arena);
    return is_good;
}

bool pop3_uidls_set_state(struct db *db, int64_t account_id, const struct pop3_uidl *rows,
                          size_t count, enum pop3_uidl_state state, struct error *err)
{
    if (count == 0)
        return true;
    struct columns c = columns_of(rows, count);
    bool is_good = db_execute(db, "pop3_uidls_state", NULL, err, db_i64(account_id),
                              db_text_array(c.uidls, count), db_i32_array(c.occurrences, count),
                              db_name(state_names[state]));
    arena_free(&c.arena);
    return is_good;
}

static bool execute_keys(struct db *db, const char *name, int64_t account_id,
                         const struct pop3_uidl *rows, size_t count, struct error *err)
{
    if (count == 0)
        return true;
    struct columns c = columns_of(rows, count);
    bool is_good = db_execute(db, name, NULL, err, db_i64(account_id),
                              db_text_array(c.uidls, count), db_i32_array(c.occurrences, count));
    arena_free(&c.arena);
    return is_good;
}

bool pop3_uidls_set_absent(struct db *db, int64_t account_id, const struct pop3_uidl *rows,
                           size_t count, bool is_absent, struct error *err)
{
    return execute_keys(db, is_absent ? "pop3_uidls_absent" : "pop3_uidls_present", account_id,
                        rows, count, err);
}

bool pop3_uidls_forget(struct db *db, int64_t account_id, const struct pop3_uidl *rows,
                       size_t count, struct error *err)
{
    return execute_keys(db, "pop3_uidls_forget", account_id, rows, count, err);
}
