#include "server/mail/html_private.h"
#include "server/mail/html_url.h"

enum {
    TEXT_BYTES_MAX = 512, /* of a link's text looked at */
    SEEN_BYTES_MAX = 4096,
    NODES_MAX = 256,
    LINK_DEPTH_MAX = 32,
};

/* The visible text of a link, as far as the caps go. */
struct link_text {
    struct buf text;
    unsigned nodes;    /* elements, looked at */
    size_t seen_bytes; /* of text, also of what is not visible */
};

static void collect(struct link_text *link, struct str text)
{
    for (size_t i = 0; i < text.length && !link->text.is_full; i++) {
        char c = text.at[i];
        if (++link->seen_bytes > SEEN_BYTES_MAX)
            return;
        if ((unsigned char)c >= ' ' && c != 0x7f)
            buf_char(&link->text, c);
        else if (ascii_is_space(c))
            buf_char(&link->text, ' ');
    }
}

/* Breadth is capped by the counts, depth by the recursion's. */
static void collect_below(struct link_text *link, const struct html_node *node, unsigned depth)
{
    for (const struct html_node *child = node->first; child; child = child->next) {
        if (link->text.is_full || link->seen_bytes > SEEN_BYTES_MAX)
            return;
        if (html_node_is_text(child)) {
            collect(link, child->text);
            continue;
        }
        if (++link->nodes > NODES_MAX)
            return;
        enum html_treatment treatment = html_treatment_of(child->tag);
        if (treatment == HTML_DROP || treatment == HTML_STYLE)
            continue;
        if (html_is_block(child->tag))
            buf_char(&link->text, ' ');
        if (depth < LINK_DEPTH_MAX)
            collect_below(link, child, depth + 1);
    }
}

bool html_is_deceptive(const struct html_node *node, struct str clean)
{
    struct str host = html_url_host(clean);
    struct link_text link = {.text = BUF_INIT(TEXT_BYTES_MAX)};
    if (host.length)
        collect_below(&link, node, 0);
    struct str claimed = html_url_claimed_host(buf_view(&link.text));
    bool is_deceptive = claimed.length && host.length && !html_url_same_site(claimed, host);
    buf_free(&link.text);
    return is_deceptive;
}
