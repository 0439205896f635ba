/* What a person types, and what a stranger's message lends to the answer: no line of the header
 * begins with foreign words, and the body keeps to its lines. The input's lines are To, the
 * subject, Message-ID, References; what is left is the text. */
#include "server/mail/compose.h"
#include "tests/fuzz/mail_fuzz.h"

static bool append(void *context, struct str bytes)
{
    return buf_str(context, bytes);
}

/* RFC 5322 section 2.1.1, and that whoever reads CR or LF alone as an end sees the same lines. */
static void require_lines(struct str message)
{
    size_t length = 0;
    for (size_t i = 0; i < message.length; i++) {
        REQUIRE(message.at[i] != '\0');
        REQUIRE(message.at[i] != '\n' || (i > 0 && message.at[i - 1] == '\r'));
        REQUIRE(message.at[i] != '\r' || (i + 1 < message.length && message.at[i + 1] == '\n'));
        length = message.at[i] == '\n' ? 0 : length + 1;
        REQUIRE(length <= 999); /* with its CR */
    }
}

static void require_own_header(struct str message)
{
    static const char *const names[] = {
        "From",         "To",         "Subject",     "Date",
        "Message-ID",   "References", "In-Reply-To", "MIME-Version",
        "Content-Type", "X-Mailer",   "User-Agent",  "Content-Transfer-Encoding",
    };
    for (struct str line = str_cut(&message, '\n'); line.length > 1;
         line = str_cut(&message, '\n')) {
        bool is_ours = ascii_is_space(line.at[0]);
        for (size_t i = 0; i < sizeof names / sizeof *names && !is_ours; i++)
            is_ours = str_starts(line, str_of(names[i])) && line.at[strlen(names[i])] == ':';
        REQUIRE(is_ours);
    }
}

static void write_message(struct arena *arena, struct str input)
{
    struct compose compose = {.from = {.email = STR("ada@example.org")}};
    struct str to = str_cut(&input, '\n'), checked;
    if (compose_email_check(arena, to, &checked, NULL))
        require_text(checked);
    if (compose_addresses_read(arena, to, &compose.to, NULL))
        require_text(compose_addresses_show(arena, compose.to));
    compose.from.name = to;
    compose.subject = compose_reply_subject(arena, str_cut(&input, '\n'));
    compose.in_reply_to = str_cut(&input, '\n');
    compose.references =
        compose_references(arena, str_cut(&input, '\n'), STR_EMPTY, compose.in_reply_to);
    compose.message_id = compose_message_id(arena, STR("ada@example.org"));
    compose.text = input;
    struct buf message = BUF_INIT(16 << 20);
    struct compose_needs needs;
    if (compose_write(&compose, append, &message, &needs, NULL)) {
        require_lines(buf_view(&message));
        require_own_header(buf_view(&message));
    }
    buf_free(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena *arena = arena_new();
    struct str input = fuzz_input(bytes, length);
    struct buf out = BUF_INIT(16 << 20);
    write_message(arena, input);
    compose_quote(&out, input);
    buf_reset(&out);
    compose_flow(&out, input);
    const struct compose_forwarded forwarded = {.from = input, .subject = input};
    compose_forward_block(&out, &forwarded);
    buf_reset(&out);
    compose_text_html(&out, input); /* nothing but our own elements in it */
    for (size_t i = 0; i < out.length; i++)
        if (out.at[i] == '<') {
            struct str tag = str_skip(buf_view(&out), i);
            REQUIRE(str_starts(tag, STR("<div>")) || str_starts(tag, STR("</div>")) ||
                    str_starts(tag, STR("<br>")) || str_starts(tag, STR("</blockquote>")) ||
                    str_starts(tag, STR("<blockquote type=\"cite\">")));
        }
    buf_free(&out);
    arena_free(&arena);
    return 0;
}
