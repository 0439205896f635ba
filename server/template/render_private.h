/* Rendering of one linked tree, for template.c. */
#ifndef RESTANTE_TEMPLATE_RENDER_PRIVATE_H
#define RESTANTE_TEMPLATE_RENDER_PRIVATE_H

#include "server/template/tree_private.h"

bool render_tree(const struct template *template, const struct value *page, struct arena *arena,
                 struct buf *out, struct error *err);

#endif
