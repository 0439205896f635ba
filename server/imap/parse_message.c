/* FETCH. */
#include "server/imap/parse_private.h"

static bool parse_uid(struct lexer *lex, struct imap_fetch *fetch)
{
    return lex_u32(lex, &fetch->uid) && fetch->uid; /* 0 is no UID: as if it had not been told */
}

static bool parse_fetch_flags(struct lexer *lex, struct imap_fetch *fetch)
{
    fetch->flags = (struct imap_flags){0};
    return parse_flags(lex, &fetch->flags);
}

static bool parse_internaldate(struct lexer *lex, struct imap_fetch *fetch)
{
    struct str text;
    return lex_text(lex, &text) && imap_parse_date(text, &fetch->internaldate_at);
}

static bool parse_savedate(struct lexer *lex, struct imap_fetch *fetch)
{
    struct lex_string string;
    return lex_string(lex, &string) &&
           (string.is_nil || imap_parse_date(string.text, &fetch->savedate_at));
}

static bool parse_size(struct lexer *lex, struct imap_fetch *fetch)
{
    if (!lex_number(lex, &fetch->size))
        return false;
    if (fetch->size > IMAP_SIZE_MAX)
        fetch->size = IMAP_SIZE_MAX;
    return true;
}

static bool parse_fetch_envelope(struct lexer *lex, struct imap_fetch *fetch)
{
    return parse_envelope(lex, &fetch->envelope);
}

static bool parse_bodystructure(struct lexer *lex, struct imap_fetch *fetch)
{
    return parse_body(lex, 0, &fetch->body);
}

static bool parse_modseq(struct lexer *lex, struct imap_fetch *fetch)
{
    bool is_listed = lex_take(lex, '(');
    return lex_number(lex, &fetch->modseq) && (!is_listed || lex_take(lex, ')'));
}

/* "(M6d99ac3275bb4e)"; NIL for THREADID where threads are not kept. */
static bool parse_object_id(struct lexer *lex, struct str *id)
{
    bool is_listed = lex_take(lex, '(');
    return lex_text(lex, id) && (!is_listed || lex_take(lex, ')'));
}

static bool parse_email_id(struct lexer *lex, struct imap_fetch *fetch)
{
    return parse_object_id(lex, &fetch->email_id);
}

static bool parse_thread_id(struct lexer *lex, struct imap_fetch *fetch)
{
    return parse_object_id(lex, &fetch->thread_id);
}

static bool parse_preview(struct lexer *lex, struct imap_fetch *fetch)
{
    struct lex_string string;
    /* Drafts of RFC 8970 had (ALGORITHM "text"). */
    struct str algorithm;
    bool is_listed = lex_take(lex, '(') && lex_word(lex, &algorithm);
    lex_spaces(lex);
    if (!lex_string(lex, &string) || (is_listed && !lex_take(lex, ')')))
        return false;
    fetch->preview = string.text;
    fetch->is_preview_nil = string.is_nil;
    return true;
}

static bool parse_gm_msgid(struct lexer *lex, struct imap_fetch *fetch)
{
    return lex_number(lex, &fetch->gm_msgid);
}

static bool parse_gm_thrid(struct lexer *lex, struct imap_fetch *fetch)
{
    return lex_number(lex, &fetch->gm_thrid);
}

static bool parse_gm_labels(struct lexer *lex, struct imap_fetch *fetch)
{
    if (!lex_take(lex, '('))
        return false;
    for (;;) {
        struct str label;
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_text(lex, &label))
            return false;
        struct str *labels =
            lex_grow(lex, fetch->gm_labels, &fetch->gm_label_count, sizeof *labels);
        if (!labels)
            continue;
        fetch->gm_labels = labels;
        labels[fetch->gm_label_count - 1] = label;
    }
}

static const struct {
    struct str name;
    enum imap_item item;
    bool (*parse)(struct lexer *lex, struct imap_fetch *fetch);
} items[] = {
    {{"UID", 3}, IMAP_ITEM_UID, parse_uid},
    {{"FLAGS", 5}, IMAP_ITEM_FLAGS, parse_fetch_flags},
    {{"INTERNALDATE", 12}, IMAP_ITEM_INTERNALDATE, parse_internaldate},
    {{"RFC822.SIZE", 11}, IMAP_ITEM_SIZE, parse_size},
    {{"ENVELOPE", 8}, IMAP_ITEM_ENVELOPE, parse_fetch_envelope},
    {{"BODYSTRUCTURE", 13}, IMAP_ITEM_BODYSTRUCTURE, parse_bodystructure},
    {{"BODY", 4}, IMAP_ITEM_BODYSTRUCTURE, parse_bodystructure},
    {{"MODSEQ", 6}, IMAP_ITEM_MODSEQ, parse_modseq},
    {{"EMAILID", 7}, IMAP_ITEM_EMAILID, parse_email_id},
    {{"X-GUID", 6}, IMAP_ITEM_EMAILID, parse_email_id},
    {{"THREADID", 8}, IMAP_ITEM_THREADID, parse_thread_id},
    {{"PREVIEW", 7}, IMAP_ITEM_PREVIEW, parse_preview},
    {{"SAVEDATE", 8}, IMAP_ITEM_SAVEDATE, parse_savedate},
    {{"X-GM-MSGID", 10}, IMAP_ITEM_GM_MSGID, parse_gm_msgid},
    {{"X-GM-THRID", 10}, IMAP_ITEM_GM_THRID, parse_gm_thrid},
    {{"X-GM-LABELS", 11}, IMAP_ITEM_GM_LABELS, parse_gm_labels},
};

/* --- sections --------------------------------------------------------------------------------- */

static const struct {
    struct str item, section;
} old_sections[] = {
    {{"RFC822", 6}, {"", 0}},
    {{"RFC822.HEADER", 13}, {"HEADER", 6}},
    {{"RFC822.TEXT", 11}, {"TEXT", 4}},
};

/* "BODY[1.2]<0>", "BINARY[1]", "BINARY.SIZE[1]" and the items of RFC 1730; false if it is none. */
static bool parse_section_name(struct str item, struct imap_section *section)
{
    *section = (struct imap_section){.name = STR_EMPTY, .bytes = STR_EMPTY};
    for (size_t i = 0; i < sizeof old_sections / sizeof *old_sections; i++)
        if (str_equal_nocase(item, old_sections[i].item)) {
            section->name = old_sections[i].section;
            return true;
        }
    ptrdiff_t open = str_find_char(item, '[');
    if (open < 0)
        return false;
    struct str word = str_sub(item, 0, (size_t)open);
    struct str rest = str_skip(item, (size_t)open + 1);
    section->is_size = str_equal_nocase(word, STR("BINARY.SIZE"));
    section->is_binary = str_equal_nocase(word, STR("BINARY"));
    if (!section->is_size && !section->is_binary && !str_equal_nocase(word, STR("BODY")))
        return false;
    ptrdiff_t close = str_find_char(rest, ']');
    section->name = close < 0 ? rest : str_sub(rest, 0, (size_t)close);
    if (close < 0)
        return true;
    struct str partial = str_skip(rest, (size_t)close + 1);
    if (str_starts(partial, STR("<")) && str_ends(partial, STR(">")))
        str_to_u64(str_sub(partial, 1, partial.length - 2), &section->origin);
    return true;
}

static bool parse_section(struct lexer *lex, struct imap_section *section)
{
    if (section->is_size)
        return lex_number(lex, &section->size);
    struct lex_string string;
    if (!lex_string(lex, &string))
        return false;
    section->is_nil = string.is_nil;
    section->bytes = string.text;
    section->size = string.literal ? string.literal->size : string.text.length;
    section->is_streamed = string.literal && string.literal->is_streamed;
    section->is_cut = section->size != section->bytes.length && !section->is_streamed;
    return true;
}

static bool keep_section(struct lexer *lex, struct imap_fetch *fetch, struct imap_section section)
{
    struct imap_section *sections =
        lex_grow(lex, fetch->sections, &fetch->section_count, sizeof *sections);
    if (!sections)
        return true;
    fetch->sections = sections;
    sections[fetch->section_count - 1] = section;
    return true;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* The value of an item that has no section. What cannot be read is skipped, so that a wrong
 * BODYSTRUCTURE, the commonest mistake of servers, costs no more than itself. */
static bool parse_plain_item(struct lexer *lex, struct str name, struct imap_fetch *fetch)
{
    size_t before = lex->at, literal_before = lex->next_literal;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        if (!str_equal_nocase(name, items[i].name))
            continue;
        if (items[i].parse(lex, fetch)) {
            fetch->has |= items[i].item;
            return true;
        }
        break;
    }
    lex->at = before;
    lex->next_literal = literal_before;
    return lex_skip(lex);
}

/* One item and its value. `section` is that of the item, if it has one. */
static bool parse_item(struct lexer *lex, struct imap_fetch *fetch, struct imap_section *section,
                       bool *is_section)
{
    struct str name;
    *is_section = false;
    if (!lex_item(lex, &name))
        return false;
    *is_section = parse_section_name(name, section);
    lex_spaces(lex);
    if (!*is_section)
        return parse_plain_item(lex, name, fetch);
    return parse_section(lex, section) && keep_section(lex, fetch, *section);
}

bool parse_fetch(struct lexer *lex, struct imap_fetch *fetch)
{
    struct imap_section section;
    bool is_section;
    lex_spaces(lex);
    if (!lex_take(lex, '('))
        return false;
    for (;;) {
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!parse_item(lex, fetch, &section, &is_section))
            return false;
    }
}

bool imap_parse_fetch_start(struct arena *arena, const struct imap_text *text,
                            struct imap_fetch *fetch, struct imap_section *section)
{
    struct lexer lex;
    bool is_section = false;
    *fetch = (struct imap_fetch){0};
    lex_begin(&lex, arena, text);
    if (!lex_take(&lex, '*') || (lex_spaces(&lex), !lex_u32(&lex, &fetch->seq)))
        return false;
    lex_spaces(&lex);
    if (lex_is_word(&lex, STR("UIDFETCH"))) {
        fetch->uid = fetch->seq;
        fetch->seq = 0;
        fetch->has = fetch->uid ? IMAP_ITEM_UID : 0;
    } else if (!lex_is_word(&lex, STR("FETCH")))
        return false;
    lex_spaces(&lex);
    lex_take(&lex, '(');
    for (;;) {
        lex_spaces(&lex);
        if (lex_is_end(&lex))
            return false; /* the literal was the value of the last item: not a section's */
        if (!parse_item(&lex, fetch, section, &is_section))
            return is_section && lex_is_end(&lex);
    }
}
