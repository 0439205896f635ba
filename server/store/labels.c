#include "server/store/labels.h"

#include "server/base/utf7.h"
#include "server/base/utf8.h"
#include "server/store/actions_private.h"
#include "server/store/bulk.h"
#include "server/store/changes_private.h"
#include "server/store/db.h"

const char *const label_colours[LABEL_COLOURS] = {"teal",  "blue",  "violet", "red",
                                                  "ochre", "green", "pink",   "indigo"};
enum { FORMER_MAX = 10 }; /* more than label_update keeps */
static const char no_label[] = "There is no such label.";

static void read_label(struct db_rows *rows, struct arena *arena, struct label *label)
{
    label->account_id = db_get_i64(rows);
    label->id = db_get_i64(rows);
    label->name = db_get_str(rows, arena);
    label->keyword = db_get_str(rows, arena);
    label->former = db_get_words(rows, arena);
    label->colour = db_get_i16(rows);
}

bool label_list(struct db *db, struct arena *arena, int64_t account_id, struct label **labels,
                size_t *count, struct error *err)
{
    struct db_rows rows;
    *count = 0;
    if (!db_select(db, "label_list", &rows, err, db_i64(account_id)))
        return false;
    *labels = ARENA_ARRAY(arena, (size_t)rows.row_count + 1, struct label);
    while (db_next(&rows))
        read_label(&rows, arena, &(*labels)[(*count)++]);
    db_rows_free(&rows);
    return true;
}

bool label_by_id(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                 struct label *label, struct error *err)
{
    struct db_rows rows;
    if (!db_select_one(db, "label_by_id", &rows, no_label, err, db_i64(account_id), db_i64(id)))
        return false;
    read_label(&rows, arena, label);
    db_rows_free(&rows);
    return true;
}

/* --- names and keywords ---------------------------------------------------------------------- */

static bool check_name(struct str name, struct error *err)
{
    if (name.length == 0)
        return error_set(err, ERROR_INVALID, "A label has a name.");
    if (name.length > LABEL_NAME_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "The name is too long.");
    for (struct str rest = name; rest.length;) {
        uint32_t character = utf8_next(&rest);
        if (character < ' ' || character == 0x7f || character == '"' ||
            character == UTF8_REPLACEMENT)
            return error_set(err, ERROR_INVALID,
                             "A label's name has no quotation marks and no line ends.");
    }
    return true;
}

static struct str keyword_of(struct arena *arena, struct str name)
{
    struct buf wire = BUF_INIT((size_t)LABEL_NAME_BYTES_MAX * 8);
    utf7_encode(&wire, name);
    struct str made = arena_str(arena, buf_view(&wire));
    buf_free(&wire);
    char *at = ARENA_ARRAY(arena, made.length + 1, char);
    for (size_t i = 0; i < made.length; i++)
        at[i] = strchr(" ()/{%*<>\\\"]", made.at[i]) ? '_' : ascii_lower(made.at[i]);
    if (made.length && at[0] == '$')
        at[0] = '_'; /* what begins so means something to programs */
    return str_make(at, made.length);
}

static bool means_something(struct str keyword)
{
    static const char *const words[] = {"junk",    "nonjunk",    "notjunk", "forwarded",
                                        "mdnsent", "redirected", "phishing"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal_nocase(keyword, str_of(words[i])))
            return true;
    for (const struct flag_name *name = flag_names; name->flag; name++)
        if (str_equal_nocase(keyword, str_of(name->upstream)) ||
            (name->keyword && str_equal_nocase(keyword, str_of(name->keyword))))
            return true;
    return false;
}

static const struct {
    const char *keyword, *name;
} thunderbird[] = {{"$label1", "Important"},
                   {"$label2", "Work"},
                   {"$label3", "Personal"},
                   {"$label4", "To do"},
                   {"$label5", "Later"}};

struct str label_name_of(struct arena *arena, struct str keyword)
{
    for (size_t i = 0; i < sizeof thunderbird / sizeof *thunderbird; i++)
        if (str_equal_nocase(keyword, str_of(thunderbird[i].keyword)))
            return str_of(thunderbird[i].name);
    return arena_str(arena, utf8_prefix(keyword, LABEL_NAME_BYTES_MAX));
}

bool label_is_on(const struct label *label, struct str keywords)
{
    while (keywords.length) {
        struct str word = str_cut(&keywords, ' ');
        if (str_equal_nocase(word, label->keyword) || str_has_word_nocase(label->former, word))
            return true;
    }
    return false;
}

/* Its own keyword, where it is, and all former ones. */
static size_t all_words(struct arena *arena, const struct label *label, bool with_own,
                        const struct str **words)
{
    struct str rest = label->former;
    struct str *list = ARENA_ARRAY(arena, rest.length / 2 + 2, struct str);
    size_t count = 0;
    if (with_own)
        list[count++] = label->keyword;
    while (rest.length) {
        struct str word = str_cut(&rest, ' ');
        if (!str_equal_nocase(word, label->keyword))
            list[count++] = word;
    }
    *words = list;
    return count;
}

void label_set_action(struct arena *arena, const struct label *label, bool is_removal,
                      struct action *action)
{
    action->kind = ACTION_KEYWORDS;
    if (is_removal) {
        action->remove_count = all_words(arena, label, true, &action->remove_words);
        return;
    }
    action->add_count = 1;
    action->add_words = ARENA_NEW(arena, struct str);
    *(struct str *)action->add_words = label->keyword;
}

/* --- making, renaming, deleting -------------------------------------------------------------- */

/* All messages that have it are given its keyword of now, or none. */
static bool begin_bulk(struct db *db, struct arena *arena, const struct label *label,
                       bool is_removal, int64_t *bulk_id, struct error *err)
{
    struct action action = {0};
    struct buf query = BUF_INIT(FORMER_MAX * (LABEL_KEYWORD_BYTES_MAX + 16));
    label_set_action(arena, label, is_removal, &action);
    if (!is_removal)
        action.remove_count = all_words(arena, label, false, &action.remove_words);
    for (size_t i = 0; i < action.remove_count; i++)
        buf_printf(&query, "%slabel:\"%" STR_FMT "\"", i ? " OR " : "",
                   STR_ARG(action.remove_words[i]));
    bool is_good = bulk_add(db, label->account_id, &action, buf_view(&query), 0, bulk_id, err);
    buf_free(&query);
    return is_good;
}

/* Why no row was written. */
static bool refuse(struct db *db, int64_t account_id, bool is_new, struct error *err)
{
    struct db_rows rows;
    if (!db_select(db, "label_list", &rows, err, db_i64(account_id)))
        return false;
    bool is_full = is_new && rows.row_count >= LABELS_MAX;
    db_rows_free(&rows);
    return is_full ? error_set(err, ERROR_LIMIT, "An account has at most %d labels.", LABELS_MAX)
                   : error_set(err, ERROR_CONFLICT, "There is a label of that name already.");
}

static bool write(struct db *db, struct label *label, bool is_new, struct error *err)
{
    int64_t affected = 0;
    bool is_good =
        is_new ? account_next_ids(db, label->account_id, 1, &label->id, err) &&
                     db_execute(db, "label_insert", &affected, err, db_i64(label->account_id),
                                db_i64(label->id), db_text(label->name), db_text(label->keyword),
                                db_i16((int16_t)label->colour), db_i64(LABELS_MAX))
               : db_execute(db, "label_update", &affected, err, db_i64(label->account_id),
                            db_i64(label->id), db_text(label->name), db_text(label->keyword),
                            db_i16((int16_t)label->colour));
    if (is_good && !affected)
        return refuse(db, label->account_id, is_new, err);
    return is_good && db_execute(db, "label_claim", NULL, err, db_i64(label->account_id),
                                 db_i64(label->id), db_text(label->keyword));
}

static bool change(struct db *db, struct arena *arena, struct label *label, int64_t *bulk_id,
                   struct error *err)
{
    struct label before = {0};
    bool is_new = label->id == 0, is_named = false;
    if (!is_new) {
        if (!label_by_id(db, arena, label->account_id, label->id, &before, err))
            return false;
        is_named = !str_equal(before.name, label->name);
        if (!is_named)
            label->keyword = before.keyword;
    }
    if (is_named || !label->keyword.length)
        label->keyword = keyword_of(arena, label->name);
    if (!action_is_word(label->keyword))
        return error_set(err, ERROR_INVALID, "The name is too long.");
    if (means_something(label->keyword))
        return error_set(err, ERROR_CONFLICT,
                         "That word has a meaning of its own among mail programs.");
    if (!write(db, label, is_new, err))
        return false;
    if (is_new || str_equal_nocase(before.keyword, label->keyword))
        return true;
    return label_by_id(db, arena, label->account_id, label->id, label, err) &&
           begin_bulk(db, arena, label, false, bulk_id, err);
}

bool label_put(struct db *db, struct arena *arena, struct label *label, int64_t *bulk_id,
               struct error *err)
{
    bool started;
    *bulk_id = 0;
    label->name = str_trim(label->name);
    if (!check_name(label->name, err))
        return false;
    if (label->colour < 0 || label->colour >= LABEL_COLOURS)
        return error_set(err, ERROR_INVALID, "There is no such colour.");
    return db_enter(db, &started, err) &&
           db_leave(db, started, change(db, arena, label, bulk_id, err), err);
}

bool label_delete(struct db *db, struct arena *arena, int64_t account_id, int64_t id,
                  int64_t *bulk_id, struct error *err)
{
    bool started;
    struct label label;
    if (!db_enter(db, &started, err))
        return false;
    bool is_good = label_by_id(db, arena, account_id, id, &label, err) &&
                   db_execute(db, "label_delete", NULL, err, db_i64(account_id), db_i64(id)) &&
                   begin_bulk(db, arena, &label, true, bulk_id, err);
    return db_leave(db, started, is_good, err);
}

bool label_found(struct db *db, struct arena *arena, int64_t account_id, struct str *keywords,
                 struct error *err)
{
    struct db_rows rows;
    struct buf list = BUF_INIT(64 * 1024);
    if (!db_select(db, "label_found", &rows, err, db_i64(account_id), db_i64(LABEL_FOUND_MAX)))
        return false;
    while (db_next(&rows)) {
        if (buf_view(&list).length)
            buf_char(&list, ' ');
        buf_str(&list, db_get_slice(&rows));
    }
    db_rows_free(&rows);
    *keywords = arena_str(arena, buf_view(&list));
    buf_free(&list);
    return true;
}
