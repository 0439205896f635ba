#include "server/mail/tnef.h"

#include <stdio.h>

#include "server/base/utf8.h"
#include "server/mail/charset.h"
#include "server/mail/filename.h"
#include "server/mail/header.h"
#include "server/mail/rtf.h"

/* Section numbers are those of MS-OXTNEF. */
enum {
    SIGNATURE = 0x223e9f78, /* 2.1.3.1 */
    LEVEL_MESSAGE = 1,
    LEVEL_ATTACHMENT = 2,
    ATTRIBUTE_BODY = 0x800c, /* 2.1.3.3; the lower half of the id is enough */
    ATTRIBUTE_ATTACH_DATA = 0x800f,
    ATTRIBUTE_ATTACH_TITLE = 0x8010,
    ATTRIBUTE_ATTACH_RENDERING = 0x9002, /* begins an attachment */
    ATTRIBUTE_MESSAGE_PROPERTIES = 0x9003,
    ATTRIBUTE_ATTACH_PROPERTIES = 0x9005,
    ATTRIBUTE_CODEPAGE = 0x9007,
    PROPERTY_BODY = 0x1000, /* MS-OXPROPS */
    PROPERTY_RTF = 0x1009,  /* packed */
    PROPERTY_HTML = 0x1013,
    PROPERTY_DISPLAY_NAME = 0x3001,
    PROPERTY_ATTACH_DATA = 0x3701,
    PROPERTY_LONG_NAME = 0x3707,
    PROPERTY_MIME_TYPE = 0x370e,
    PROPERTY_CONTENT_ID = 0x3712,
    TYPE_STRING8 = 0x1e,
    TYPE_UNICODE = 0x1f,
    TYPE_OBJECT = 0x0d,
    TYPE_BINARY = 0x102,
    MULTIPLE = 0x1000,
    GUID_BYTES = 16,
    TEXT_BYTES_MAX = 1024 * 1024,
    RTF_BYTES_MAX = 8 * 1024 * 1024, /* unpacked */
};

/* What is left to be read; once something is missing all reads give nothing. */
struct reader {
    struct str rest;
    bool is_short;
};

struct parse {
    struct arena *arena;
    struct tnef *tnef;
    size_t properties;
    struct str rtf; /* packed; empty: none */
};

static struct str take(struct reader *r, size_t length)
{
    if (length > r->rest.length) {
        r->is_short = true;
        r->rest = STR_EMPTY;
        return STR_EMPTY;
    }
    struct str taken = str_sub(r->rest, 0, length);
    r->rest = str_skip(r->rest, length);
    return taken;
}

static uint32_t take_number(struct reader *r, size_t bytes)
{
    struct str taken = take(r, bytes);
    uint32_t number = 0;
    for (size_t i = taken.length; i > 0; i--)
        number = number << 8 | (unsigned char)taken.at[i - 1];
    return number;
}

static struct str take_padded(struct reader *r, size_t length)
{
    struct str taken = take(r, length);
    size_t padding = (4 - length % 4) % 4;
    take(r, padding < r->rest.length ? padding : r->rest.length);
    return taken;
}

/* --- values ----------------------------------------------------------------------------------- */

/* Text of a property as clean UTF-8, without the NUL at its end. */
static struct str text_of(struct parse *p, struct str bytes, uint32_t type, size_t bytes_max)
{
    char label[24] = "utf-16le";
    size_t unit = type == TYPE_UNICODE ? 2 : 1;
    if (type != TYPE_UNICODE)
        snprintf(label, sizeof label, "cp%u", p->tnef->codepage ? p->tnef->codepage : 1252);
    while (bytes.length >= unit && bytes.at[bytes.length - 1] == '\0' &&
           bytes.at[bytes.length - unit] == '\0')
        bytes.length -= unit;
    bytes = str_sub(bytes, 0, bytes_max);
    struct buf text = BUF_INIT(4 * bytes_max + 64);
    charset_decode(&text, bytes, str_of(label));
    struct str copy = arena_str(p->arena, utf8_prefix(buf_view(&text), bytes_max));
    buf_free(&text);
    return copy;
}

/* The text of a body that is there as rich text only. */
static void take_rtf(struct parse *p, struct str packed)
{
    struct buf rtf = BUF_INIT(RTF_BYTES_MAX), text = BUF_INIT(TEXT_BYTES_MAX);
    struct buf clean = BUF_INIT(3 * TEXT_BYTES_MAX + 16);
    bool is_cut = false;
    if (rtf_unpack(&rtf, packed, &is_cut) &&
        rtf_to_text(&text, buf_view(&rtf), p->tnef->codepage)) {
        utf8_repair(&clean, str_trim(buf_view(&text)));
        p->tnef->text = arena_str(p->arena, utf8_prefix(buf_view(&clean), TEXT_BYTES_MAX));
        p->tnef->is_cut |= is_cut || text.is_full;
    }
    buf_free(&rtf);
    buf_free(&text);
    buf_free(&clean);
}

static void take_property(struct parse *p, struct tnef_attachment *attachment, uint32_t type,
                          uint32_t id, struct str value)
{
    enum { SHORT_TEXT = 4096 };
    bool is_text = type == TYPE_STRING8 || type == TYPE_UNICODE;
    if (!attachment) {
        if (id == PROPERTY_HTML)
            p->tnef->html = value;
        else if (id == PROPERTY_RTF)
            p->rtf = value; /* read when all is known: the codepage, and whether there is a text */
        else if (id == PROPERTY_BODY && is_text)
            p->tnef->text = text_of(p, value, type, TEXT_BYTES_MAX);
    } else if (id == PROPERTY_LONG_NAME && is_text) {
        attachment->name = filename_clean(p->arena, text_of(p, value, type, SHORT_TEXT));
    } else if (id == PROPERTY_DISPLAY_NAME && is_text && attachment->name.length == 0) {
        attachment->name = filename_clean(p->arena, text_of(p, value, type, SHORT_TEXT));
    } else if (id == PROPERTY_MIME_TYPE && is_text) {
        struct header_value parsed;
        header_parse_value(p->arena, text_of(p, value, type, SHORT_TEXT), &parsed);
        attachment->type = parsed.value;
    } else if (id == PROPERTY_CONTENT_ID && is_text) {
        attachment->cid = header_id(p->arena, text_of(p, value, type, SHORT_TEXT));
    } else if (id == PROPERTY_ATTACH_DATA && type == TYPE_OBJECT && value.length > GUID_BYTES) {
        attachment->bytes = str_skip(value, GUID_BYTES);
        attachment->type = STR("application/ms-tnef");
    } else if (id == PROPERTY_ATTACH_DATA && type == TYPE_BINARY) {
        attachment->bytes = value;
    }
}

/* The bytes of one value of a type with a fixed size, padded to four; 0: its size stands before it.
 */
static size_t fixed_size(uint32_t type)
{
    switch (type) {
    case 0x02: /* 16 bits, padded */
    case 0x03:
    case 0x04:
    case 0x0a:
    case 0x0b:
        return 4;
    case 0x05:
    case 0x06:
    case 0x07:
    case 0x14:
    case 0x40:
        return 8;
    case 0x48:
        return GUID_BYTES;
    default:
        return 0;
    }
}

/* The name of a named property (2.1.3.4). */
static void skip_name(struct reader *r)
{
    take(r, GUID_BYTES);
    if (take_number(r, 4) == 0)
        take(r, 4);
    else
        take_padded(r, take_number(r, 4));
}

/* MAPI properties of the message (`attachment` NULL) or of an attachment. */
static void read_properties(struct parse *p, struct str bytes, struct tnef_attachment *attachment)
{
    struct reader r = {.rest = bytes};
    uint32_t count = take_number(&r, 4);
    for (uint32_t i = 0; i < count && r.rest.length && !r.is_short; i++) {
        uint32_t type = take_number(&r, 2), id = take_number(&r, 2), values = 1;
        if (id >= 0x8000)
            skip_name(&r);
        size_t fixed = fixed_size(type & ~(uint32_t)MULTIPLE);
        if (fixed == 0 || (type & MULTIPLE))
            values = take_number(&r, 4);
        if (fixed == 0 && type < TYPE_OBJECT) /* of a size that nobody knows: the rest is lost */
            r.is_short = true;
        for (uint32_t k = 0; k < values && r.rest.length && !r.is_short; k++) {
            struct str value = fixed ? take(&r, fixed) : take_padded(&r, take_number(&r, 4));
            if (++p->properties > TNEF_PROPERTIES_MAX)
                r.is_short = true;
            else if (k == 0 && !(type & MULTIPLE) && !r.is_short)
                take_property(p, attachment, type, id, value);
        }
    }
    p->tnef->is_cut |= r.is_short;
}

/* --- attributes ------------------------------------------------------------------------------- */

static struct tnef_attachment *new_attachment(struct parse *p)
{
    struct tnef *tnef = p->tnef;
    if (tnef->count == TNEF_ATTACHMENTS_MAX) {
        tnef->is_cut = true;
        return NULL;
    }
    if (!tnef->attachments)
        tnef->attachments = ARENA_ARRAY(p->arena, TNEF_ATTACHMENTS_MAX, struct tnef_attachment);
    tnef->attachments[tnef->count] =
        (struct tnef_attachment){STR_EMPTY, STR_EMPTY, STR_EMPTY, STR_EMPTY};
    return &tnef->attachments[tnef->count++];
}

static void take_message_attribute(struct parse *p, uint32_t id, struct str bytes)
{
    struct reader r = {.rest = bytes};
    if (id == ATTRIBUTE_CODEPAGE)
        p->tnef->codepage = take_number(&r, 4);
    else if (id == ATTRIBUTE_MESSAGE_PROPERTIES)
        read_properties(p, bytes, NULL);
    else if (id == ATTRIBUTE_BODY && p->tnef->text.length == 0)
        p->tnef->text = text_of(p, bytes, TYPE_STRING8, TEXT_BYTES_MAX);
}

static void take_attachment_attribute(struct parse *p, struct tnef_attachment *attachment,
                                      uint32_t id, struct str bytes)
{
    if (id == ATTRIBUTE_ATTACH_DATA)
        attachment->bytes = bytes;
    else if (id == ATTRIBUTE_ATTACH_TITLE && attachment->name.length == 0)
        attachment->name = filename_clean(p->arena, text_of(p, bytes, TYPE_STRING8, 4096));
    else if (id == ATTRIBUTE_ATTACH_PROPERTIES)
        read_properties(p, bytes, attachment);
}

bool tnef_is_likely(struct str type, struct str name)
{
    return str_equal(type, STR("application/ms-tnef")) ||
           str_equal(type, STR("application/vnd.ms-tnef")) ||
           str_equal_nocase(name, STR("winmail.dat"));
}

bool tnef_parse(struct arena *arena, struct str bytes, struct tnef *tnef)
{
    *tnef = (struct tnef){.html = STR_EMPTY, .text = STR_EMPTY};
    struct reader r = {.rest = bytes};
    struct parse p = {.arena = arena, .tnef = tnef, .rtf = STR_EMPTY};
    struct tnef_attachment *attachment = NULL;
    if (take_number(&r, 4) != SIGNATURE)
        return false;
    take(&r, 2); /* a key that means nothing */
    while (r.rest.length && !r.is_short) {
        uint32_t level = take_number(&r, 1), id = take_number(&r, 4) & 0xffff;
        struct str value = take(&r, take_number(&r, 4));
        take(&r, r.rest.length < 2 ? r.rest.length : 2); /* the checksum */
        if (r.is_short)
            break;
        if (level == LEVEL_MESSAGE)
            take_message_attribute(&p, id, value);
        if (level == LEVEL_ATTACHMENT && (id == ATTRIBUTE_ATTACH_RENDERING || !attachment) &&
            !(attachment = new_attachment(&p)))
            break;
        if (level == LEVEL_ATTACHMENT)
            take_attachment_attribute(&p, attachment, id, value);
    }
    tnef->is_cut |= r.is_short;
    if (p.rtf.length && !tnef->text.length)
        take_rtf(&p, p.rtf);
    return true;
}
