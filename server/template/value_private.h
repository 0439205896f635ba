/* What a value is made of: for view.c, which builds it, and render.c, which reads it. */
#ifndef RESTANTE_TEMPLATE_VALUE_PRIVATE_H
#define RESTANTE_TEMPLATE_VALUE_PRIVATE_H

#include "server/template/view.h"

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_TEXT, /* escaped wherever it stands */
    VALUE_HTML, /* safe HTML: may stand in {{{ }}} */
    VALUE_URL,  /* checked by view.c: may begin a URL attribute */
    VALUE_OBJECT,
    VALUE_LIST,
};

/* A member of an object or, with an empty name, an item of a list. */
struct value_member {
    struct str name;
    const struct value *value;
};

struct value {
    enum value_kind kind;
    bool is_true;            /* of BOOL */
    int64_t number;          /* of NUMBER */
    struct str text;         /* of TEXT, HTML, URL */
    struct arena *arena;     /* of OBJECT and LIST: where members go */
    struct value_member *at; /* of OBJECT and LIST, in the order set */
    size_t count, capacity;
};

#endif
