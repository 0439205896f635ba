/* What a template shows: a tree of typed values, built in an arena for one rendering.
 *
 *     struct value *page = view_object(arena);
 *     view_set_str(page, "subject", email->subject);
 *     struct value *rows = view_set_list(page, "emails");
 *     for (size_t i = 0; i < count; i++) {
 *         struct value *row = view_add_object(rows);
 *         view_set_i64(row, "id", emails[i].id);
 *         view_set_bool(row, "isUnread", emails[i].is_unread);
 *     }
 *
 * Names and texts are borrowed: they must live until the rendering is done. The type of a value
 * decides where a template may put it: text is escaped wherever it stands; only safe HTML goes into
 * {{{ }}}; only a URL value may begin a URL attribute. A member set twice holds the last value. */
#ifndef RESTANTE_TEMPLATE_VIEW_H
#define RESTANTE_TEMPLATE_VIEW_H

#include "server/base/arena.h"
#include "server/base/str.h"

struct value;

/* An empty object. */
struct value *view_object(struct arena *arena);

/* Members of an object. A text may hold any bytes: it is escaped, not repaired. An empty text, a
 * false, a null and an empty list do not show their section. */
void view_set_str(struct value *object, const char *name, struct str text);
void view_set_text(struct value *object, const char *name, const char *text); /* NULL: null */
void view_set_i64(struct value *object, const char *name, int64_t number);    /* 0 does show */
void view_set_bool(struct value *object, const char *name, bool is_true);
/* The sanitiser's output or another template's: nothing else may come here. */
void view_set_html(struct value *object, const char *name, struct str safe_html);
/* A link: a path of ours ("/x", "?q", "#f", never "//x") or http, https, mailto, tel. Anything else
 * (javascript:, data:, ...) becomes "about:blank#refused". */
void view_set_url(struct value *object, const char *name, struct str url);
/* A path of ours made from a format; foreign texts in it are to be percent-encoded by the caller
 * (or better by the template: href="/mail/{{name}}" encodes what follows a literal beginning). */
void view_set_path(struct value *object, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A new empty object or list as a member; returned to be filled. */
struct value *view_set_object(struct value *object, const char *name);
struct value *view_set_list(struct value *object, const char *name);
/* A value made elsewhere, shared: it must live as long, and is not copied. */
void view_set_value(struct value *object, const char *name, const struct value *value);

/* Items of a list. */
struct value *view_add_object(struct value *list);
void view_add_str(struct value *list, struct str text);
void view_add_value(struct value *list, const struct value *value);

/* Single values, for template functions and shared members. */
struct value *value_str(struct arena *arena, struct str text);
struct value *value_html(struct arena *arena, struct str safe_html);
struct value *value_url(struct arena *arena, struct str url);

/* The member of that name, or NULL. */
const struct value *view_get(const struct value *object, struct str name);

#endif
