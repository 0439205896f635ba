#include "server/store/queries.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/assets.h"

enum { QUERIES_MAX = 1024 };

static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.at[i];
        if (!(ascii_is_digit(c) || c == '_' || (c >= 'a' && c <= 'z')))
            return false;
    }
    return name.length > 0 && name.length < 64; /* PostgreSQL's NAMEDATALEN */
}

/* True when nothing but comments and white space is in it. */
static bool is_blank(struct str sql)
{
    for (struct str rest = sql; rest.at;) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        if (line.length && !str_starts(line, STR("--")))
            return false;
    }
    return true;
}

/* Without the comment that introduces the next section, and without the last semicolon. */
static struct str without_tail(struct str sql)
{
    for (;;) {
        sql = str_trim(sql);
        size_t line = sql.length;
        while (line > 0 && sql.at[line - 1] != '\n')
            line--;
        if (!str_starts(str_skip(sql, line), STR("--")))
            break;
        sql.length = line;
    }
    if (str_ends(sql, STR(";")))
        sql.length--;
    return sql;
}

static bool add(struct arena *arena, struct str file, struct str name, struct str sql,
                struct queries *queries, size_t capacity, struct error *err)
{
    sql = without_tail(sql);
    if (is_blank(sql))
        return error_set(err, ERROR_INVALID, "%" STR_FMT ": the statement %" STR_FMT " is empty",
                         STR_ARG(file), STR_ARG(name));
    if (queries->count == capacity)
        return error_set(err, ERROR_LIMIT, "more than %zu statements in sql/queries/", capacity);
    queries->at[queries->count++] =
        (struct query){.name = arena_text(arena, name), .sql = arena_text(arena, sql)};
    return true;
}

bool queries_parse(struct arena *arena, struct str file, struct str text, struct queries *queries,
                   size_t capacity, struct error *err)
{
    static const struct str mark = STR("-- name:");
    struct str name = STR_EMPTY;
    const char *begin = text.at;
    for (struct str rest = text; rest.at;) {
        struct str line = str_cut(&rest, '\n');
        if (!str_starts(line, mark))
            continue;
        struct str section = str_make(begin, (size_t)(line.at - begin));
        if (name.length
                ? !add(arena, file, name, section, queries, capacity, err)
                : !is_blank(section) &&
                      !error_set(err, ERROR_INVALID,
                                 "%" STR_FMT ": SQL before the first \"-- name:\"", STR_ARG(file)))
            return false;
        name = str_trim(str_skip(line, mark.length));
        if (!is_name(name))
            return error_set(err, ERROR_INVALID, "%" STR_FMT ": \"%" STR_FMT "\" is not a name",
                             STR_ARG(file), STR_ARG(name));
        begin = line.at + line.length;
    }
    if (!name.length)
        return true;
    struct str section = str_make(begin, (size_t)(text.at + text.length - begin));
    return add(arena, file, name, section, queries, capacity, err);
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct query *)a)->name, ((const struct query *)b)->name);
}

bool queries_load(struct arena *arena, struct queries *queries, struct error *err)
{
    size_t count;
    const struct asset *assets = asset_list(&count);
    *queries = (struct queries){.at = ARENA_ARRAY(arena, QUERIES_MAX, struct query)};
    for (size_t i = 0; i < count; i++) {
        struct str file = str_of(assets[i].name);
        struct str text;
        if (!str_starts(file, STR("sql/queries/")))
            continue;
        if (!asset_read(arena, file, &text, err) ||
            !queries_parse(arena, file, text, queries, QUERIES_MAX, err))
            return false;
    }
    qsort(queries->at, queries->count, sizeof *queries->at, compare);
    for (size_t i = 1; i < queries->count; i++)
        if (strcmp(queries->at[i - 1].name, queries->at[i].name) == 0)
            return error_set(err, ERROR_INVALID, "sql/queries/ has two statements named %s",
                             queries->at[i].name);
    return true;
}

size_t queries_find(const struct queries *queries, const char *name)
{
    const struct query *found = bsearch(&(struct query){.name = name}, queries->at, queries->count,
                                        sizeof *queries->at, compare);
    if (!found) {
        fprintf(stderr, "restante: sql/queries/ has no statement \"%s\"\n", name);
        abort();
    }
    return (size_t)(found - queries->at);
}
