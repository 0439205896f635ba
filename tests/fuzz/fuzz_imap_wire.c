/* A whole session's worth of a server's bytes: the client reads whatever comes until it ends, and
 * every command returns. The bytes are written first, then the server is gone. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/imap/client.h"

static bool each(void *context, const struct imap_fetch *fetch)
{
    *(size_t *)context += fetch->section_count;
    return true;
}

static bool begin(void *context, const struct imap_fetch *fetch, const struct imap_section *section)
{
    (void)context;
    return fetch->uid % 2 == 0 && section->size > 0;
}

static bool write_some(void *context, struct str bytes)
{
    *(size_t *)context += bytes.length;
    return bytes.length < 100;
}

static bool end(void *context)
{
    (void)context;
    return true;
}

static void talk(struct imap_client *client, struct arena *arena)
{
    struct imap_mailboxes mailboxes;
    struct imap_range range = {1, UINT32_MAX};
    struct imap_set all = {.at = &range, .count = 1};
    struct imap_copied copied;
    struct imap_found found;
    size_t count = 0;
    struct imap_sink sink = {&count, 8, begin, write_some, end};
    struct imap_fetch_params fetch = {.uids = &all,
                                      .items = IMAP_ITEM_FLAGS | IMAP_ITEM_ENVELOPE,
                                      .sections = {{.name = STR_EMPTY}},
                                      .section_count = 1,
                                      .sink = &sink};
    struct imap_select_params select = {
        .wire_path = STR("INBOX"), .uidvalidity = 1, .modseq = 1, .known = &all};
    imap_list(client, arena, true, &mailboxes, NULL);
    imap_select(client, &select, NULL, NULL);
    imap_fetch(client, &fetch, each, &count, NULL);
    imap_move(client, arena, &all, STR("b"), &copied, NULL, NULL);
    imap_search_message_id(client, arena, STR("<a@b>"), 5, &found, NULL);
    if (imap_idle_start(client, NULL)) {
        imap_idle_step(client, 0, NULL);
        imap_idle_done(client, NULL);
    }
    imap_noop(client, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    int fds[2];
    size_t sent = 0;
    if (length > 100000 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        return 0;
    while (sent < length) {
        ssize_t n = send(fds[0], bytes + sent, length - sent, MSG_NOSIGNAL);
        if (n <= 0)
            abort();
        sent += (size_t)n;
    }
    shutdown(fds[0], SHUT_WR);
    struct secret secret = secret_new(STR("sesame"));
    struct imap_params params = {
        .stream = {.host = STR("mail.example.org"), .security = STREAM_PLAIN, .stall_ms = 1000},
        .username = STR("ada"),
        .secret = &secret,
        .use_deflate = true,
        .use_utf8 = true};
    struct stream *stream = stream_adopt(fds[1], &params.stream, NULL);
    struct imap_client *client = imap_attach(stream, &params, NULL);
    struct arena *arena = arena_new();
    if (client)
        talk(client, arena);
    arena_free(&arena);
    imap_free(&client);
    secret_free(&secret);
    close(fds[0]);
    return 0;
}
