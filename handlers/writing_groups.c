/* The address book's groups where addresses are typed. */
#include "handlers/writing.h"
#include "server/store/contact_groups.h"

enum { EXPANDED_BYTES_MAX = 256 * 1024 };

/* What stands before the next comma, semicolon or line end that is none of a name in quotes or an
 * address in brackets. */
static struct str next_typed(struct str *rest)
{
    char until = 0;
    size_t at = 0;
    for (; at < rest->length; at++) {
        char c = rest->at[at];
        if (until)
            until = c == until ? 0 : until;
        else if (c == '"' || c == '<')
            until = c == '"' ? '"' : '>';
        else if (c == ',' || c == ';' || c == '\n')
            break;
    }
    struct str typed = str_trim(str_sub(*rest, 0, at));
    *rest = str_skip(*rest, at + (at < rest->length));
    return typed;
}

static bool expand_one(struct request *req, struct db *db, struct str typed, struct str *expanded,
                       struct error *err)
{
    struct contact_match *people;
    size_t count;
    *expanded = typed;
    if (!typed.length || str_find_char(typed, '@') >= 0 || typed.length > GROUP_NAME_BYTES_MAX)
        return true;
    if (!contact_group_people(db, req->arena, signed_in(req)->user_id, typed, &people, &count, err))
        return false;
    if (!count)
        return true;
    struct compose_address *all = ARENA_ARRAY(req->arena, count, struct compose_address);
    for (size_t i = 0; i < count; i++)
        all[i] = (struct compose_address){people[i].name, people[i].email};
    *expanded = compose_addresses_show(req->arena, (struct compose_addresses){all, count});
    return true;
}

bool writing_expand(struct request *req, struct db *db, struct str typed, struct str *expanded,
                    struct error *err)
{
    struct buf all = BUF_INIT(EXPANDED_BYTES_MAX);
    bool is_good = true;
    while (is_good && typed.length) {
        struct str one;
        is_good = expand_one(req, db, next_typed(&typed), &one, err);
        if (is_good && one.length)
            buf_printf(&all, "%s%" STR_FMT, all.length ? ", " : "", STR_ARG(one));
    }
    if (is_good && all.is_full)
        is_good = error_set(err, ERROR_LIMIT, "These are too many addresses.");
    *expanded = arena_str(req->arena, buf_view(&all));
    buf_free(&all);
    return is_good;
}
