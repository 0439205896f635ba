/* Values to and from PostgreSQL's binary forms (src/backend/utils/adt/<type>send and <type>recv).
 */
#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#include "server/base/utf8.h"
#include "server/store/db_private.h"

/* Of pg_type; they never change. */
static const struct {
    unsigned oid;
    unsigned array_oid; /* 0: we use none */
    int width;          /* bytes of a number; 0: as long as it is */
} types[DB_TYPES] = {
    [DB_BOOL] = {16, 0, 1},         [DB_I16] = {21, 0, 2},          [DB_I32] = {23, 0, 4},
    [DB_I64] = {20, 0, 8},          [DB_TIME] = {1184, 0, 8},       [DB_TEXT] = {25, 0, 0},
    [DB_JSON] = {114, 0, 0},        [DB_BYTES] = {17, 0, 0},        [DB_TSVECTOR] = {3614, 0, 0},
    [DB_I32_ARRAY] = {1007, 23, 4}, [DB_I64_ARRAY] = {1016, 20, 8}, [DB_TEXT_ARRAY] = {1009, 25, 0},
};

/* 2000-01-01, PostgreSQL's epoch, in microseconds of ours. */
static const int64_t postgres_epoch_us = INT64_C(946684800000000);

unsigned db_type_oid(enum db_type type)
{
    assert(type > DB_END && type < DB_TYPES);
    return types[type].oid;
}

static bool put_number(struct buf *out, int64_t number, int width)
{
    char bytes[8];
    for (int i = 0; i < width; i++)
        bytes[i] = (char)((uint64_t)number >> (8 * (width - 1 - i)));
    return buf_append(out, bytes, (size_t)width);
}

static int64_t take_number(const char *at, int width)
{
    uint64_t number = 0;
    for (int i = 0; i < width; i++)
        number = number << 8 | (unsigned char)at[i];
    if (width == 2)
        return (int16_t)number;
    return width == 4 ? (int32_t)number : (int64_t)number;
}

/* PostgreSQL takes no NUL in a text and nothing that is not UTF-8; of what mail servers tell one
 * such name would keep a whole account from being written. */
static bool put_text(struct buf *out, struct str text)
{
    bool is_clean = utf8_is_valid(text) && !(text.length && memchr(text.at, '\0', text.length));
    if (is_clean)
        return buf_str(out, text);
    utf8_repair(out, text);
    return !out->is_full;
}

/* One dimension, no NULLs, lower bound 1. */
static bool encode_array(struct buf *out, const struct db_value *value)
{
    put_number(out, value->count ? 1 : 0, 4);
    put_number(out, 0, 4);
    put_number(out, types[value->type].array_oid, 4);
    if (value->count) {
        put_number(out, (int64_t)value->count, 4);
        put_number(out, 1, 4);
    }
    for (size_t i = 0; i < value->count; i++) {
        if (value->type == DB_TEXT_ARRAY) {
            size_t at = out->length;
            put_number(out, 0, 4);
            put_text(out, ((const struct str *)value->items)[i]);
            uint32_t length = htobe32((uint32_t)(out->length - at - 4));
            if (!out->is_full)
                memcpy(out->at + at, &length, sizeof length);
        } else {
            int width = types[value->type].width;
            int64_t item = width == 8 ? ((const int64_t *)value->items)[i]
                                      : ((const int32_t *)value->items)[i];
            put_number(out, width, 4);
            put_number(out, item, width);
        }
    }
    return !out->is_full;
}

bool db_encode(struct buf *out, const struct db_value *value)
{
    switch (value->type) {
    case DB_TEXT:
        return put_text(out, value->bytes);
    case DB_JSON:
    case DB_BYTES:
    case DB_TSVECTOR:
        return buf_str(out, value->bytes);
    case DB_I32_ARRAY:
    case DB_I64_ARRAY:
    case DB_TEXT_ARRAY:
        return encode_array(out, value);
    case DB_TIME:
        return put_number(out, value->number - postgres_epoch_us, 8);
    default:
        return put_number(out, value->number, types[value->type].width);
    }
}

/* --- rows ------------------------------------------------------------------------------------ */

bool db_next(struct db_rows *rows)
{
    assert(rows->row < 0 || rows->column == rows->column_count);
    rows->column = 0;
    return ++rows->row < rows->row_count;
}

void db_rows_free(struct db_rows *rows)
{
    PQclear(rows->result);
    *rows = (struct db_rows){0};
}

bool db_peek_null(const struct db_rows *rows)
{
    return PQgetisnull(rows->result, rows->row, rows->column);
}

void db_skip(struct db_rows *rows)
{
    assert(rows->column < rows->column_count);
    rows->column++;
}

/* The next column's bytes, checked to be of the type; NULL for NULL. */
static const char *next_value(struct db_rows *rows, enum db_type type, int *length)
{
    assert(rows->row >= 0 && rows->row < rows->row_count && rows->column < rows->column_count);
    unsigned oid = PQftype(rows->result, rows->column);
    assert(oid == types[type].oid ||
           (type == DB_TEXT && (oid == types[DB_JSON].oid || oid == types[DB_BYTES].oid)));
    (void)oid;
    int column = rows->column++;
    if (PQgetisnull(rows->result, rows->row, column))
        return NULL;
    *length = PQgetlength(rows->result, rows->row, column);
    return PQgetvalue(rows->result, rows->row, column);
}

static int64_t next_number(struct db_rows *rows, enum db_type type)
{
    int length = 0;
    const char *at = next_value(rows, type, &length);
    if (!at)
        return 0;
    assert(length == types[type].width);
    return take_number(at, length);
}

bool db_get_bool(struct db_rows *rows)
{
    return next_number(rows, DB_BOOL) != 0;
}

int16_t db_get_i16(struct db_rows *rows)
{
    return (int16_t)next_number(rows, DB_I16);
}

int32_t db_get_i32(struct db_rows *rows)
{
    return (int32_t)next_number(rows, DB_I32);
}

int64_t db_get_i64(struct db_rows *rows)
{
    return next_number(rows, DB_I64);
}

int64_t db_get_time(struct db_rows *rows)
{
    bool is_null = db_peek_null(rows);
    int64_t at = next_number(rows, DB_TIME);
    return is_null ? 0 : at + postgres_epoch_us;
}

struct str db_get_slice(struct db_rows *rows)
{
    int length = 0;
    const char *at = next_value(rows, DB_TEXT, &length);
    return at ? str_make(at, (size_t)length) : STR_EMPTY;
}

int db_get_name(struct db_rows *rows, const char *const *names, size_t count)
{
    struct str name = db_get_slice(rows);
    size_t i = 0;
    while (i < count && !str_equal(name, str_of(names[i])))
        i++;
    assert(i < count);
    return (int)i;
}

struct str db_get_str(struct db_rows *rows, struct arena *arena)
{
    struct str slice = db_get_slice(rows);
    return slice.length ? arena_str(arena, slice) : STR_EMPTY;
}

/* The number of items of an array and where the first begins; 0 for NULL or an empty one. */
static size_t open_array(struct db_rows *rows, enum db_type type, const char **at, const char **end)
{
    enum { HEAD_BYTES = 12, DIMENSION_BYTES = 8 };
    int length = 0;
    *at = next_value(rows, type, &length);
    if (!*at || length < HEAD_BYTES + DIMENSION_BYTES)
        return 0;
    assert(take_number(*at, 4) == 1 && take_number(*at + 8, 4) == types[type].array_oid);
    size_t count = (size_t)take_number(*at + HEAD_BYTES, 4);
    *end = *at + length;
    *at += HEAD_BYTES + DIMENSION_BYTES;
    return count;
}

/* The next item; NULL items are passed over as empty. */
static struct str next_item(const char **at, const char *end)
{
    assert(end - *at >= 4);
    int64_t length = take_number(*at, 4);
    *at += 4;
    if (length < 0)
        return STR_EMPTY;
    assert(length <= end - *at);
    struct str item = str_make(*at, (size_t)length);
    *at += length;
    return item;
}

int64_t *db_get_i64_array(struct db_rows *rows, struct arena *arena, size_t *count)
{
    const char *at, *end;
    *count = open_array(rows, DB_I64_ARRAY, &at, &end);
    int64_t *items = ARENA_ARRAY(arena, *count, int64_t);
    for (size_t i = 0; i < *count; i++) {
        struct str item = next_item(&at, end);
        items[i] = item.length == 8 ? take_number(item.at, 8) : 0;
    }
    return items;
}

struct str db_get_words(struct db_rows *rows, struct arena *arena)
{
    const char *at, *end;
    size_t count = open_array(rows, DB_TEXT_ARRAY, &at, &end);
    if (!count)
        return STR_EMPTY;
    char *words = arena_alloc(arena, (size_t)(end - at) + 1);
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        struct str item = next_item(&at, end);
        if (i)
            words[length++] = ' ';
        if (item.length)
            memcpy(words + length, item.at, item.length);
        length += item.length;
    }
    return str_make(words, length);
}
