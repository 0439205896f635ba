#include "server/mail/html_private.h"
#include "server/mail/html_url.h"

enum {
    TEXT_BYTES_MAX = 512, /* of a link's text looked at */
    NODES_MAX = 256,
    LINK_DEPTH_MAX = 32,
};

/* The visible text of a link, as far as the caps go: breadth is in the node count, depth in the
 * recursion's. */
static void collect_text(const GumboNode *node, struct buf *text, unsigned *nodes, unsigned depth)
{
    if (++*nodes > NODES_MAX || text->is_full)
        return;
    if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE) {
        for (const char *at = node->v.text.text; *at && !text->is_full; at++)
            if ((unsigned char)*at >= ' ' && *at != 0x7f)
                buf_char(text, *at);
            else if (ascii_is_space(*at))
                buf_char(text, ' ');
        return;
    }
    if (node->type != GUMBO_NODE_ELEMENT || depth > LINK_DEPTH_MAX)
        return;
    enum html_treatment treatment = html_treatment_of(&node->v.element);
    if (treatment == HTML_DROP || treatment == HTML_STYLE)
        return;
    if (html_is_block(node->v.element.tag))
        buf_char(text, ' ');
    for (unsigned i = 0; i < node->v.element.children.length; i++)
        collect_text(node->v.element.children.data[i], text, nodes, depth + 1);
}

bool html_is_deceptive(const GumboNode *link, struct str clean)
{
    struct str host = html_url_host(clean);
    struct buf text = BUF_INIT(TEXT_BYTES_MAX);
    unsigned nodes = 0;
    collect_text(link, &text, &nodes, 0);
    struct str claimed = html_url_claimed_host(buf_view(&text));
    bool is_deceptive = claimed.length && host.length && !html_url_same_site(claimed, host);
    buf_free(&text);
    return is_deceptive;
}
