#include "server/pop3/dots.h"

struct output {
    pop3_write_fn *write;
    void *context;
    bool *is_wanted;
};

static void put(const struct output *output, const char *at, size_t length)
{
    if (length > 0 && output->write && *output->is_wanted)
        *output->is_wanted = output->write(output->context, str_make(at, length));
}

/* From `from` to behind the end of the line; `length` when it does not end here. */
static size_t skip_line(struct pop3_dots *dots, struct str bytes, size_t from)
{
    const char *lf = memchr(bytes.at + from, '\n', bytes.length - from);
    if (!lf)
        return bytes.length;
    size_t at = (size_t)(lf - bytes.at);
    bool has_cr = at > 0 ? bytes.at[at - 1] == '\r' : dots->has_cr;
    if (has_cr || dots->is_lf_only)
        dots->state = POP3_DOTS_LINE;
    return at + 1;
}

size_t pop3_dots_feed(struct pop3_dots *dots, struct str bytes, pop3_write_fn *write, void *context,
                      bool *is_wanted)
{
    struct output output = {write, context, is_wanted};
    size_t run = 0, i = 0; /* [run, i) is the message's and not written yet */
    while (i < bytes.length && dots->state != POP3_DOTS_DONE) {
        char c = bytes.at[i];
        switch (dots->state) {
        case POP3_DOTS_LINE:
            dots->state = POP3_DOTS_TEXT;
            if (c == '.') {
                put(&output, bytes.at + run, i - run);
                run = ++i;
                dots->state = POP3_DOTS_DOT;
                dots->has_cr = false;
            }
            break;
        case POP3_DOTS_DOT:
            dots->state = POP3_DOTS_TEXT; /* the dot was stuffed: it is left out */
            if (c == '\r') {
                run = ++i;
                dots->state = POP3_DOTS_CR;
            } else if (c == '\n' && dots->is_lf_only) {
                run = ++i;
                dots->state = POP3_DOTS_DONE;
            }
            break;
        case POP3_DOTS_CR:
            dots->state = POP3_DOTS_TEXT;
            if (c == '\n') {
                run = ++i;
                dots->state = POP3_DOTS_DONE;
            } else {
                put(&output, "\r", 1);
                dots->has_cr = true;
            }
            break;
        default:
            i = skip_line(dots, bytes, i);
        }
    }
    put(&output, bytes.at + run, i - run);
    dots->has_cr = i > 0 ? dots->state == POP3_DOTS_TEXT && bytes.at[i - 1] == '\r' : dots->has_cr;
    return i;
}
