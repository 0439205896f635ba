/* The oracle for the sanitiser's output, shared by unit tests and fuzzing: parsed again it holds
 * only what the allow-lists name, and sanitising it again changes no byte. Aborts when it is not
 * so. */
#ifndef RESTANTE_TESTS_HTML_CHECK_H
#define RESTANTE_TESTS_HTML_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "server/mail/css.h"
#include "server/mail/html_private.h"

#define HTML_CHECK(condition, ...)                  \
    do {                                            \
        if (!(condition)) {                         \
            fprintf(stderr, __VA_ARGS__);           \
            fprintf(stderr, " (%s)\n", #condition); \
            abort();                                \
        }                                           \
    } while (0)

static inline bool html_check_scheme(const char *url, bool allow_remote)
{
    if (!strncmp(url, "http://", 7) || !strncmp(url, "https://", 8))
        return allow_remote;
    return !strncmp(url, "/part/", 6); /* the tests' own */
}

static inline void html_check_attribute(const GumboNode *node, const GumboAttribute *attribute,
                                        bool allow_remote)
{
    const char *name = attribute->name, *value = attribute->value;
    if (!strcmp(name, "rel")) {
        HTML_CHECK(!strcmp(value, "noopener noreferrer"), "rel %s", value);
    } else if (!strcmp(name, "target")) {
        HTML_CHECK(!strcmp(value, "_blank"), "target %s", value);
    } else if (!strcmp(name, "href")) {
        HTML_CHECK(node->v.element.tag == GUMBO_TAG_A, "href");
        HTML_CHECK(html_check_scheme(value, true) || !strncmp(value, "mailto:", 7) ||
                       !strncmp(value, "tel:", 4),
                   "href %s", value);
        HTML_CHECK(gumbo_get_attribute(&node->v.element.attributes, "rel") != NULL, "no rel");
    } else if (!strcmp(name, "src") || !strcmp(name, "background")) {
        HTML_CHECK(html_check_scheme(value, allow_remote), "src %s", value);
    } else if (!strcmp(name, "style")) {
        HTML_CHECK(!strchr(value, '<') && !strchr(value, '\\') && !strchr(value, '@') &&
                       (allow_remote || !strstr(value, "url(") || strstr(value, "url(\"/part/")),
                   "style %s", value);
    } else {
        HTML_CHECK(html_attribute_find(str_of(name), node->v.element.tag) != NULL, "attribute %s",
                   name);
        HTML_CHECK(strncmp(name, "on", 2) != 0, "attribute %s", name);
    }
}

static inline void html_check_node(const GumboNode *node, bool allow_remote, unsigned depth)
{
    HTML_CHECK(depth <= HTML_DEPTH_MAX + 8, "depth");
    if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE)
        return;
    HTML_CHECK(node->type == GUMBO_NODE_ELEMENT, "node type %d", (int)node->type);
    GumboTag tag = node->v.element.tag;
    enum html_treatment treatment = html_treatment_of(tag);
    HTML_CHECK(node->v.element.tag_namespace == GUMBO_NAMESPACE_HTML, "foreign");
    bool is_frame = tag == GUMBO_TAG_HTML || tag == GUMBO_TAG_HEAD || tag == GUMBO_TAG_BODY;
    HTML_CHECK(is_frame || treatment == HTML_KEEP || treatment == HTML_VOID, "element %s",
               gumbo_normalized_tagname(tag));
    HTML_CHECK(!is_frame || !node->v.element.attributes.length, "frame attributes");
    for (unsigned i = 0; i < node->v.element.attributes.length; i++)
        html_check_attribute(node, node->v.element.attributes.data[i], allow_remote);
    for (unsigned i = 0; i < node->v.element.children.length; i++)
        html_check_node(node->v.element.children.data[i], allow_remote, depth + 1);
}

static inline void html_check(struct str body, struct str css, const struct html_options *options)
{
    struct html_fence fence;
    const GumboNode *document = html_parse(&fence, body, INT64_MAX);
    if (document)
        for (unsigned i = 0; i < document->v.document.children.length; i++)
            html_check_node(document->v.document.children.data[i], options->allow_remote, 0);
    html_fence_free(&fence);

    const struct html_options plain = {.allow_remote = options->allow_remote};
    struct html_safe again;
    if (!options->cid_url && html_sanitise(&again, body, &plain))
        HTML_CHECK(str_equal(body, buf_view(&again.body)), "not idempotent:\n%.*s\n%.*s\n",
                   STR_ARG(body), STR_ARG(buf_view(&again.body)));
    if (!options->cid_url)
        html_safe_free(&again);

    struct buf sheet = BUF_INIT(HTML_CSS_BYTES_MAX);
    css_clean_sheet(&sheet, css);
    HTML_CHECK(str_equal(css, buf_view(&sheet)), "css not idempotent:\n%.*s\n%.*s\n", STR_ARG(css),
               STR_ARG(buf_view(&sheet)));
    buf_free(&sheet);
    HTML_CHECK(str_find_char(css, '<') < 0 && str_find_char(css, '\\') < 0 &&
                   str_find_nocase(css, STR("url(")) < 0 &&
                   str_find_nocase(css, STR("@import")) < 0,
               "css %.*s", STR_ARG(css));
}

#endif
