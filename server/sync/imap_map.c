#include "server/sync/imap_map.h"

#include "server/base/utf8.h"

enum { KEYWORDS_BYTES_MAX = 4096, NAME_BYTES_MAX = 16 * 1024 };

/* --- flags ----------------------------------------------------------------------------------- */

static const struct {
    unsigned upstream;
    enum email_flag flag;
} system_flags[] = {{IMAP_SEEN, FLAG_SEEN},
                    {IMAP_ANSWERED, FLAG_ANSWERED},
                    {IMAP_FLAGGED, FLAG_FLAGGED},
                    {IMAP_DELETED, FLAG_DELETED},
                    {IMAP_DRAFT, FLAG_DRAFT}};

/* The bit of a keyword that has one ("$Forwarded", "Junk"), or 0. */
static int flag_of_keyword(struct str keyword)
{
    for (const struct flag_name *name = flag_names; name->flag; name++)
        if (name->upstream && str_equal_nocase(keyword, str_of(name->upstream)))
            return name->flag;
    return 0;
}

void imap_map_flags(struct arena *arena, const struct imap_fetch *fetch,
                    struct replica_flags *flags)
{
    struct buf others = BUF_INIT(KEYWORDS_BYTES_MAX);
    *flags = (struct replica_flags){.uid = fetch->uid, .modseq = fetch->modseq};
    for (size_t i = 0; i < sizeof system_flags / sizeof *system_flags; i++)
        if (fetch->flags.system & system_flags[i].upstream)
            flags->flags |= system_flags[i].flag;
    for (size_t i = 0; i < fetch->flags.keyword_count; i++) {
        struct str keyword = fetch->flags.keywords[i];
        int flag = flag_of_keyword(keyword);
        flags->flags |= flag;
        if (flag || keyword.length == 0 || keyword.at[0] == '\\' ||
            others.length + keyword.length + 1 > KEYWORDS_BYTES_MAX)
            continue;
        if (others.length > 0)
            buf_char(&others, ' ');
        utf8_repair(&others, keyword);
    }
    flags->keywords = arena_str(arena, buf_view(&others));
    buf_free(&others);
}

enum mailbox_role imap_map_role(unsigned attributes)
{
    static const struct {
        unsigned attribute;
        enum mailbox_role role;
    } roles[] = {{IMAP_USE_INBOX, ROLE_INBOX},
                 {IMAP_USE_DRAFTS, ROLE_DRAFTS},
                 {IMAP_USE_SENT, ROLE_SENT},
                 {IMAP_USE_TRASH, ROLE_TRASH},
                 {IMAP_USE_JUNK, ROLE_JUNK},
                 {IMAP_USE_ARCHIVE, ROLE_ARCHIVE},
                 {IMAP_USE_ALL, ROLE_ALL},
                 {IMAP_USE_FLAGGED, ROLE_FLAGGED},
                 {IMAP_USE_IMPORTANT, ROLE_IMPORTANT}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (attributes & roles[i].attribute)
            return roles[i].role;
    return ROLE_NONE;
}

/* --- structure ------------------------------------------------------------------------------- */

static struct str lower(struct arena *arena, struct str text)
{
    char *copy = arena_text(arena, text);
    for (size_t i = 0; i < text.length; i++)
        copy[i] = ascii_lower(copy[i]);
    return str_make(copy, text.length);
}

static struct str param_of(const struct imap_pair *params, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(params[i].name, str_of(name)))
            return params[i].value;
    return STR_EMPTY;
}

/* As parameters stand in a header field, so that the parser child can undo what encodings a file
 * name has. */
static void write_params(struct buf *out, const struct imap_pair *params, size_t count,
                         const char *prefix)
{
    for (size_t i = 0; i < count; i++) {
        if (!str_starts_nocase(params[i].name, str_of(prefix)))
            continue;
        buf_printf(out, "; %" STR_FMT "=\"", STR_ARG(params[i].name));
        for (size_t k = 0; k < params[i].value.length; k++) {
            char c = params[i].value.at[k];
            if (c == '"' || c == '\\')
                buf_char(out, '\\');
            buf_char(out, c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
        }
        buf_char(out, '"');
    }
}

static struct str name_params(struct arena *arena, const struct imap_body *body)
{
    struct buf text = BUF_INIT(NAME_BYTES_MAX);
    write_params(&text, body->disposition_params, body->disposition_param_count, "filename");
    write_params(&text, body->params, body->param_count, "name");
    struct str copy = text.is_full ? STR_EMPTY : arena_str(arena, buf_view(&text));
    buf_free(&text);
    return copy;
}

static struct str without_brackets(struct str id)
{
    id = str_trim(id);
    if (id.length >= 2 && id.at[0] == '<' && id.at[id.length - 1] == '>')
        return str_sub(id, 1, id.length - 2);
    return id;
}

static struct mime_part *map_part(struct arena *arena, const struct imap_body *body,
                                  struct mime_part *parent)
{
    struct mime_part *part = ARENA_NEW(arena, struct mime_part);
    struct str type = lower(arena, body->type), subtype = lower(arena, body->subtype);
    struct str flowed = param_of(body->params, body->param_count, "format");
    part->type = arena_printf(arena, "%" STR_FMT "/%" STR_FMT,
                              STR_ARG(type.length ? type : STR("application")),
                              STR_ARG(subtype.length ? subtype : STR("octet-stream")));
    part->charset = lower(arena, param_of(body->params, body->param_count, "charset"));
    part->name = name_params(arena, body);
    part->disposition = lower(arena, body->disposition);
    part->cid = without_brackets(arena_str(arena, body->id));
    part->location = arena_str(arena, body->location);
    part->language = arena_str(arena, body->language);
    part->description = arena_str(arena, body->description);
    part->encoding = mime_encoding_of(body->encoding);
    part->is_flowed = str_equal_nocase(flowed, STR("flowed"));
    part->is_delsp =
        str_equal_nocase(param_of(body->params, body->param_count, "delsp"), STR("yes"));
    part->body_length = body->size;
    part->lines = body->lines;
    part->parent = parent;
    struct mime_part **last = &part->first_child;
    for (const struct imap_body *child = body->first_child; child; child = child->next) {
        *last = map_part(arena, child, part);
        last = &(*last)->next;
    }
    return part;
}

struct mime_message *imap_map_structure(struct arena *arena, const struct imap_body *body)
{
    struct mime_message *message = ARENA_NEW(arena, struct mime_message);
    message->root = map_part(arena, body, NULL);
    return message;
}

/* --- rows ------------------------------------------------------------------------------------ */

struct str imap_map_upstream_id(struct arena *arena, const struct imap_fetch *fetch)
{
    if (fetch->has & IMAP_ITEM_EMAILID)
        return arena_str(arena, str_sub(fetch->email_id, 0, 255));
    if (fetch->has & IMAP_ITEM_GM_MSGID)
        return arena_printf(arena, "gm:%llu", (unsigned long long)fetch->gm_msgid);
    return STR_EMPTY;
}
