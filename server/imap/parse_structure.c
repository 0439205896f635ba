/* ENVELOPE and BODYSTRUCTURE: what servers most often get wrong. Each field may be missing from
 * some point on, and what stands behind the last known one is skipped. */
#include "server/imap/parse_private.h"

/* Skips up to and with the ")" that ends the list it is in. */
static bool skip_to_end(struct lexer *lex)
{
    for (;;) {
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_skip(lex))
            return false;
    }
}

/* The next field as text, unless the list ends. */
static bool parse_field(struct lexer *lex, struct str *text)
{
    lex_spaces(lex);
    return lex_peek(lex) != ')' && lex_text(lex, text);
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool parse_address(struct lexer *lex, struct imap_address *address)
{
    *address = (struct imap_address){STR_EMPTY, STR_EMPTY, STR_EMPTY, STR_EMPTY};
    if (!lex_take(lex, '('))
        return false;
    if (parse_field(lex, &address->name) && parse_field(lex, &address->route) &&
        parse_field(lex, &address->mailbox))
        parse_field(lex, &address->host);
    return skip_to_end(lex);
}

static bool parse_addresses(struct lexer *lex, struct imap_addresses *addresses)
{
    *addresses = (struct imap_addresses){0};
    lex_spaces(lex);
    if (!lex_take(lex, '(')) {
        struct str nil; /* or the empty string, as some servers have it */
        return lex_text(lex, &nil);
    }
    for (;;) {
        struct imap_address address;
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!parse_address(lex, &address))
            return false;
        struct imap_address *at = lex_grow(lex, addresses->at, &addresses->count, sizeof *at);
        if (!at)
            continue;
        addresses->at = at;
        at[addresses->count - 1] = address;
    }
}

bool parse_envelope(struct lexer *lex, struct imap_envelope *envelope)
{
    *envelope = (struct imap_envelope){
        .date = STR_EMPTY, .subject = STR_EMPTY, .in_reply_to = STR_EMPTY, .message_id = STR_EMPTY};
    lex_spaces(lex);
    if (!lex_take(lex, '('))
        return false;
    enum { LISTS = 6 };
    struct imap_addresses *lists[LISTS] = {&envelope->from, &envelope->sender, &envelope->reply_to,
                                           &envelope->to,   &envelope->cc,     &envelope->bcc};
    if (!parse_field(lex, &envelope->date) || !parse_field(lex, &envelope->subject))
        return false;
    for (size_t i = 0; i < LISTS; i++)
        if (!parse_addresses(lex, lists[i]))
            return false;
    if (parse_field(lex, &envelope->in_reply_to))
        parse_field(lex, &envelope->message_id);
    return skip_to_end(lex);
}

/* --- structure -------------------------------------------------------------------------------- */

static bool parse_pairs(struct lexer *lex, struct imap_pair **pairs, size_t *count)
{
    lex_spaces(lex);
    if (!lex_take(lex, '(')) {
        struct str nil;
        return lex_peek(lex) == ')' || lex_text(lex, &nil);
    }
    for (;;) {
        struct imap_pair pair = {STR_EMPTY, STR_EMPTY};
        lex_spaces(lex);
        if (lex_take(lex, ')'))
            return true;
        if (!lex_text(lex, &pair.name) || (!parse_field(lex, &pair.value) && lex_peek(lex) != ')'))
            return false;
        struct imap_pair *grown = lex_grow(lex, *pairs, count, sizeof *grown);
        if (!grown)
            continue;
        *pairs = grown;
        grown[*count - 1] = pair;
    }
}

/* ("attachment" ("filename" "x")), NIL, or a bare "attachment". */
static bool parse_disposition(struct lexer *lex, struct imap_body *body)
{
    lex_spaces(lex);
    if (lex_peek(lex) == ')')
        return true;
    if (!lex_take(lex, '('))
        return lex_text(lex, &body->disposition);
    return parse_field(lex, &body->disposition) &&
           parse_pairs(lex, &body->disposition_params, &body->disposition_param_count) &&
           skip_to_end(lex);
}

/* One tag or a list of them; the first is kept. */
static bool parse_language(struct lexer *lex, struct imap_body *body)
{
    lex_spaces(lex);
    if (lex_peek(lex) == ')')
        return true;
    if (!lex_take(lex, '('))
        return lex_text(lex, &body->language);
    parse_field(lex, &body->language);
    return skip_to_end(lex);
}

static bool parse_extension(struct lexer *lex, struct imap_body *body)
{
    return parse_disposition(lex, body) && parse_language(lex, body) &&
           (parse_field(lex, &body->location), skip_to_end(lex));
}

/* A size or count of lines: NIL and -1 are 0. */
static uint64_t parse_count(struct lexer *lex)
{
    struct str text = STR_EMPTY;
    uint64_t number = 0;
    parse_field(lex, &text);
    return str_to_u64(text, &number) ? number : 0;
}

static bool parse_multipart(struct lexer *lex, unsigned depth, struct imap_body *body)
{
    struct imap_body **link = &body->first_child;
    body->is_multipart = true;
    body->type = STR("MULTIPART");
    while (lex_spaces(lex), lex_peek(lex) == '(') {
        struct imap_body *child = NULL;
        if (!parse_body(lex, depth + 1, &child))
            return false;
        if (!child)
            continue;
        *link = child;
        link = &child->next;
    }
    parse_field(lex, &body->subtype);
    return parse_pairs(lex, &body->params, &body->param_count) && parse_extension(lex, body);
}

static bool parse_single(struct lexer *lex, unsigned depth, struct imap_body *body)
{
    if (!parse_field(lex, &body->type))
        return lex_peek(lex) == ')' && skip_to_end(lex);
    parse_field(lex, &body->subtype);
    if (!parse_pairs(lex, &body->params, &body->param_count))
        return false;
    parse_field(lex, &body->id);
    parse_field(lex, &body->description);
    parse_field(lex, &body->encoding);
    body->size = parse_count(lex);
    lex_spaces(lex);
    if (str_equal_nocase(body->type, STR("TEXT")))
        body->lines = parse_count(lex);
    else if (str_equal_nocase(body->type, STR("MESSAGE")) && lex_peek(lex) == '(') {
        body->is_message = true;
        body->envelope = ARENA_NEW(lex->arena, struct imap_envelope);
        if (!parse_envelope(lex, body->envelope))
            return false;
        lex_spaces(lex);
        if (lex_peek(lex) == '(' && !parse_body(lex, depth + 1, &body->first_child))
            return false;
        body->lines = parse_count(lex);
    }
    parse_field(lex, &body->md5);
    return parse_extension(lex, body);
}

/* `*body` stays NULL for what is too deep or too much, which is skipped. */
bool parse_body(struct lexer *lex, unsigned depth, struct imap_body **body)
{
    lex_spaces(lex);
    if (lex_peek(lex) != '(') {
        struct lex_string nil;
        return lex_string(lex, &nil) && nil.is_nil;
    }
    if (depth >= IMAP_BODY_DEPTH_MAX || !lex_node(lex))
        return lex_skip(lex);
    lex_take(lex, '(');
    lex_spaces(lex);
    struct imap_body *part = ARENA_NEW(lex->arena, struct imap_body);
    enum { TEXTS = 9 };
    struct str *texts[TEXTS] = {&part->type,        &part->subtype,  &part->id,
                                &part->description, &part->encoding, &part->md5,
                                &part->disposition, &part->location, &part->language};
    for (size_t i = 0; i < TEXTS; i++)
        *texts[i] = STR_EMPTY;
    *body = part;
    return lex_peek(lex) == '(' ? parse_multipart(lex, depth, part)
                                : parse_single(lex, depth, part);
}
