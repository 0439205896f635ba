#include "server/store/migrate.h"

#include "server/base/assets.h"
#include "server/base/log.h"
#include "server/store/db.h"

enum { MIGRATIONS_MAX = 1000 };

struct migration {
    int version;
    struct str name; /* of the file: "0001_foundation.sql" */
    const char *sql;
};

/* The files in the order of their numbers; the asset table is sorted by name. */
static bool load(struct arena *arena, struct migration **migrations, size_t *count,
                 struct error *err)
{
    static const struct str folder = STR("sql/migrations/");
    size_t asset_count;
    const struct asset *assets = asset_list(&asset_count);
    *migrations = ARENA_ARRAY(arena, MIGRATIONS_MAX, struct migration);
    *count = 0;
    for (size_t i = 0; i < asset_count; i++) {
        struct str path = str_of(assets[i].name), text;
        uint32_t version;
        if (!str_starts(path, folder))
            continue;
        struct str name = str_skip(path, folder.length);
        if (!str_to_u32(str_sub(name, 0, 4), &version) || version != *count + 1 ||
            *count == MIGRATIONS_MAX)
            return error_set(err, ERROR_INTERNAL, "%s: migration %zu was expected", assets[i].name,
                             *count + 1);
        if (!asset_read(arena, path, &text, err))
            return false;
        (*migrations)[(*count)++] = (struct migration){
            .version = (int)version, .name = name, .sql = arena_text(arena, text)};
    }
    return true;
}

static bool read_version(struct db *db, int *version, struct error *err)
{
    struct db_rows rows;
    *version = 0;
    if (!db_select(db, "migrate_applied", &rows, err))
        return false;
    while (db_next(&rows))
        *version = db_get_i32(&rows);
    db_rows_free(&rows);
    return true;
}

static bool ask(struct db *db, const char *question, bool *answer, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, question, &rows, "no answer", err))
        return false;
    *answer = db_get_bool(&rows);
    db_rows_free(&rows);
    return true;
}

static bool check_order(int database, size_t binary, struct error *err)
{
    if (database <= (int)binary)
        return true;
    error_set(err, ERROR_CONFLICT,
              "the database is at version %d, but this restante knows only up to %zu", database,
              binary);
    return error_hint(err, "install the restante that the database was last used with, or newer");
}

bool migrate_look(struct store *store, struct migrate_state *state, struct error *err)
{
    struct arena *arena = arena_new();
    struct migration *migrations;
    size_t count;
    bool has_table = false;
    struct db *db = NULL;
    *state = (struct migrate_state){0};
    bool is_good = load(arena, &migrations, &count, err) && (db = store_acquire(store, 0, err)) &&
                   ask(db, "migrate_has_table", &has_table, err) &&
                   (!has_table || read_version(db, &state->database, err)) &&
                   (!has_table || ask(db, "migrate_has_web_role", &state->has_web_role, err)) &&
                   check_order(state->database, count, err);
    state->binary = is_good ? (int)count : 0;
    store_release(store, &db);
    arena_free(&arena);
    return is_good;
}

bool migrate_check(const struct migrate_state *state, struct error *err)
{
    if (state->database == state->binary && state->has_web_role)
        return true;
    error_set(err, ERROR_CONFLICT, "the database is at migration %d, this program at %d",
              state->database, state->binary);
    return error_hint(err, "Run `restante migrate`.");
}

static bool apply(struct db *db, const struct migration *migration, struct error *err)
{
    LOG_INFO("migrate.apply", log_str("name", migration->name));
    if (db_begin(db, err) && db_run_script(db, migration->sql, err) &&
        db_execute(db, "migrate_note", NULL, err, db_i32(migration->version),
                   db_text(migration->name)) &&
        db_commit(db, err))
        return true;
    db_rollback(db);
    return error_wrap(err, "migration %" STR_FMT, STR_ARG(migration->name));
}

static bool grant(struct db *db, struct arena *arena, struct error *err)
{
    struct str script;
    bool is_granted;
    if (!ask(db, "migrate_has_web_role", &is_granted, err))
        return false;
    if (is_granted)
        return true;
    if (!asset_read(arena, STR("sql/roles/web.sql"), &script, err))
        return false;
    if (db_run_script(db, arena_text(arena, script), err))
        return true;
    if (err && err->kind == ERROR_FORBIDDEN)
        error_hint(err, "as a superuser: CREATE ROLE restante_web; GRANT restante_web TO <owner of "
                        "the database>; then run restante migrate again");
    return error_wrap(err, "the rights of the role restante_web");
}

bool migrate_run(struct store *store, int *applied, struct error *err)
{
    struct arena *arena = arena_new();
    struct migration *migrations;
    size_t count;
    int version = 0;
    struct db *db = NULL;
    *applied = 0;
    bool is_good = load(arena, &migrations, &count, err) && (db = store_acquire(store, 0, err));
    bool is_locked = is_good && db_execute(db, "migrate_lock", NULL, err);
    is_good = is_locked && db_execute(db, "migrate_table", NULL, err) &&
              read_version(db, &version, err) && check_order(version, count, err);
    for (size_t i = (size_t)version; is_good && i < count; i++) {
        is_good = apply(db, &migrations[i], err);
        *applied += is_good;
    }
    is_good = is_good && grant(db, arena, err);
    if (is_locked)
        db_execute(db, "migrate_unlock", NULL, NULL);
    store_release(store, &db);
    arena_free(&arena);
    return is_good;
}
