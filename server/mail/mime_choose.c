/* Which parts are the body and which are attachments: the algorithm of RFC 8621 section 4.1.4. */
#include <assert.h>

#include "server/mail/decode.h"
#include "server/mail/mime_private.h"

struct mime_part *mime_next(const struct mime_part *part)
{
    if (part->first_child)
        return part->first_child;
    while (part && !part->next)
        part = part->parent;
    return part ? part->next : NULL;
}

/* IMAP's numbers (RFC 3501 section 6.4.5): the children of a multipart count from 1; a message's
 * single part is ".1"; a multipart that is all of a message's body has no number of its own. A file
 * within plain text is ".u1", for no IMAP server knows of it. */
static void number_part(struct arena *arena, struct mime_part *part, size_t n)
{
    struct mime_part *parent = part->parent;
    bool is_body_of_message = !parent || !mime_is_multipart(parent);
    part->id = STR_EMPTY;
    if (is_body_of_message && mime_is_multipart(part))
        return;
    const char *mark = parent && mime_is_text(parent) ? "u" : "";
    /* A multipart without a number stands in a message that has one. */
    struct mime_part *prefix = parent;
    while (prefix && prefix->id.length == 0)
        prefix = prefix->parent;
    part->id = prefix ? arena_printf(arena, "%" STR_FMT ".%s%zu", STR_ARG(prefix->id), mark, n)
                      : arena_printf(arena, "%zu", n);
}

static void number_parts(struct arena *arena, struct mime_message *message)
{
    message->part_count = 1;
    number_part(arena, message->root, 1);
    for (struct mime_part *part = message->root; part; part = mime_next(part)) {
        size_t n = 0;
        for (struct mime_part *child = part->first_child; child; child = child->next)
            number_part(arena, child, ++n);
        message->part_count += n;
    }
}

/* --- the three lists -------------------------------------------------------------------------- */

struct choice {
    struct mime_list text, html, attachments;
    size_t capacity; /* of each */
};

static void push(struct choice *choice, struct mime_list *list, struct mime_part *part)
{
    if (list && list->count < choice->capacity)
        list->at[list->count++] = part;
}

static bool is_inline_media(const struct mime_part *part)
{
    return str_starts(part->type, STR("image/")) || str_starts(part->type, STR("audio/")) ||
           str_starts(part->type, STR("video/"));
}

/* A body part rather than an attachment. */
static bool is_body(const struct mime_part *part, struct str multipart_type)
{
    if (str_equal(part->disposition, STR("attachment")))
        return false;
    if (!mime_is_text(part) && !is_inline_media(part))
        return false;
    bool is_first = !part->parent || part->parent->first_child == part;
    return is_first || (!str_equal(multipart_type, STR("multipart/related")) &&
                        (is_inline_media(part) || part->name.length == 0));
}

static void copy_tail(struct choice *choice, struct mime_list *to, const struct mime_list *from,
                      size_t start)
{
    for (size_t i = start; i < from->count; i++)
        push(choice, to, from->at[i]);
}

/* `text` and `html` are NULL where an alternative decided against them. */
static void choose_from(struct choice *choice, struct mime_part *first, struct str multipart_type,
                        bool in_alternative, struct mime_list *text, struct mime_list *html)
{
    bool is_alternative = str_equal(multipart_type, STR("multipart/alternative"));
    size_t text_before = text ? text->count : 0, html_before = html ? html->count : 0;
    for (struct mime_part *part = first; part; part = part->next) {
        if (mime_is_multipart(part)) {
            choose_from(choice, part->first_child, part->type,
                        in_alternative || str_equal(part->type, STR("multipart/alternative")), text,
                        html);
        } else if (!is_body(part, multipart_type)) {
            push(choice, &choice->attachments, part);
        } else if (is_alternative) {
            bool is_text = str_equal(part->type, STR("text/plain"));
            push(choice,
                 is_text                                   ? text
                 : str_equal(part->type, STR("text/html")) ? html
                                                           : &choice->attachments,
                 part);
        } else {
            if (in_alternative && str_equal(part->type, STR("text/plain")))
                html = NULL;
            if (in_alternative && str_equal(part->type, STR("text/html")))
                text = NULL;
            push(choice, text, part);
            push(choice, html, part);
            if ((!text || !html) && is_inline_media(part))
                push(choice, &choice->attachments, part);
        }
        if (mime_is_text(part)) /* the uuencoded files in it */
            for (struct mime_part *file = part->first_child; file; file = file->next)
                push(choice, &choice->attachments, file);
    }
    if (is_alternative && text && html) {
        if (text->count == text_before && html->count != html_before)
            copy_tail(choice, text, html, html_before);
        else if (html->count == html_before && text->count != text_before)
            copy_tail(choice, html, text, text_before);
    }
}

/* Parts that a person would not call an attachment. */
static const char *const unseen_types[] = {
    "application/pgp-signature",     "application/pkcs7-signature",
    "application/x-pkcs7-signature", "application/pgp-encrypted",
    "message/delivery-status",       "message/disposition-notification",
    "message/feedback-report",       "message/global-delivery-status",
    "text/rfc822-headers",
};

static bool counts_as_attachment(const struct mime_part *part, bool has_html)
{
    for (size_t i = 0; i < sizeof unseen_types / sizeof *unseen_types; i++)
        if (str_equal(part->type, str_of(unseen_types[i])))
            return false;
    bool is_attached = str_equal(part->disposition, STR("attachment"));
    bool is_embedded = has_html && part->cid.length > 0 && is_inline_media(part);
    return is_attached ? !(is_embedded && str_equal(part->parent ? part->parent->type : STR_EMPTY,
                                                    STR("multipart/related")))
                       : !is_embedded;
}

static bool has_attachment(const struct mime_message *message)
{
    bool has_html = false;
    for (size_t i = 0; i < message->html_body.count; i++)
        has_html |= str_equal(message->html_body.at[i]->type, STR("text/html"));
    for (size_t i = 0; i < message->attachments.count; i++)
        if (counts_as_attachment(message->attachments.at[i], has_html))
            return true;
    /* Photographs sent inline are part of the body for RFC 8621; people call them attachments. */
    for (size_t i = 0; i < message->text_body.count; i++) {
        const struct mime_part *part = message->text_body.at[i];
        if (is_inline_media(part) && part->name.length && part->cid.length == 0)
            return true;
    }
    return false;
}

static void estimate_size(struct mime_part *part)
{
    if (part->size || mime_is_multipart(part))
        return;
    part->size = part->body_length;
    if (part->encoding == MIME_BASE64) { /* lines of 76 characters and CRLF */
        size_t line_ends = part->body_length / 78 * 2;
        part->size = (part->body_length - line_ends) / 4 * 3;
    }
}

void mime_choose(struct arena *arena, struct mime_message *message)
{
    assert(message->root);
    for (struct mime_part *part = message->root; part; part = mime_next(part))
        estimate_size(part);
    mime_choose_parsed(arena, message);
}

static void choose_lists(struct arena *arena, struct mime_message *message)
{
    struct choice choice = {.capacity = MIME_SHOWN_MAX};
    size_t room = message->part_count < MIME_SHOWN_MAX ? message->part_count : MIME_SHOWN_MAX;
    choice.capacity = room;
    choice.text.at = ARENA_ARRAY(arena, room, struct mime_part *);
    choice.html.at = ARENA_ARRAY(arena, room, struct mime_part *);
    choice.attachments.at = ARENA_ARRAY(arena, room, struct mime_part *);
    choose_from(&choice, message->root, STR("multipart/mixed"), false, &choice.text, &choice.html);
    message->text_body = choice.text;
    message->html_body = choice.html;
    message->attachments = choice.attachments;
    if (message->part_count > MIME_SHOWN_MAX) {
        message->is_cut = true;
        if (!message->cut_why)
            message->cut_why = "the message has more parts than are shown";
    }
    message->has_attachment = has_attachment(message);
}

void mime_choose_parsed(struct arena *arena, struct mime_message *message)
{
    number_parts(arena, message);
    choose_lists(arena, message);
}

static size_t count_below(const struct mime_part *part)
{
    size_t count = 0;
    unsigned depth = part->depth;
    for (part = part->first_child; part && part->depth > depth; part = mime_next(part))
        count++;
    return count;
}

struct mime_message *mime_inner(struct arena *arena, const struct mime_part *part)
{
    /* of one in base64 a server may have told the structure of its code */
    if (!part->first_child || !str_starts(part->type, STR("message/")) ||
        part->encoding != MIME_8BIT)
        return NULL;
    struct mime_message *message = ARENA_NEW(arena, struct mime_message);
    *message = (struct mime_message){.root = part->first_child, .part_count = count_below(part)};
    choose_lists(arena, message);
    return message;
}

struct mime_part *mime_find(const struct mime_message *message, struct str id)
{
    if (id.length == 0)
        return message->root;
    for (struct mime_part *part = message->root; part; part = mime_next(part))
        if (str_equal(part->id, id))
            return part;
    return NULL;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void write_text(struct json *json, const char *name, struct str value)
{
    json_write_name(json, name);
    if (value.length)
        json_write_str(json, value);
    else
        json_write_null(json);
}

static const char *const encoding_names[] = {
    [MIME_8BIT] = "8bit",
    [MIME_QUOTED_PRINTABLE] = "quoted-printable",
    [MIME_BASE64] = "base64",
    [MIME_UUENCODE] = "x-uuencode",
};

static void write_number(struct json *json, const char *name, size_t number)
{
    json_write_name(json, name);
    json_write_i64(json, (int64_t)number);
}

void mime_write_json(struct json *json, const struct mime_part *part)
{
    json_write_object(json);
    write_text(json, "partId", mime_is_multipart(part) ? STR_EMPTY : part->id);
    write_number(json, "size", part->size);
    write_text(json, "name", part->name);
    json_write_name(json, "type");
    json_write_str(json, part->type);
    write_text(json, "charset", part->charset);
    write_text(json, "disposition", part->disposition);
    write_text(json, "cid", part->cid);
    write_text(json, "language", part->language);
    write_text(json, "location", part->location);
    write_number(json, "headerOffset", part->header_offset);
    write_number(json, "offset", part->body_offset);
    write_number(json, "length", part->body_length);
    write_number(json, "lines", part->lines);
    json_write_name(json, "encoding");
    json_write_text(json, encoding_names[part->encoding]);
    if (part->is_flowed) {
        json_write_name(json, "flowed");
        json_write_bool(json, true);
        json_write_name(json, "delsp");
        json_write_bool(json, part->is_delsp);
    }
    if (part->first_child) {
        json_write_name(json, "subParts");
        json_write_array(json);
        for (const struct mime_part *child = part->first_child; child; child = child->next)
            mime_write_json(json, child);
        json_write_array_end(json);
    }
    json_write_object_end(json);
}
