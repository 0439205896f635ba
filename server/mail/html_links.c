#include "server/base/utf8.h"
#include "server/mail/html_private.h"
#include "server/mail/html_url.h"

enum {
    TEXT_BYTES_MAX = 512, /* of a link's text looked at */
    SEEN_BYTES_MAX = 4096,
    NODES_MAX = 256,
    LINK_DEPTH_MAX = 32,
};

/* The text of a link, as far as the caps go. */
struct link_text {
    struct buf text;
    unsigned nodes;    /* elements, looked at */
    size_t seen_bytes; /* of text, also of what is not visible */
    bool leaves_out_styled;
    bool has_styled; /* there are pieces that may be hidden */
};

/* As the reader sees it: full-width letters and dots are letters and dots (browsers read them so in
 * a host, too), and what has no width is not there. 0 for that. */
static uint32_t as_seen(uint32_t c)
{
    if (c >= 0xff01 && c <= 0xff5e)
        return c - 0xff01 + '!';
    if (c == 0x3002 || c == 0xff61) /* full stops of Chinese and Japanese */
        return '.';
    bool has_no_width = c == 0xad || c == 0x34f || (c >= 0x200b && c <= 0x200f) ||
                        (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
                        (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
    return has_no_width ? 0 : c;
}

static void collect(struct link_text *link, struct str text)
{
    while (text.length && !link->text.is_full && ++link->seen_bytes <= SEEN_BYTES_MAX) {
        uint32_t c = utf8_next(&text);
        if (c < 0x80 && ascii_is_space((char)c))
            c = ' ';
        if (c >= ' ' && c != 0x7f && (c = as_seen(c)))
            utf8_write(&link->text, c);
    }
}

/* What hides some of the text, maybe: then what is seen is something else. */
static bool may_hide(const struct html_node *node)
{
    return html_node_attribute(node, "style") || html_node_attribute(node, "class") ||
           html_node_attribute(node, "size") || html_node_attribute(node, "color");
}

/* The text of a picture stands in its place until remote pictures are let in; a name of a company
 * that looks like a domain ("Shop.com") is no claim there, an address is. */
static void collect_picture(struct link_text *link, const struct html_node *picture)
{
    const struct str *alt = html_node_attribute(picture, "alt");
    if (!alt)
        return;
    collect(link, STR(" ( "));
    collect(link, *alt);
    collect(link, STR(" ) "));
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
        link->has_styled = link->has_styled || may_hide(child);
        if (treatment == HTML_DROP || treatment == HTML_STYLE ||
            (link->leaves_out_styled && may_hide(child)))
            continue;
        if (html_is_block(child->tag))
            buf_char(&link->text, ' ');
        if (child->tag == GUMBO_TAG_IMG)
            collect_picture(link, child);
        else if (depth < LINK_DEPTH_MAX)
            collect_below(link, child, depth + 1);
    }
}

/* Does the text, with or without what may be hidden, name another host? */
static bool claims_other(const struct html_node *node, struct str host, bool leaves_out_styled,
                         bool *has_styled)
{
    struct link_text link = {.text = BUF_INIT(TEXT_BYTES_MAX),
                             .leaves_out_styled = leaves_out_styled};
    collect_below(&link, node, 0);
    struct str claimed = html_url_claimed_host(buf_view(&link.text));
    bool is_other = claimed.length && !html_url_same_site(claimed, host);
    buf_free(&link.text);
    *has_styled = link.has_styled;
    return is_other;
}

bool html_is_deceptive(const struct html_node *node, struct str clean)
{
    struct str host = html_url_host(clean);
    bool has_styled;
    return host.length && (claims_other(node, host, false, &has_styled) ||
                           (has_styled && claims_other(node, host, true, &has_styled)));
}
