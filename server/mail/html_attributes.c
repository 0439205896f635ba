#include "server/base/utf8.h"
#include "server/mail/css.h"
#include "server/mail/html_private.h"
#include "server/mail/html_url.h"

enum {
    WORD_BYTES_MAX = 32,
    CLASSES_MAX = 32,
};

static void count_remote(struct html_walk *walk, struct str host)
{
    if (!walk->is_first_round)
        return;
    struct html_safe *safe = walk->safe;
    safe->remote_count++;
    unsigned count = 0;
    struct str hosts = buf_view(&safe->remote_hosts);
    while (hosts.at && hosts.length) {
        if (str_equal_nocase(str_cut(&hosts, ' '), host))
            return;
        count++;
    }
    if (!host.length || count >= HTML_REMOTE_HOSTS_MAX || !utf8_is_valid(host))
        return;
    if (safe->remote_hosts.length)
        buf_char(&safe->remote_hosts, ' ');
    for (size_t i = 0; i < host.length; i++)
        buf_char(&safe->remote_hosts, ascii_lower(host.at[i]));
}

/* Was it put in by an earlier round of this very call? */
static bool is_own_url(const struct html_walk *walk, struct str url)
{
    struct buf key = BUF_INIT(HTML_URL_BYTES_MAX);
    buf_char(&key, '\0');
    buf_str(&key, url);
    buf_char(&key, '\0');
    bool is_own = url.length && !memchr(url.at, 0, url.length) && !key.is_full &&
                  str_find(buf_view(walk->own_urls), buf_view(&key)) >= 0;
    buf_free(&key);
    return is_own;
}

static bool write_cid_url(struct html_walk *walk, struct str cid, struct buf *out)
{
    const struct html_options *options = walk->options;
    if (!options->cid_url)
        return false;
    struct buf url = BUF_INIT(HTML_URL_BYTES_MAX);
    bool is_good = options->cid_url(options->context, cid, &url) && url.length;
    for (size_t i = 0; is_good && i < url.length; i++)
        is_good = url.at[i] > ' ' && url.at[i] < 0x7f && !strchr("\"'<>\\()&", url.at[i]);
    if (is_good) {
        buf_char(walk->own_urls, '\0');
        buf_str(walk->own_urls, buf_view(&url));
        is_good = buf_char(walk->own_urls, '\0') && buf_str(out, buf_view(&url));
    }
    buf_free(&url);
    return is_good;
}

bool html_write_picture_url(struct html_walk *walk, struct str raw, struct buf *out)
{
    if (!walk->is_first_round && is_own_url(walk, raw))
        return buf_str(out, raw);
    struct buf clean = BUF_INIT(4 * HTML_URL_BYTES_MAX);
    enum html_url kind = html_url_clean(&clean, raw);
    bool is_shown = false;
    if (kind == HTML_URL_HTTP) {
        count_remote(walk, html_url_host(buf_view(&clean)));
        is_shown = walk->options->allow_remote && buf_str(out, buf_view(&clean));
    } else if (kind == HTML_URL_CID) {
        is_shown = write_cid_url(walk, buf_view(&clean), out);
    }
    buf_free(&clean);
    return is_shown;
}

static bool css_picture_url(void *context, struct str url, struct buf *out)
{
    return html_write_picture_url(context, url, out);
}

static void write_attribute(struct html_walk *walk, struct str name, struct str value)
{
    buf_char(walk->body, ' ');
    buf_str(walk->body, name);
    buf_text(walk->body, "=\"");
    html_write_text(walk, value);
    buf_char(walk->body, '"');
}

static bool is_word(struct str value)
{
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_alpha(value.at[i]) && !ascii_is_digit(value.at[i]) && value.at[i] != '-')
            return false;
    return value.length && value.length <= WORD_BYTES_MAX;
}

static bool is_made_of(struct str value, const char *also, bool letters)
{
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_digit(value.at[i]) && !(letters && ascii_is_alpha(value.at[i])) &&
            (!value.at[i] || !strchr(also, value.at[i])))
            return false;
    return value.length && value.length <= WORD_BYTES_MAX;
}

static bool is_length(struct str value)
{
    if (str_ends_nocase(value, STR("px")))
        value.length -= 2;
    return is_made_of(value, "+-.%*", false);
}

static void note_colour(struct html_walk *walk)
{
    if (walk->is_first_round)
        walk->safe->brings_own_colours = true;
}

/* The mail's ground is the first one that is set: the outermost. */
static void note_ground(struct html_walk *walk, struct str declarations)
{
    if (walk->is_first_round && walk->ground == CSS_GROUND_NONE)
        walk->ground = css_ground(declarations);
}

/* The names in `value` that may stay, and ours for a deceptive link. */
static void write_class(struct html_walk *walk, struct str value, bool is_deceptive)
{
    buf_reset(&walk->scratch);
    unsigned count = 0;
    while (value.length && count < CLASSES_MAX) {
        while (value.length && ascii_is_space(value.at[0]))
            value = str_skip(value, 1);
        struct str name = value;
        while (value.length && !ascii_is_space(value.at[0]))
            value = str_skip(value, 1);
        name.length -= value.length;
        if (!css_is_class_name(name))
            continue;
        if (count++)
            buf_char(&walk->scratch, ' ');
        buf_str(&walk->scratch, name);
    }
    if (is_deceptive) {
        if (count)
            buf_char(&walk->scratch, ' ');
        buf_text(&walk->scratch, "restante-deceptive");
    }
    if (walk->scratch.length)
        write_attribute(walk, STR("class"), buf_view(&walk->scratch));
}

static void write_style(struct html_walk *walk, struct str css)
{
    const struct css_options options = {.picture = css_picture_url, .context = walk};
    buf_reset(&walk->scratch);
    if (css_clean_declarations(&walk->scratch, css, &options))
        note_colour(walk);
    note_ground(walk, buf_view(&walk->scratch));
    if (walk->scratch.length)
        write_attribute(walk, STR("style"), buf_view(&walk->scratch));
}

static void write_picture(struct html_walk *walk, struct str name, struct str value)
{
    buf_reset(&walk->scratch);
    if (html_write_picture_url(walk, value, &walk->scratch))
        write_attribute(walk, name, buf_view(&walk->scratch));
}

/* Of the link: href with what must go with it, and the warning when its text lies. */
static void write_link(struct html_walk *walk, const struct html_node *node, struct str href)
{
    struct buf clean = BUF_INIT(4 * HTML_URL_BYTES_MAX);
    enum html_url kind = html_url_clean(&clean, href);
    bool is_link = kind == HTML_URL_HTTP || kind == HTML_URL_MAILTO || kind == HTML_URL_TEL;
    bool is_deceptive =
        is_link && kind != HTML_URL_TEL && html_is_deceptive(node, buf_view(&clean));
    if (is_link) {
        write_attribute(walk, STR("href"), buf_view(&clean));
        buf_text(walk->body, " rel=\"noopener noreferrer\" target=\"_blank\"");
    }
    const struct str *class = html_node_attribute(node, "class");
    const struct str *title = html_node_attribute(node, "title");
    write_class(walk, class ? *class : STR_EMPTY, is_deceptive);
    if (is_deceptive) {
        write_attribute(walk, STR("title"), html_url_host(buf_view(&clean)));
        walk->safe->deceptive_links += walk->is_first_round;
    } else if (title) {
        write_attribute(walk, STR("title"), *title);
    }
    buf_free(&clean);
}

/* The body's own colours, as declarations of the <div> that stands for it, before its style. */
static void write_body_style(struct html_walk *walk, const struct html_node *node)
{
    static const struct {
        const char *attribute, *property;
    } colours[] = {{"bgcolor", "background-color:"}, {"text", "color:"}};
    struct buf css = BUF_INIT(HTML_INPUT_BYTES_MAX);
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
        const struct str *found = html_node_attribute(node, colours[i].attribute);
        if (!found || !is_made_of(*found, "#(),. %", true))
            continue;
        buf_text(&css, colours[i].property);
        buf_str(&css, *found);
        buf_char(&css, ';');
    }
    const struct str *style = html_node_attribute(node, "style");
    if (style)
        buf_str(&css, *style);
    if (css.length)
        write_style(walk, buf_view(&css));
    buf_free(&css);
}

static void note_bgcolor(struct html_walk *walk, struct str name, struct str value)
{
    if (!walk->is_first_round || walk->ground != CSS_GROUND_NONE ||
        !str_equal(name, STR("bgcolor")))
        return;
    struct buf css = BUF_INIT(WORD_BYTES_MAX + 32);
    buf_text(&css, "background-color:");
    buf_str(&css, value);
    note_ground(walk, buf_view(&css));
    buf_free(&css);
}

static void write_one(struct html_walk *walk, const struct html_attribute_value *attribute)
{
    struct str name = attribute->row->name, value = attribute->value;
    switch (attribute->row->kind) {
    case HTML_ATTRIBUTE_NONE:
    case HTML_ATTRIBUTE_LINK:
    case HTML_ATTRIBUTE_MEDIA:
        break;
    case HTML_ATTRIBUTE_TEXT:
        write_attribute(walk, name, value);
        break;
    case HTML_ATTRIBUTE_WORD:
        if (is_word(value))
            write_attribute(walk, name, value);
        break;
    case HTML_ATTRIBUTE_LENGTH:
        if (is_length(value))
            write_attribute(walk, name, value);
        break;
    case HTML_ATTRIBUTE_COLOUR:
        if (is_made_of(value, "#(),. %", true)) {
            write_attribute(walk, name, value);
            note_colour(walk);
            note_bgcolor(walk, name, value);
        }
        break;
    case HTML_ATTRIBUTE_FLAG:
        write_attribute(walk, name, STR_EMPTY);
        break;
    case HTML_ATTRIBUTE_CLASS:
        write_class(walk, value, false);
        break;
    case HTML_ATTRIBUTE_STYLE:
        write_style(walk, value);
        break;
    case HTML_ATTRIBUTE_PICTURE:
        write_picture(walk, name, value);
        break;
    }
}

/* What write_link() and write_body_style() write, not write_one(). */
static bool is_written_later(GumboTag tag, struct str name)
{
    if (tag == GUMBO_TAG_A)
        return str_equal(name, STR("class")) || str_equal(name, STR("title"));
    return tag == GUMBO_TAG_BODY &&
           (str_equal(name, STR("style")) || str_equal(name, STR("text")) ||
            str_equal(name, STR("bgcolor")));
}

void html_write_attributes(struct html_walk *walk, const struct html_node *node)
{
    for (unsigned i = 0; i < node->attribute_count; i++)
        if (!is_written_later(node->tag, node->attributes[i].row->name))
            write_one(walk, &node->attributes[i]);
    if (node->tag == GUMBO_TAG_BODY)
        write_body_style(walk, node);
    if (node->tag == GUMBO_TAG_A) {
        const struct str *href = html_node_attribute(node, "href");
        write_link(walk, node, href ? *href : STR_EMPTY);
    }
}
