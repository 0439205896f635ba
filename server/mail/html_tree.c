#include "server/mail/html_private.h"

struct html_node *html_node_append(struct arena *arena, struct html_node *parent, GumboTag tag)
{
    struct html_node *node = ARENA_NEW(arena, struct html_node);
    node->tag = tag;
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    return node;
}

const struct str *html_node_attribute(const struct html_node *node, const char *name)
{
    struct str wanted = str_of(name);
    for (unsigned i = 0; i < node->attribute_count; i++)
        if (str_equal(node->attributes[i].row->name, wanted))
            return &node->attributes[i].value;
    return NULL;
}

static void copy_attributes(struct arena *arena, struct html_node *node,
                            const GumboElement *element)
{
    struct html_attribute_value kept[HTML_ATTRIBUTES_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < element->attributes.length && count < HTML_ATTRIBUTES_MAX; i++) {
        const GumboAttribute *attribute = element->attributes.data[i];
        const struct html_attribute_row *row =
            html_attribute_find(str_of(attribute->name), element->tag);
        if (row && attribute->attr_namespace == GUMBO_ATTR_NAMESPACE_NONE)
            kept[count++] = (struct html_attribute_value){row, str_of(attribute->value)};
    }
    if (!count)
        return;
    struct html_attribute_value *copies = ARENA_ARRAY(arena, count, struct html_attribute_value);
    memcpy(copies, kept, count * sizeof kept[0]);
    node->attributes = copies;
    node->attribute_count = (uint16_t)count;
}

/* Copies a node; the element whose children come next, or NULL when it has none for us. */
static struct html_node *copy_node(struct arena *arena, struct html_node *parent,
                                   const GumboNode *node)
{
    if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE) {
        html_node_append(arena, parent, GUMBO_TAG_LAST)->text = str_of(node->v.text.text);
        return NULL;
    }
    if (node->type != GUMBO_NODE_ELEMENT)
        return NULL;
    const GumboElement *element = &node->v.element;
    bool is_known = element->tag_namespace == GUMBO_NAMESPACE_HTML && element->tag < GUMBO_TAG_LAST;
    if (!is_known || html_treatment_of(element->tag) == HTML_DROP) {
        html_node_append(arena, parent, GUMBO_TAG_SVG);
        return NULL;
    }
    struct html_node *copy = html_node_append(arena, parent, element->tag);
    copy_attributes(arena, copy, element);
    return element->children.length ? copy : NULL;
}

/* A step of the way down: gumbo's trees may be as deep as the mail is long. */
struct level {
    struct level *above;
    const GumboVector *children;
    unsigned next;
    struct html_node *copy;
};

struct html_node *html_tree_of(struct arena *arena, const GumboNode *document)
{
    struct html_node *root = ARENA_NEW(arena, struct html_node);
    root->tag = GUMBO_TAG_HTML;
    struct level *level = ARENA_NEW(arena, struct level);
    level->children = &document->v.document.children;
    level->copy = root;
    while (level) {
        if (level->next == level->children->length) {
            level = level->above;
            continue;
        }
        const GumboNode *node = level->children->data[level->next++];
        struct html_node *copy = copy_node(arena, level->copy, node);
        if (copy) {
            struct level *below = ARENA_NEW(arena, struct level);
            *below =
                (struct level){.above = level, .children = &node->v.element.children, .copy = copy};
            level = below;
        }
    }
    return root;
}
