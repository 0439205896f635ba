/* The child's answers for what is shown, and the table of all its answers. */
#include "server/base/utf8.h"
#include "server/mail/html.h"
#include "server/mail/html_text.h"
#include "server/mail/text.h"
#include "server/parser/answer_private.h"
#include "server/parser/child.h"

enum {
    PICTURES_MAX = MIME_PARTS_MAX,
    DECODE_SLACK_BYTES = 512 * 1024,    /* text is decoded in pieces; the last whole one must fit */
    SHOWN_BYTES_MAX = 16 * 1024 * 1024, /* of text as HTML */
};

bool answer_is_html(const struct mime_part *part)
{
    return str_equal(part->type, STR("text/html"));
}

struct picture {
    struct str cid, url;
};

struct pictures {
    struct picture *at;
    uint32_t count;
};

static bool find_picture(void *context, struct str cid, struct buf *url)
{
    const struct pictures *pictures = context;
    for (uint32_t i = 0; i < pictures->count; i++)
        if (str_equal(pictures->at[i].cid, cid))
            return buf_str(url, pictures->at[i].url);
    return false;
}

/* Text as HTML; when it does not fit, as much of its beginning as does. */
static bool write_text(struct buf *out, struct str text, struct text_options options)
{
    struct str shown = text;
    while (!text_to_html(out, shown, options)) {
        buf_reset(out);
        shown = utf8_prefix(shown, shown.length / 2);
    }
    return shown.length < text.length;
}

static void put_rendered(struct buf *reply, bool is_html, struct str body,
                         const struct html_safe *safe, bool is_cut)
{
    wire_put_u8(reply, is_html);
    wire_put_str(reply, body);
    wire_put_str(reply, buf_view(&safe->css));
    wire_put_u32(reply, (uint32_t)safe->remote_count);
    wire_put_str(reply, buf_view(&safe->remote_hosts));
    wire_put_u32(reply, (uint32_t)safe->deceptive_links);
    wire_put_u8(reply, safe->brings_own_colours);
    wire_put_u8(reply, safe->can_be_turned);
    wire_put_u8(reply, is_cut);
}

/* The visible text of HTML, as HTML again. */
static bool write_html_as_text(struct buf *out, struct str html)
{
    struct buf text = BUF_INIT(ANSWER_TEXT_BYTES_MAX + 1);
    html_to_text(&text, html, ANSWER_TEXT_BYTES_MAX);
    bool is_cut = write_text(out, buf_view(&text), (struct text_options){0});
    buf_free(&text);
    return is_cut;
}

static void render(struct buf *reply, const struct mime_part *part, struct str body,
                   const struct html_options *options, bool as_text)
{
    struct buf text = BUF_INIT(ANSWER_TEXT_BYTES_MAX), shown = BUF_INIT(SHOWN_BYTES_MAX);
    struct html_safe safe = {0};
    bool is_cut = !mime_decode_text(&text, body, part);
    bool is_html = answer_is_html(part) && !as_text;
    if (is_html && html_sanitise(&safe, buf_view(&text), options)) {
        is_cut = is_cut || safe.is_cut;
    } else if (answer_is_html(part)) {
        is_cut = write_html_as_text(&shown, buf_view(&text)) || is_cut || is_html;
        html_safe_free(&safe);
        safe = (struct html_safe){0};
        is_html = false;
    } else {
        const struct text_options flow = {.is_flowed = part->is_flowed, .is_delsp = part->is_delsp};
        is_cut = write_text(&shown, buf_view(&text), flow) || is_cut;
    }
    put_rendered(reply, is_html, is_html ? buf_view(&safe.body) : buf_view(&shown), &safe, is_cut);
    html_safe_free(&safe);
    buf_free(&text);
    buf_free(&shown);
}

bool answer_render(struct arena *arena, struct wire *in, struct buf *reply)
{
    struct mime_part part = {0};
    wire_part(in, &part);
    bool allow_remote = wire_u8(in), as_text = wire_u8(in);
    struct pictures pictures = {.count = wire_count(in, 16, PICTURES_MAX)};
    pictures.at = ARENA_ARRAY(arena, pictures.count, struct picture);
    for (uint32_t i = 0; i < pictures.count; i++) {
        pictures.at[i].cid = wire_str(in);
        pictures.at[i].url = wire_str(in);
    }
    if (in->is_bad)
        return false;
    const struct html_options options = {
        .allow_remote = allow_remote, .cid_url = find_picture, .context = &pictures};
    render(reply, &part, in->rest, &options, as_text);
    return true;
}

bool answer_decode_text(struct arena *arena, struct wire *in, struct buf *reply)
{
    (void)arena;
    struct mime_part part = {0};
    wire_part(in, &part);
    uint64_t bytes_max = wire_u64(in);
    bool is_as_seen = wire_u8(in) && answer_is_html(&part);
    if (in->is_bad || bytes_max > PROTOCOL_REPLY_BYTES_MAX / 4)
        return false;
    size_t source_max = is_as_seen ? ANSWER_TEXT_BYTES_MAX : (size_t)bytes_max + DECODE_SLACK_BYTES;
    struct buf text = BUF_INIT(source_max), visible = BUF_INIT((size_t)bytes_max + 1);
    bool is_cut = !mime_decode_text(&text, in->rest, &part);
    if (is_as_seen)
        html_to_text(&visible, buf_view(&text), (size_t)bytes_max);
    struct buf *answer = is_as_seen ? &visible : &text;
    struct str shown = utf8_prefix(buf_view(answer), (size_t)bytes_max);
    wire_put_u8(reply, is_cut || shown.length < answer->length);
    wire_put_str(reply, shown);
    buf_free(&text);
    buf_free(&visible);
    return true;
}

bool parser_answer(struct arena *arena, const struct parser_request *request, struct buf *reply)
{
    struct wire in = {.rest = request->payload};
    switch (request->kind) {
    case PROTOCOL_HEADERS:
        return answer_headers(arena, &in, reply);
    case PROTOCOL_MESSAGE:
        return answer_message(arena, &in, request->fd, reply);
    case PROTOCOL_MESSAGES:
        return answer_messages(arena, &in, request->fd, reply);
    case PROTOCOL_TEXTS:
        return answer_texts(arena, &in, reply);
    case PROTOCOL_RENDER:
        return answer_render(arena, &in, reply);
    case PROTOCOL_DECODE_TEXT:
        return answer_decode_text(arena, &in, reply);
    case PROTOCOL_HEADER_FIELDS:
        return answer_header_fields(arena, &in, reply);
    case PROTOCOL_ARCHIVE:
        return answer_archive(&in, request->fd, reply);
    case PROTOCOL_CARD:
        return answer_card(arena, &in, reply);
    case PROTOCOL_WINMAIL:
        return answer_winmail(arena, &in, reply);
    case PROTOCOL_CALENDAR_REPLY:
        return answer_calendar_reply(arena, &in, reply);
    case PROTOCOL_START:
    case PROTOCOL_KINDS:
        break;
    }
    return false;
}
