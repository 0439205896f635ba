/* UID SEARCH, as ESEARCH where offered. */
#include "server/imap/client_private.h"

struct searching {
    struct arena *arena;
    struct imap_found *found;
};

static void keep_set(struct arena *arena, struct imap_set *target, const struct imap_set *set)
{
    struct imap_set copy = {.count = set->count};
    copy.at = ARENA_ARRAY(arena, target->count + set->count + 1, struct imap_range);
    if (set->count)
        memcpy(copy.at, set->at, set->count * sizeof *copy.at);
    /* A server may answer in several lines; what is kept stays borrowed from the arena. */
    if (target->count) {
        memcpy(copy.at + copy.count, target->at, target->count * sizeof *copy.at);
        copy.count += target->count;
        copy.is_unsorted = true;
        imap_set_sort(&copy);
    }
    *target = copy;
}

static bool take_found(void *context, const struct imap_response *response)
{
    struct searching *searching = context;
    const struct imap_found *told = &response->found;
    struct imap_found *found = searching->found;
    if (response->type != IMAP_RESPONSE_SEARCH)
        return false;
    keep_set(searching->arena, &found->all, &told->all);
    found->is_uid = true;
    found->min = told->min ? told->min : found->min;
    found->max = told->max ? told->max : found->max;
    found->count = told->has_count ? told->count : found->count;
    found->has_count = found->has_count || told->has_count;
    found->has_all = found->has_all || told->has_all;
    found->modseq = told->modseq > found->modseq ? told->modseq : found->modseq;
    return true;
}

/* Makes what was not told from what was. */
static void complete(struct imap_found *found)
{
    if (!found->has_all)
        return;
    if (!found->min)
        found->min = imap_set_lowest(&found->all);
    if (!found->max)
        found->max = imap_set_highest(&found->all);
    if (!found->has_count)
        found->count = imap_set_size(&found->all);
    found->has_count = true;
}

static void put_returns(struct imap_client *client, const struct imap_search_params *params)
{
    if (!imap_has(client, IMAP_CAP_ESEARCH))
        return;
    bool saves = params->saves && imap_has(client, IMAP_CAP_SEARCHRES);
    if (params->newest && imap_has(client, IMAP_CAP_PARTIAL)) {
        client_text(client, saves ? " RETURN (SAVE PARTIAL -1:-" : " RETURN (PARTIAL -1:-");
        client_u64(client, params->newest);
        client_text(client, ")");
        return;
    }
    unsigned returns = params->returns ? params->returns : (unsigned)IMAP_RETURN_ALL;
    const char *space = saves ? " " : "";
    client_text(client, saves ? " RETURN (SAVE" : " RETURN (");
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{IMAP_RETURN_ALL, "ALL"},
                 {IMAP_RETURN_MIN, "MIN"},
                 {IMAP_RETURN_MAX, "MAX"},
                 {IMAP_RETURN_COUNT, "COUNT"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (returns & names[i].bit) {
            client_text(client, space);
            client_text(client, names[i].name);
            space = " ";
        }
    client_text(client, ")");
}

static bool is_ascii(const struct imap_search_params *params)
{
    for (size_t i = 0; i < params->term_count; i++)
        for (size_t j = 0; j < params->terms[i].text.length; j++)
            if (params->terms[i].text.at[j] & 0x80)
                return false;
    return true;
}

static bool put_terms(struct imap_client *client, struct client_command *command,
                      const struct imap_search_params *params, struct error *err)
{
    if (!params->term_count)
        client_text(client, " ALL");
    for (size_t i = 0; i < params->term_count; i++) {
        const struct imap_term *term = &params->terms[i];
        client_text(client, " ");
        client_text(client, term->key);
        if (term->set || term->word || term->has_text)
            client_text(client, " ");
        if (term->set)
            client_set(client, term->set);
        if (term->word)
            client_text(client, term->word);
        if (term->has_text && !client_string(client, command, term->text, err))
            return false;
    }
    return true;
}

bool imap_search(struct imap_client *client, struct arena *arena,
                 const struct imap_search_params *params, struct imap_found *found,
                 struct error *err)
{
    struct searching searching = {arena, found};
    struct client_command command;
    *found = (struct imap_found){.tag = STR_EMPTY};
    for (size_t i = 0; i < params->term_count; i++)
        if (params->terms[i].has_text && str_find_char(params->terms[i].text, '\0') >= 0)
            return error_set(err, ERROR_INVALID, "The text to search for holds a NUL byte");
    if (!client_check(client, err))
        return false;
    client_begin(client, &command, "UID SEARCH", take_found, &searching);
    put_returns(client, params);
    if (!is_ascii(params) && !client->has_utf8) /* RFC 6855 section 3: no CHARSET then */
        client_text(client, " CHARSET UTF-8");
    if (put_terms(client, &command, params, err))
        client_end(client);
    if (!client_finish(client, &command, err))
        return false;
    complete(found);
    return true;
}

bool imap_search_message_id(struct imap_client *client, struct arena *arena, struct str message_id,
                            uint32_t uid_low, struct imap_found *found, struct error *err)
{
    struct imap_range range = {uid_low ? uid_low : 1, UINT32_MAX};
    struct imap_set above = {.at = &range, .count = 1};
    if (str_starts(message_id, STR("<")) && str_ends(message_id, STR(">")))
        message_id = str_sub(message_id, 1, message_id.length - 2);
    struct imap_term terms[] = {
        {.key = "UID", .set = &above},
        {.key = "HEADER Message-ID", .has_text = true, .text = message_id},
    };
    struct imap_search_params params = {.terms = terms, .term_count = 2};
    if (client->host->quirks & IMAP_QUIRK_NO_SEARCH)
        params.term_count = 1; /* its HEADER finds everything or nothing: the caller compares */
    if (!imap_search(client, arena, &params, found, err))
        return false;
    /* "n:*" also finds the last message when it lies below (ref/sync.md 13). */
    struct imap_set below = {0};
    if (uid_low > 1)
        imap_set_add_range(&below, 1, uid_low - 1);
    imap_set_remove_set(&found->all, &below);
    struct imap_set kept = found->all;
    found->all = (struct imap_set){0};
    keep_set(arena, &found->all, &kept);
    imap_set_free(&kept);
    imap_set_free(&below);
    found->count = imap_set_size(&found->all);
    found->min = imap_set_lowest(&found->all);
    found->max = imap_set_highest(&found->all);
    return true;
}
