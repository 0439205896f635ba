/* Inside the room: how a function of the store runs a named statement. Values are bound typed and
 * in binary, rows are read typed, column after column in the order of the SELECT. A statement is
 * prepared by its name when a connection first meets it; a name that sql/queries/ does not have, or
 * a column of another type than is read, is an assertion failure.
 *
 *     struct db_rows rows;
 *     if (!db_select(db, "mailbox_list", &rows, err, db_i64(account_id)))
 *         return false;
 *     while (db_next(&rows)) {
 *         mailbox->id = db_get_i64(&rows);
 *         mailbox->name = db_get_str(&rows, arena);
 *     }
 *     db_rows_free(&rows);
 *
 * Each statement costs one round trip, unless it was foreseen: BEGIN, the viewer for row-level
 * security, PREPARE and posted statements, those that are read too (db_post_select), travel with it
 * or with the commit. */
#ifndef RESTANTE_STORE_DB_H
#define RESTANTE_STORE_DB_H

#include "server/store/store.h"

enum db_type {
    DB_END, /* ends a list of values */
    DB_BOOL,
    DB_I16,
    DB_I32,
    DB_I64,
    DB_TIME, /* timestamptz; UTC microseconds here */
    DB_TEXT,
    DB_JSON,
    DB_BYTES,
    DB_TSVECTOR, /* in the binary form of tsvectorrecv */
    DB_I32_ARRAY,
    DB_I64_ARRAY,
    DB_TEXT_ARRAY,
    DB_TYPES
};

struct db_value {
    enum db_type type;
    bool is_null;
    int64_t number;    /* BOOL to TIME */
    struct str bytes;  /* TEXT to TSVECTOR; borrowed until the call returns */
    const void *items; /* arrays: int32_t, int64_t, struct str; borrowed likewise */
    size_t count;
};

#define DB_NUMBER(name, kind, ctype)                                        \
    static inline struct db_value name(ctype value)                         \
    {                                                                       \
        return (struct db_value){.type = (kind), .number = (int64_t)value}; \
    }
DB_NUMBER(db_bool, DB_BOOL, bool)
DB_NUMBER(db_i16, DB_I16, int16_t)
DB_NUMBER(db_i32, DB_I32, int32_t)
DB_NUMBER(db_i64, DB_I64, int64_t)
DB_NUMBER(db_time, DB_TIME, int64_t)
#undef DB_NUMBER

static inline struct db_value db_text(struct str value)
{
    return (struct db_value){.type = DB_TEXT, .bytes = value};
}
static inline struct db_value db_name(const char *value) /* NULL is NULL */
{
    return (struct db_value){.type = DB_TEXT, .is_null = !value, .bytes = str_of(value)};
}
static inline struct db_value db_json(struct str value)
{
    return (struct db_value){.type = DB_JSON, .bytes = value};
}
static inline struct db_value db_bytes(struct str value)
{
    return (struct db_value){.type = DB_BYTES, .bytes = value};
}
static inline struct db_value db_tsvector(struct str value)
{
    return (struct db_value){.type = DB_TSVECTOR, .bytes = value};
}
static inline struct db_value db_i32_array(const int32_t *items, size_t count)
{
    return (struct db_value){.type = DB_I32_ARRAY, .items = items, .count = count};
}
static inline struct db_value db_i64_array(const int64_t *items, size_t count)
{
    return (struct db_value){.type = DB_I64_ARRAY, .items = items, .count = count};
}
static inline struct db_value db_text_array(const struct str *items, size_t count)
{
    return (struct db_value){.type = DB_TEXT_ARRAY, .items = items, .count = count};
}
/* The value, or NULL when it is zero or empty: how rows say "none". */
static inline struct db_value db_or_null(struct db_value value)
{
    value.is_null = value.is_null || (value.number == 0 && value.bytes.length == 0 && !value.items);
    return value;
}

#ifdef __cppcheck__ /* cppcheck 2.10 does not know __VA_OPT__ */
#define DB_VALUES(...) ((const struct db_value[]){__VA_ARGS__})
#else
#define DB_VALUES(...) ((const struct db_value[]){__VA_ARGS__ __VA_OPT__(, ){.type = DB_END}})
#endif

/* --- statements ------------------------------------------------------------------------------ */

struct db_rows {
    void *result; /* PGresult, owned */
    int row, row_count;
    int column, column_count;
};

/* Runs a statement that returns rows. On success the caller frees `rows`. */
bool db_select_values(struct db *db, const char *name, struct db_rows *rows, struct error *err,
                      const struct db_value *values);
#define db_select(db, name, rows, err, ...) \
    db_select_values(db, name, rows, err, DB_VALUES(__VA_ARGS__))

/* Runs one that returns a row, and stands on it: ERROR_NOT_FOUND with the sentence `missing` when
 * there is none, and then nothing is to be freed. */
bool db_select_one_values(struct db *db, const char *name, struct db_rows *rows,
                          const char *missing, struct error *err, const struct db_value *values);
#define db_select_one(db, name, rows, missing, err, ...) \
    db_select_one_values(db, name, rows, missing, err, DB_VALUES(__VA_ARGS__))

/* Says that db_select will ask this soon, with the same values (numbers and times): the first that
 * is asked of what was foreseen brings the answers of all, in one round trip. Only for what reads,
 * outside of transactions. Whatever writes (db_execute, a transaction) forgets them, as does
 * store_release; a question that nobody foresaw is asked as ever. */
void db_foresee_values(struct db *db, const char *name, const struct db_value *values);
#define db_foresee(db, name, ...) db_foresee_values(db, name, DB_VALUES(__VA_ARGS__))

/* Runs one whose rows nobody reads. `affected` (may be NULL) gets the number of rows written. */
bool db_execute_values(struct db *db, const char *name, int64_t *affected, struct error *err,
                       const struct db_value *values);
#define db_execute(db, name, affected, err, ...) \
    db_execute_values(db, name, affected, err, DB_VALUES(__VA_ARGS__))

/* Sends along with the next statement (without a transaction the two are one) or the commit, which
 * reports a failure of it too. */
bool db_post_values(struct db *db, const char *name, struct error *err,
                    const struct db_value *values);
#define db_post(db, name, err, ...) db_post_values(db, name, err, DB_VALUES(__VA_ARGS__))

/* The same, within a transaction, of one whose rows are read once it was sent: `rows`, empty until
 * then and after a failure of anything sent with it, must last until then. The caller frees them in
 * any case. */
bool db_post_select_values(struct db *db, const char *name, struct db_rows *rows, struct error *err,
                           const struct db_value *values);
#define db_post_select(db, name, rows, err, ...) \
    db_post_select_values(db, name, rows, err, DB_VALUES(__VA_ARGS__))
/* Sends what was posted, when nothing else is to be sent now. */
bool db_catch_up(struct db *db, struct error *err);

/* Of two transactions that wait for each other PostgreSQL ends one, with nothing done. What the
 * sync role writes comes again by itself; a person who clicked shall not have to: whether what
 * failed for that, this many times by now, is to be tried once more. A statement alone is by
 * itself. */
bool db_comes_again(const struct error *why, int tries);

bool db_in_transaction(const struct db *db);
/* Whose rows a statement that names its viewer may touch: the person given to store_acquire, -1 for
 * nobody, 0 (all) for SYNC and OWNER. */
int64_t db_viewer(const struct db *db);
/* Starts one unless one is open; `*started` tells which, for db_leave. */
bool db_enter(struct db *db, bool *started, struct error *err);
/* Ends what db_enter started: commits if `is_good`, else rolls back; returns whether all is well.
 */
bool db_leave(struct db *db, bool started, bool is_good, struct error *err);

/* --- rows ------------------------------------------------------------------------------------ */

/* Steps to the next row; false at the end. Every column of the last row must have been read. */
bool db_next(struct db_rows *rows);
void db_rows_free(struct db_rows *rows);
/* Each reads the next column; NULL gives 0, false or the empty slice. */
bool db_get_bool(struct db_rows *rows);
int16_t db_get_i16(struct db_rows *rows);
int32_t db_get_i32(struct db_rows *rows);
int64_t db_get_i64(struct db_rows *rows);
int64_t db_get_time(struct db_rows *rows);
/* text, json or bytea, copied into the arena, NUL behind it. */
struct str db_get_str(struct db_rows *rows, struct arena *arena);
/* The same without a copy: valid until db_rows_free. */
struct str db_get_slice(struct db_rows *rows);
/* The index among `names` of the text in the column. The schema's check must let no other text in.
 */
int db_get_name(struct db_rows *rows, const char *const *names, size_t count);
#define DB_GET_NAME(rows, names) db_get_name(rows, names, sizeof(names) / sizeof *(names))
/* bigint[] into the arena. */
int64_t *db_get_i64_array(struct db_rows *rows, struct arena *arena, size_t *count);
/* text[] joined by spaces into the arena. */
struct str db_get_words(struct db_rows *rows, struct arena *arena);
/* Whether the next column is NULL; does not step over it. */
bool db_peek_null(const struct db_rows *rows);
void db_skip(struct db_rows *rows);

/* --- binary COPY ----------------------------------------------------------------------------- */

/* `name` is a COPY … FROM STDIN (FORMAT binary) of sql/queries/. Not for the web role: COPY does
 * not go together with row-level security. Between begin and end the connection does nothing else;
 * after a failure db_copy_end must still be called. */
bool db_copy_begin(struct db *db, const char *name, struct error *err);
bool db_copy_row_values(struct db *db, struct error *err, const struct db_value *values);
#define db_copy_row(db, err, ...) db_copy_row_values(db, err, DB_VALUES(__VA_ARGS__))
/* Finishes, or with `is_good` false aborts it (and then returns false, leaving `err` as it is). */
bool db_copy_end(struct db *db, bool is_good, struct error *err);

/* --- for migrations --------------------------------------------------------------------------- */

/* Runs a script of several statements as it stands, outside or inside of a transaction. */
bool db_run_script(struct db *db, const char *sql, struct error *err);

#endif
