/* A session: its state, sending commands, reading responses. The commands are in the files beside
 * it, a group each. */
#include "server/imap/client.h"

#include <stdlib.h>

#include "server/imap/client_private.h"

static void check(const struct imap_client *client)
{
    if (!client || client->magic != CLIENT_MAGIC)
        abort();
}

/* --- beginning and end ------------------------------------------------------------------------ */

struct imap_client *imap_attach(struct stream *stream, const struct imap_params *params,
                                struct error *err)
{
    struct imap_client *client = calloc(1, sizeof *client);
    if (!client)
        abort();
    client->magic = CLIENT_MAGIC;
    client->stream = stream;
    wire_init(&client->wire, stream);
    client->arena = arena_new();
    client->id_arena = arena_new_small();
    client->selected_arena = arena_new_small();
    client->capabilities = BUF_INIT(16384);
    client->continue_text = BUF_INIT(65536);
    client->security = params->stream.security;
    client->without = params->without;
    client->selected.wire_path = STR_EMPTY;
    if (params->handler)
        client->handler = *params->handler;
    client->host = imap_host_find(params->stream.host, STR_EMPTY);
    if (!client_greet(client, params, err))
        imap_free(&client);
    return client;
}

struct imap_client *imap_connect(const struct imap_params *params, struct error *err)
{
    struct stream *stream = stream_connect(&params->stream, err);
    return stream ? imap_attach(stream, params, err) : NULL;
}

void imap_free(struct imap_client **pointer)
{
    struct imap_client *client = *pointer;
    if (!client)
        return;
    check(client);
    wire_free(&client->wire);
    stream_free(&client->stream);
    arena_free(&client->arena);
    arena_free(&client->id_arena);
    arena_free(&client->selected_arena);
    buf_free(&client->capabilities);
    buf_free(&client->continue_text);
    client->magic = 0;
    free(client);
    *pointer = NULL;
}

void imap_logout(struct imap_client **owner)
{
    enum { PATIENCE_MS = 1000 };
    struct imap_client *client = *owner;
    if (client && !client->is_dead) {
        struct client_command command;
        if (client->is_idling)
            client_text(client, "DONE\r\n");
        client_begin(client, &command, "LOGOUT", NULL, NULL);
        client_end(client);
        stream_set_deadline(client->stream, deadline_in_ms(PATIENCE_MS));
        client_finish(client, &command, NULL);
    }
    imap_free(owner);
}

bool imap_is_alive(const struct imap_client *client)
{
    return !client->is_dead;
}

bool imap_has(const struct imap_client *client, enum imap_capability capability)
{
    return client->offered & ~client->without & UINT64_C(1) << capability;
}

bool imap_has_condstore(const struct imap_client *client)
{
    return client->has_condstore || client->has_qresync || imap_has(client, IMAP_CAP_CONDSTORE);
}

bool imap_has_qresync(const struct imap_client *client)
{
    return client->has_qresync;
}

struct str imap_capabilities(const struct imap_client *client)
{
    return buf_view(&client->capabilities);
}

const struct imap_host *imap_host(const struct imap_client *client)
{
    return client->host;
}

struct str imap_server_id(const struct imap_client *client, const char *item)
{
    for (size_t i = 0; i < client->id_count; i++)
        if (str_equal_nocase(client->id[i].name, str_of(item)))
            return client->id[i].value;
    return STR_EMPTY;
}

struct stream *imap_stream(struct imap_client *client)
{
    return client->stream;
}

const struct imap_selected *imap_selected(const struct imap_client *client)
{
    return &client->selected;
}

/* --- state ------------------------------------------------------------------------------------ */

static const enum imap_capability rev2_has[] = {
    IMAP_CAP_ENABLE,      IMAP_CAP_IDLE,        IMAP_CAP_SASL_IR,       IMAP_CAP_LIST_EXTENDED,
    IMAP_CAP_LIST_STATUS, IMAP_CAP_MOVE,        IMAP_CAP_LITERAL_MINUS, IMAP_CAP_UIDPLUS,
    IMAP_CAP_UNSELECT,    IMAP_CAP_NAMESPACE,   IMAP_CAP_ESEARCH,       IMAP_CAP_SEARCHRES,
    IMAP_CAP_SPECIAL_USE, IMAP_CAP_STATUS_SIZE,
};

static void offer(struct imap_client *client, struct str word)
{
    if (str_starts_nocase(word, STR("AUTH="))) {
        client->mechanisms |= 1u << sasl_by_name(str_skip(word, 5));
        return;
    }
    if (str_starts_nocase(word, STR("APPENDLIMIT"))) {
        client->offered |= UINT64_C(1) << IMAP_CAP_APPENDLIMIT;
        if (!str_to_u64(str_skip(word, 12), &client->append_limit))
            client->append_limit = 0;
        return;
    }
    if (str_starts_nocase(word, STR("QUOTA=RES"))) /* RFC 9208 without the bare QUOTA */
        word = STR("QUOTA");
    for (int i = 0; i < IMAP_CAPABILITIES; i++)
        if (str_equal_nocase(word, str_of(imap_capability_name((enum imap_capability)i))))
            client->offered |= UINT64_C(1) << i;
}

void client_capabilities(struct imap_client *client, const struct str *words, size_t count)
{
    client->offered = 0;
    client->mechanisms = 0;
    client->is_capability_known = true;
    buf_reset(&client->capabilities);
    for (size_t i = 0; i < count; i++) {
        offer(client, words[i]);
        if (i)
            buf_char(&client->capabilities, ' ');
        buf_str(&client->capabilities, words[i]);
    }
    uint64_t rev1 = UINT64_C(1) << IMAP_CAP_IMAP4REV1, rev2 = UINT64_C(1) << IMAP_CAP_IMAP4REV2;
    if ((client->offered & (rev1 | rev2)) == rev2)
        for (size_t i = 0; i < sizeof rev2_has / sizeof *rev2_has; i++)
            client->offered |= UINT64_C(1) << rev2_has[i];
    if (client->offered & UINT64_C(1) << IMAP_CAP_QRESYNC)
        client->offered |= UINT64_C(1) << IMAP_CAP_CONDSTORE | UINT64_C(1) << IMAP_CAP_ENABLE;
}

void client_deselect(struct imap_client *client)
{
    arena_reset(client->selected_arena);
    client->selected = (struct imap_selected){.wire_path = STR_EMPTY, .mailbox_id = STR_EMPTY};
}

static void enabled(struct imap_client *client, const struct imap_response *response)
{
    for (size_t i = 0; i < response->word_count; i++) {
        struct str word = response->words[i];
        client->has_qresync = client->has_qresync || str_equal_nocase(word, STR("QRESYNC"));
        client->has_condstore = client->has_condstore || str_equal_nocase(word, STR("CONDSTORE"));
        client->has_utf8 = client->has_utf8 || str_equal_nocase(word, STR("UTF8=ACCEPT"));
    }
}

static void permanent_flags(struct imap_client *client, const struct imap_flags *flags)
{
    struct imap_selected *selected = &client->selected;
    selected->permanent_flags = flags->system & ~(unsigned)IMAP_FLAG_ANY;
    selected->allows_keywords = flags->system & IMAP_FLAG_ANY;
    selected->keywords = ARENA_ARRAY(client->selected_arena, flags->keyword_count + 1, struct str);
    selected->keyword_count = flags->keyword_count;
    for (size_t i = 0; i < flags->keyword_count; i++)
        selected->keywords[i] = arena_str(client->selected_arena, flags->keywords[i]);
}

static uint32_t clamp(uint64_t number)
{
    return number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

/* False: the session must end. */
static bool uidvalidity(struct imap_client *client, uint32_t value, struct error *err)
{
    struct imap_selected *selected = &client->selected;
    if (!client->is_selecting && selected->uidvalidity && selected->uidvalidity != value) {
        /* All UIDs known mean other messages now: nothing may be done by them. */
        error_set(err, ERROR_PROTOCOL, "The server renumbered the messages of a folder");
        err->retry = ERROR_RETRY_NOW;
        return false;
    }
    selected->uidvalidity = value;
    return true;
}

static bool apply_code(struct imap_client *client, const struct imap_response *response,
                       struct error *err)
{
    struct imap_selected *selected = &client->selected;
    switch (response->code) {
    case IMAP_CODE_CAPABILITY:
        client_capabilities(client, response->words, response->word_count);
        break;
    case IMAP_CODE_CLOSED:
        client->awaits_closed = false;
        break;
    case IMAP_CODE_UIDVALIDITY:
        client->awaits_closed = false; /* for servers that forget [CLOSED] */
        return uidvalidity(client, clamp(response->number), err);
    case IMAP_CODE_UIDNEXT:
        selected->uidnext = clamp(response->number);
        break;
    case IMAP_CODE_UNSEEN:
        selected->unseen = clamp(response->number);
        break;
    case IMAP_CODE_HIGHESTMODSEQ:
        selected->highestmodseq = response->number;
        selected->has_modseq = response->number > 0;
        break;
    case IMAP_CODE_NOMODSEQ:
        selected->highestmodseq = 0;
        selected->has_modseq = false;
        break;
    case IMAP_CODE_PERMANENTFLAGS:
        permanent_flags(client, &response->flags);
        break;
    case IMAP_CODE_READ_ONLY:
        selected->is_read_only = true;
        break;
    case IMAP_CODE_READ_WRITE:
        selected->is_read_only = false;
        break;
    case IMAP_CODE_MAILBOXID:
        if (client->is_selecting)
            selected->mailbox_id = arena_str(client->selected_arena, response->id);
        break;
    case IMAP_CODE_ALERT:
    case IMAP_CODE_NOTIFICATIONOVERFLOW:
        if (client->handler.alert)
            client->handler.alert(client->handler.context, response->text);
        break;
    default:
        break;
    }
    return true;
}

/* --- responses -------------------------------------------------------------------------------- */

static void keep_text(char target[CLIENT_TEXT_BYTES], struct str text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.length && length < CLIENT_TEXT_BYTES - 1; i++) {
        char c = text.at[i];
        target[length++] = (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c;
    }
    target[length] = '\0';
}

static struct client_command *find_command(struct imap_client *client, struct str tag)
{
    uint32_t number;
    if (!str_starts(tag, STR("A")) || !str_to_u32(str_skip(tag, 1), &number))
        return NULL;
    struct client_command *command = client->commands;
    while (command && (command->number != number || command->is_done))
        command = command->next;
    return command;
}

static bool take_tagged(struct imap_client *client, const struct imap_response *response,
                        struct error *err)
{
    struct client_command *command = find_command(client, response->tag);
    if (!command)
        return true; /* of no command of ours: nothing can follow from it */
    command->condition = response->condition;
    command->code = response->code;
    keep_text(command->text, response->text);
    if (command->take)
        command->take(command->context, response);
    command->is_done = true;
    return apply_code(client, response, err);
}

/* What a response means for the counts and for those who listen. */
static void take_untagged(struct imap_client *client, const struct imap_response *response,
                          bool was_asked_for)
{
    const struct imap_handler *handler = &client->handler;
    struct imap_selected *selected = &client->selected;
    bool is_here = !client->awaits_closed;
    switch (response->type) {
    case IMAP_RESPONSE_EXISTS:
        selected->exists = clamp(response->number);
        if (is_here && handler->exists)
            handler->exists(handler->context, selected->exists);
        break;
    case IMAP_RESPONSE_RECENT:
        selected->recent = clamp(response->number);
        break;
    case IMAP_RESPONSE_EXPUNGE:
        if (is_here && selected->exists)
            selected->exists--;
        if (is_here && handler->expunge)
            handler->expunge(handler->context, clamp(response->number));
        break;
    case IMAP_RESPONSE_VANISHED: {
        struct imap_set set = response->set;
        uint64_t gone = imap_set_size(&set);
        if (is_here && !response->is_earlier)
            selected->exists -= gone < selected->exists ? (uint32_t)gone : selected->exists;
        if (is_here && handler->vanished)
            handler->vanished(handler->context, &set, response->is_earlier);
        break;
    }
    case IMAP_RESPONSE_FETCH:
        if (is_here && !was_asked_for && handler->fetch)
            handler->fetch(handler->context, &response->fetch);
        break;
    case IMAP_RESPONSE_STATUS:
        if (!was_asked_for && handler->status)
            handler->status(handler->context, &response->status);
        break;
    case IMAP_RESPONSE_LIST:
        if (!was_asked_for && handler->list)
            handler->list(handler->context, &response->mailbox);
        break;
    case IMAP_RESPONSE_CAPABILITY:
        client_capabilities(client, response->words, response->word_count);
        break;
    case IMAP_RESPONSE_ENABLED:
        enabled(client, response);
        break;
    default:
        break;
    }
}

static bool handle(struct imap_client *client, const struct imap_response *response,
                   struct error *err)
{
    if (response->type == IMAP_RESPONSE_TAGGED)
        return take_tagged(client, response, err);
    if (response->type == IMAP_RESPONSE_CONTINUE) {
        client->has_continue = true;
        buf_reset(&client->continue_text);
        buf_str(&client->continue_text, response->text);
        return true;
    }
    struct client_command *oldest = client->commands;
    while (oldest && oldest->is_done)
        oldest = oldest->next;
    bool was_asked_for = oldest && oldest->take && oldest->take(oldest->context, response);
    if (response->type == IMAP_RESPONSE_CONDITION) {
        if (response->condition == IMAP_BYE) {
            client->has_bye = true;
            client->bye_code = response->code;
            keep_text(client->bye_text, response->text);
        }
        return apply_code(client, response, err);
    }
    take_untagged(client, response, was_asked_for);
    return true;
}

bool client_die(struct imap_client *client, const struct error *failure, struct error *err)
{
    if (!client->is_dead)
        client->failure = *failure;
    if (!client->is_dead && failure->kind == ERROR_CLOSED && client->has_bye)
        client_explain(client, IMAP_BYE, client->bye_code, client->bye_text, &client->failure);
    client->is_dead = true;
    if (err)
        *err = client->failure;
    return false;
}

bool client_read(struct imap_client *client, struct error *err)
{
    struct error failure = ERROR_INIT;
    struct imap_text text;
    struct imap_response response;
    if (client->is_dead)
        return client_die(client, &client->failure, err);
    if (++client->responses > CLIENT_RESPONSES_MAX) {
        error_set(&failure, ERROR_LIMIT, "The server does not stop sending");
        return client_die(client, &failure, err);
    }
    if (!wire_read(&client->wire, client->sink, &text, &failure))
        return client_die(client, &failure, err);
    arena_reset(client->arena);
    if (!imap_parse(client->arena, &text, &response, &failure) ||
        !handle(client, &response, &failure))
        return client_die(client, &failure, err);
    return true;
}

static bool flush(struct imap_client *client, struct error *err)
{
    struct error failure = ERROR_INIT;
    if (client->is_dead)
        return client_die(client, &client->failure, err);
    return stream_flush(client->stream, &failure) || client_die(client, &failure, err);
}

bool client_await_continue(struct imap_client *client, struct client_command *command,
                           struct error *err)
{
    client->has_continue = false;
    if (!flush(client, err))
        return false;
    while (!client->has_continue && !command->is_done)
        if (!client_read(client, err))
            return false;
    return client->has_continue && !command->is_done;
}

void client_forget(struct imap_client *client, struct client_command *command)
{
    struct client_command **link = &client->commands;
    while (*link && *link != command)
        link = &(*link)->next;
    if (*link)
        *link = command->next;
}

bool client_finish(struct imap_client *client, struct client_command *command, struct error *err)
{
    bool is_read = flush(client, err);
    while (is_read && !command->is_done)
        is_read = client_read(client, err);
    client_forget(client, command);
    if (is_read && command->condition != IMAP_OK) {
        client_explain(client, command->condition, command->code, command->text, err);
        return false;
    }
    return is_read;
}

bool client_run(struct imap_client *client, const char *words, client_take_fn *take, void *context,
                struct error *err)
{
    struct client_command command;
    if (!client_check(client, err))
        return false;
    client_begin(client, &command, words, take, context);
    client_end(client);
    return client_finish(client, &command, err);
}

bool client_check(struct imap_client *client, struct error *err)
{
    check(client);
    if (client->is_dead)
        return client_die(client, &client->failure, err);
    return !client->is_idling || imap_idle_done(client, err);
}

bool client_is_name(struct str wire_path)
{
    enum { MOST = 8192 };
    return wire_path.length > 0 && wire_path.length <= MOST && str_find_char(wire_path, '\0') < 0;
}

bool client_check_name(struct imap_client *client, struct str wire_path, struct error *err)
{
    if (!client_is_name(wire_path))
        return error_set(err, ERROR_INVALID, "No folder can have that name");
    return client_check(client, err);
}
