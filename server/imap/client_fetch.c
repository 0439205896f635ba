/* FETCH: items by capability, sets cut to length, literals streamed. */
#include "server/imap/client_private.h"

enum { LOOKS_MAX = 2 * IMAP_SECTIONS_MAX }; /* at the literals of one response, for the sink */

struct fetching {
    struct imap_client *client;
    const struct imap_fetch_params *params;
    imap_fetch_fn *each;
    void *context;
    bool was_stopped;
    bool is_wanted; /* the sink takes the literal under way */
};

/* --- what to ask for -------------------------------------------------------------------------- */

static const struct {
    enum imap_item item;
    const char *name;
    enum imap_capability needs; /* IMAP_CAPABILITIES: none */
} items[] = {
    {IMAP_ITEM_FLAGS, " FLAGS", IMAP_CAPABILITIES},
    {IMAP_ITEM_INTERNALDATE, " INTERNALDATE", IMAP_CAPABILITIES},
    {IMAP_ITEM_SIZE, " RFC822.SIZE", IMAP_CAPABILITIES},
    {IMAP_ITEM_ENVELOPE, " ENVELOPE", IMAP_CAPABILITIES},
    {IMAP_ITEM_BODYSTRUCTURE, " BODYSTRUCTURE", IMAP_CAPABILITIES},
    {IMAP_ITEM_EMAILID, " EMAILID", IMAP_CAP_OBJECTID},
    {IMAP_ITEM_THREADID, " THREADID", IMAP_CAP_OBJECTID},
    {IMAP_ITEM_PREVIEW, " PREVIEW", IMAP_CAP_PREVIEW},
    {IMAP_ITEM_SAVEDATE, " SAVEDATE", IMAP_CAP_SAVEDATE},
    {IMAP_ITEM_GM_MSGID, " X-GM-MSGID", IMAP_CAP_GMAIL},
    {IMAP_ITEM_GM_THRID, " X-GM-THRID", IMAP_CAP_GMAIL},
    {IMAP_ITEM_GM_LABELS, " X-GM-LABELS", IMAP_CAP_GMAIL},
};

static void put_items(struct imap_client *client, const struct imap_fetch_params *params)
{
    client_text(client, " (UID");
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        if (params->items & items[i].item &&
            (items[i].needs == IMAP_CAPABILITIES || imap_has(client, items[i].needs)))
            client_text(client, items[i].name);
    if (params->items & IMAP_ITEM_MODSEQ && imap_has_condstore(client) &&
        client->selected.has_modseq)
        client_text(client, " MODSEQ");
    if (params->items & IMAP_ITEM_EMAILID && !imap_has(client, IMAP_CAP_OBJECTID) &&
        client->host->quirks & IMAP_QUIRK_GUID_AS_EMAILID)
        client_text(client, " X-GUID");
    for (size_t i = 0; i < params->section_count; i++) {
        bool is_binary = params->sections[i].is_binary && imap_has(client, IMAP_CAP_BINARY);
        client_text(client, is_binary ? " BINARY.PEEK[" : " BODY.PEEK[");
        client_str(client, params->sections[i].name);
        client_text(client, "]");
        if (params->sections[i].length || params->sections[i].origin) {
            client_text(client, "<");
            client_u64(client, params->sections[i].origin);
            client_text(client, ".");
            client_u64(client,
                       params->sections[i].length ? params->sections[i].length : UINT32_MAX);
            client_text(client, ">");
        }
    }
    client_text(client, ")");
}

static void put_modifiers(struct imap_client *client, const struct imap_fetch_params *params)
{
    bool has_since = params->changed_since && imap_has_condstore(client);
    bool has_newest = params->newest && imap_has(client, IMAP_CAP_PARTIAL);
    if (!has_since && !has_newest)
        return;
    client_text(client, " (");
    if (has_newest) {
        client_text(client, "PARTIAL -1:-");
        client_u64(client, params->newest);
    }
    if (has_since) {
        client_text(client, has_newest ? " CHANGEDSINCE " : "CHANGEDSINCE ");
        client_u64(client, params->changed_since);
        if (params->wants_vanished && client->has_qresync)
            client_text(client, " VANISHED");
    }
    client_text(client, ")");
}

/* --- what arrives ----------------------------------------------------------------------------- */

static bool take_fetch(void *context, const struct imap_response *response)
{
    struct fetching *fetching = context;
    if (response->type != IMAP_RESPONSE_FETCH)
        return false;
    if (!fetching->was_stopped && !fetching->each(fetching->context, &response->fetch))
        fetching->was_stopped = true;
    return true;
}

/* Whether a literal goes to the sink: what stands before it is read from the beginning of the
 * response, which is why there is an end to that. */
static bool sink_wants(void *context, const struct imap_text *text, uint64_t size)
{
    struct fetching *fetching = context;
    const struct imap_sink *sink = fetching->params->sink;
    struct imap_fetch fetch;
    struct imap_section section;
    if (size < sink->threshold || text->literal_count >= LOOKS_MAX)
        return false;
    arena_reset(fetching->client->arena); /* of the last look: each may be as large as a line */
    if (!imap_parse_fetch_start(fetching->client->arena, text, &fetch, &section))
        return false;
    section.size = size;
    fetching->is_wanted = !fetching->was_stopped && sink->begin(sink->context, &fetch, &section);
    return true;
}

static void sink_write(void *context, struct str bytes)
{
    struct fetching *fetching = context;
    const struct imap_sink *sink = fetching->params->sink;
    fetching->is_wanted = fetching->is_wanted && sink->write(sink->context, bytes);
}

static void sink_end(void *context)
{
    struct fetching *fetching = context;
    const struct imap_sink *sink = fetching->params->sink;
    if (fetching->is_wanted)
        sink->end(sink->context);
    fetching->is_wanted = false;
}

/* --- the commands ----------------------------------------------------------------------------- */

static bool check_fetch(struct imap_client *client, const struct imap_fetch_params *params,
                        struct error *err)
{
    if (!client_check(client, err))
        return false;
    if (params->uses_saved)
        return imap_has(client, IMAP_CAP_SEARCHRES) ||
               error_set(err, ERROR_CONFLICT, "The mail server does not keep what was found");
    if (params->uids ? imap_set_is_empty(params->uids) : !params->seq_low || !params->seq_high)
        return error_set(err, ERROR_INVALID, "No messages were asked for");
    return true;
}

/* The one message that the command is about, so that what the server refuses hurts no other. */
static bool is_single(const struct imap_fetch_params *params)
{
    if (params->uses_saved)
        return false;
    return params->uids ? imap_set_size(params->uids) == 1 : params->seq_low == params->seq_high;
}

static void begin_fetch(struct imap_client *client, struct client_command *command,
                        struct fetching *fetching, struct imap_set *uids)
{
    const struct imap_fetch_params *params = fetching->params;
    bool is_uid = uids || params->uses_saved;
    client_begin(client, command, is_uid ? "UID FETCH " : "FETCH ", take_fetch, fetching);
    /* However long it takes, as long as something comes: the stall time ends silence. */
    stream_set_deadline(client->stream, DEADLINE_NEVER);
    if (uids)
        client_set(client, uids);
    else if (params->uses_saved)
        client_text(client, "$");
    else {
        client_u64(client, params->seq_low);
        client_text(client, ":");
        client_u64(client, params->seq_high);
    }
    put_items(client, params);
    put_modifiers(client, params);
    client_end(client);
}

/* Keeps a few commands under way until `left` is used up. The first refusal is remembered and ends
 * the sending; what is under way is still read. */
static bool fetch_cut(struct imap_client *client, struct fetching *fetching, struct imap_set *left,
                      struct error *err)
{
    struct client_command commands[CLIENT_PIPELINE];
    struct imap_set piece = {0};
    size_t bytes = client_line_bytes(client), sent = 0, done = 0;
    /* What is under way must fit into the sockets' buffers, or both sides wait for each other. */
    size_t depth = bytes > CLIENT_LINE_BYTES ? 2 : CLIENT_PIPELINE;
    bool is_good = true;
    while (done < sent || (is_good && left->count && !fetching->was_stopped)) {
        while (is_good && left->count && !fetching->was_stopped && sent - done < depth) {
            imap_set_take_text(left, bytes - 200, &piece);
            begin_fetch(client, &commands[sent++ % CLIENT_PIPELINE], fetching, &piece);
        }
        is_good &= client_finish(client, &commands[done++ % CLIENT_PIPELINE], is_good ? err : NULL);
    }
    imap_set_free(&piece);
    return is_good;
}

bool imap_fetch(struct imap_client *client, const struct imap_fetch_params *params,
                imap_fetch_fn *each, void *context, struct error *err)
{
    struct fetching fetching = {
        .client = client, .params = params, .each = each, .context = context};
    struct wire_sink sink = {&fetching, sink_wants, sink_write, sink_end};
    if (!check_fetch(client, params, err))
        return false;
    client->sink = params->sink ? &sink : NULL;
    bool is_good;
    if (params->uids && !params->uses_saved) {
        struct imap_set left = {0};
        imap_set_add_set(&left, params->uids);
        imap_set_sort(&left);
        is_good = fetch_cut(client, &fetching, &left, err);
        imap_set_free(&left);
    } else {
        struct client_command command;
        begin_fetch(client, &command, &fetching, NULL);
        is_good = client_finish(client, &command, err);
    }
    client->sink = NULL;
    if (!is_good && err && err->scope == ERROR_SCOPE_MAILBOX && is_single(params))
        err->scope = ERROR_SCOPE_MESSAGE;
    if (is_good && fetching.was_stopped)
        return error_set(err, ERROR_CONFLICT, "The fetching was stopped here");
    return is_good;
}
