/* A compiled template: a tree of nodes that compile.c makes and render.c walks. */
#ifndef RESTANTE_TEMPLATE_TREE_PRIVATE_H
#define RESTANTE_TEMPLATE_TREE_PRIVATE_H

#include "server/template/place_private.h"
#include "server/template/template.h"

enum node_kind {
    NODE_TEXT,
    NODE_VARIABLE, /* {{x}}, {{{x}}}, {{&x}} */
    NODE_CALL,     /* a section that is a template_function */
    NODE_SECTION,  /* {{#x}} */
    NODE_INVERTED, /* {{^x}} */
    NODE_PARTIAL,  /* {{>x}} */
    NODE_PARENT,   /* {{<x}}: its children are blocks */
    NODE_BLOCK,    /* {{$x}} */
};

struct node {
    enum node_kind kind;
    enum place_escape escape; /* of VARIABLE and CALL */
    bool starts_line;         /* an indented partial's indentation is written before it */
    bool has_markup;          /* of BLOCK: tags or safe HTML inside */
    bool is_plain;            /* of BLOCK: stands in <title> or <textarea> */
    struct str text;          /* of TEXT and CALL: literal; of the others: the name */
    struct str *path;         /* of VARIABLE and sections: the name at its dots; none for "." */
    size_t path_count;
    struct str indent; /* of PARTIAL and PARENT standing alone on a line */
    int line;          /* in the template, for messages */
    const struct template_function *function;
    const struct template *target; /* of PARTIAL and PARENT, once linked */
    struct node *first, *next;
};

struct template
{
    struct str name;
    struct node *first;
};

struct compiler {
    struct arena *arena; /* nodes live here */
    const struct template_function *functions;
    size_t function_count;
    struct error *err;
};

/* Parses one source into `template`; partials and parents are not linked yet. */
bool compile_template(const struct compiler *compiler, const struct template_source *source,
                      struct template *template);

#endif
