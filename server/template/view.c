#include "server/template/view.h"

#include <assert.h>
#include <stdarg.h>

#include "server/base/buf.h"
#include "server/template/value_private.h"

static const struct value value_null = {.kind = VALUE_NULL};
static const struct value value_true = {.kind = VALUE_BOOL, .is_true = true};
static const struct value value_false = {.kind = VALUE_BOOL};

static struct value *container(struct arena *arena, enum value_kind kind)
{
    struct value *value = ARENA_NEW(arena, struct value);
    value->kind = kind;
    value->arena = arena;
    return value;
}

static struct value *textual(struct arena *arena, enum value_kind kind, struct str text)
{
    struct value *value = ARENA_NEW(arena, struct value);
    value->kind = kind;
    value->text = text;
    return value;
}

static void append(struct value *holder, struct str name, const struct value *value)
{
    if (holder->count == holder->capacity) {
        size_t capacity = holder->capacity ? 2 * holder->capacity : 16;
        struct value_member *grown = ARENA_ARRAY(holder->arena, capacity, struct value_member);
        if (holder->count)
            memcpy(grown, holder->at, holder->count * sizeof(*grown));
        holder->at = grown;
        holder->capacity = capacity;
    }
    holder->at[holder->count++] = (struct value_member){name, value};
}

static void set(struct value *object, const char *name, const struct value *value)
{
    assert(object->kind == VALUE_OBJECT);
    append(object, str_of(name), value);
}

static void add(struct value *list, const struct value *value)
{
    assert(list->kind == VALUE_LIST);
    append(list, STR_EMPTY, value);
}

struct value *view_object(struct arena *arena)
{
    return container(arena, VALUE_OBJECT);
}

void view_set_str(struct value *object, const char *name, struct str text)
{
    set(object, name, textual(object->arena, VALUE_TEXT, text));
}

void view_set_text(struct value *object, const char *name, const char *text)
{
    if (text)
        view_set_str(object, name, str_of(text));
    else
        set(object, name, &value_null);
}

void view_set_i64(struct value *object, const char *name, int64_t number)
{
    struct value *value = ARENA_NEW(object->arena, struct value);
    value->kind = VALUE_NUMBER;
    value->number = number;
    set(object, name, value);
}

void view_set_bool(struct value *object, const char *name, bool is_true)
{
    set(object, name, is_true ? &value_true : &value_false);
}

void view_set_html(struct value *object, const char *name, struct str safe_html)
{
    set(object, name, value_html(object->arena, safe_html));
}

void view_set_url(struct value *object, const char *name, struct str url)
{
    set(object, name, value_url(object->arena, url));
}

void view_set_path(struct value *object, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct buf path = BUF_INIT(64 * 1024);
    buf_vprintf(&path, format, args);
    va_end(args);
    view_set_url(object, name, arena_str(object->arena, buf_view(&path)));
    buf_free(&path);
}

struct value *view_set_object(struct value *object, const char *name)
{
    struct value *member = container(object->arena, VALUE_OBJECT);
    set(object, name, member);
    return member;
}

struct value *view_set_list(struct value *object, const char *name)
{
    struct value *member = container(object->arena, VALUE_LIST);
    set(object, name, member);
    return member;
}

void view_set_value(struct value *object, const char *name, const struct value *value)
{
    set(object, name, value ? value : &value_null);
}

struct value *view_add_object(struct value *list)
{
    struct value *item = container(list->arena, VALUE_OBJECT);
    add(list, item);
    return item;
}

void view_add_str(struct value *list, struct str text)
{
    add(list, textual(list->arena, VALUE_TEXT, text));
}

void view_add_value(struct value *list, const struct value *value)
{
    add(list, value ? value : &value_null);
}

struct value *value_str(struct arena *arena, struct str text)
{
    return textual(arena, VALUE_TEXT, text);
}

struct value *value_html(struct arena *arena, struct str safe_html)
{
    return textual(arena, VALUE_HTML, safe_html);
}

/* Browsers skip white space and control characters in front of and inside a URL's scheme, and take
 * a backslash for a slash: a URL with any of them is none of ours. */
static bool url_is_allowed(struct str url)
{
    for (size_t i = 0; i < url.length; i++) {
        unsigned char c = (unsigned char)url.at[i];
        if (c <= ' ' || c == 0x7f || c == '\\')
            return false;
    }
    if (str_is_empty(url) || url.at[0] == '?' || url.at[0] == '#')
        return true;
    if (url.at[0] == '/')
        return url.length == 1 || url.at[1] != '/';
    return str_starts_nocase(url, STR("https://")) || str_starts_nocase(url, STR("http://")) ||
           str_starts_nocase(url, STR("mailto:")) || str_starts_nocase(url, STR("tel:"));
}

struct value *value_url(struct arena *arena, struct str url)
{
    return textual(arena, VALUE_URL, url_is_allowed(url) ? url : STR("about:blank#refused"));
}

const struct value *view_get(const struct value *object, struct str name)
{
    if (!object || object->kind != VALUE_OBJECT)
        return NULL;
    for (size_t i = object->count; i-- > 0;)
        if (str_equal(object->at[i].name, name))
            return object->at[i].value;
    return NULL;
}
