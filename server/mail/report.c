#include "server/mail/report.h"

#include "server/base/encode.h"
#include "server/mail/address.h"
#include "server/mail/header.h"

static const char *const action_names[] = {
    [REPORT_UNKNOWN] = "unknown",     [REPORT_FAILED] = "failed",   [REPORT_DELAYED] = "delayed",
    [REPORT_DELIVERED] = "delivered", [REPORT_RELAYED] = "relayed", [REPORT_EXPANDED] = "expanded",
    [REPORT_DISPLAYED] = "displayed", [REPORT_DELETED] = "deleted",
};
enum { ACTIONS = sizeof action_names / sizeof *action_names };

const char *report_action_name(enum report_action action)
{
    return action_names[action];
}

static enum report_action action_of(struct str word)
{
    for (size_t i = 0; i < ACTIONS; i++)
        if (str_equal_nocase(word, str_of(action_names[i])))
            return (enum report_action)i;
    return REPORT_UNKNOWN;
}

/* What stands behind the type in "rfc822; ann@example.org" or "smtp; 550 no". */
static struct str without_type(struct arena *arena, struct str value)
{
    ptrdiff_t semicolon = str_find_char(value, ';');
    return header_text(arena, semicolon < 0 ? value : str_skip(value, (size_t)semicolon + 1));
}

static struct str email_of(struct arena *arena, struct str value)
{
    struct mail_addresses list;
    address_parse(arena, without_type(arena, value), &list);
    return list.count ? list.at[0].email : STR_EMPTY;
}

static struct str first_word(struct str text)
{
    size_t length = 0;
    while (length < text.length && !ascii_is_space(text.at[length]))
        length++;
    return str_sub(text, 0, length);
}

static struct str find_text(struct arena *arena, struct str group, struct str name)
{
    struct str value;
    return header_find(group, name, &value) ? without_type(arena, value) : STR_EMPTY;
}

/* The first word of a field that has no type. */
static struct str find_word(struct arena *arena, struct str group, struct str name)
{
    struct str value;
    return header_find(group, name, &value) ? first_word(header_text(arena, value)) : STR_EMPTY;
}

/* Original-Recipient is who I wrote to; an empty one says nothing. */
static struct str recipient_of(struct arena *arena, struct str group)
{
    struct str value, email = STR_EMPTY;
    if (header_find(group, STR("Original-Recipient"), &value))
        email = email_of(arena, value);
    if (email.length == 0 && header_find(group, STR("Final-Recipient"), &value))
        email = email_of(arena, value);
    return email;
}

static void add_recipient(struct report *report, struct report_recipient recipient)
{
    if (report->count < REPORT_RECIPIENTS_MAX)
        report->recipients[report->count++] = recipient;
    else
        report->is_cut = true;
}

/* Cuts the next group of fields, which ends at an empty line. */
static struct str next_group(struct str *rest)
{
    while (rest->length && (rest->at[0] == '\n' || rest->at[0] == '\r'))
        *rest = str_skip(*rest, 1);
    ptrdiff_t end = str_find(*rest, STR("\n\n"));
    struct str group = end < 0 ? *rest : str_sub(*rest, 0, (size_t)end + 1);
    *rest = str_skip(*rest, group.length);
    return group;
}

/* The ENVID that the message was handed over with (RFC 3461 section 4.4): ours are Message-IDs.
 * Some servers tell it as xtext still. */
static struct str envelope_id(struct arena *arena, struct str group)
{
    struct str given = find_word(arena, group, STR("Original-Envelope-Id"));
    struct buf id = BUF_INIT(given.length + 1);
    for (size_t i = 0; i < given.length; i++) {
        struct str code = str_sub(str_skip(given, i), 1, 2);
        bool is_code = given.at[i] == '+' && code.length == 2 && decode_hex(&id, code);
        if (is_code)
            i += 2;
        else
            buf_char(&id, given.at[i]);
    }
    struct str made =
        str_find_char(buf_view(&id), '@') > 0 ? header_id(arena, buf_view(&id)) : STR_EMPTY;
    buf_free(&id);
    return made;
}

/* RFC 3464 section 2.1: fields of the message, then a group of fields for each recipient. */
static void read_delivery(struct arena *arena, struct str text, struct report *report)
{
    report->kind = REPORT_DELIVERY;
    while (text.length) {
        struct str group = next_group(&text), value;
        if (report->reporting_mta.length == 0)
            report->reporting_mta = find_text(arena, group, STR("Reporting-MTA"));
        if (report->message_id.length == 0)
            report->message_id = envelope_id(arena, group);
        if (!header_find(group, STR("Final-Recipient"), &value) &&
            !header_find(group, STR("Action"), &value))
            continue;
        struct report_recipient recipient = {
            .email = recipient_of(arena, group),
            .status = find_word(arena, group, STR("Status")),
            .diagnostic = find_text(arena, group, STR("Diagnostic-Code")),
            .remote_mta = find_text(arena, group, STR("Remote-MTA")),
        };
        recipient.action = action_of(find_word(arena, group, STR("Action")));
        add_recipient(report, recipient);
    }
}

/* RFC 8098 section 3.2.6: "automatic-action/MDN-sent-automatically; displayed/error". */
static void read_receipt(struct arena *arena, struct str text, struct report *report)
{
    struct str group = next_group(&text), value, mode = STR_EMPTY, rest;
    struct report_recipient recipient = {
        .email = recipient_of(arena, group),
        .status = STR_EMPTY,
        .diagnostic = find_text(arena, group, STR("Error")),
        .remote_mta = STR_EMPTY,
    };
    report->kind = REPORT_RECEIPT;
    report->reporting_mta = find_text(arena, group, STR("Reporting-UA"));
    if (header_find(group, STR("Disposition"), &value)) {
        rest = header_text(arena, value);
        mode = str_cut(&rest, ';');
        rest = rest.at ? rest : STR_EMPTY;
        struct str type = str_cut(&rest, '/');
        recipient.action = action_of(str_trim(type));
    }
    report->is_automatic = str_find_nocase(mode, STR("automatic-action")) >= 0;
    if (header_find(group, STR("Original-Message-ID"), &value))
        report->message_id = header_id(arena, value);
    add_recipient(report, recipient);
}

/* My message's id: the original, or its header, comes along as a part. */
static struct str original_id(struct arena *arena, struct str raw,
                              const struct mime_message *message)
{
    for (const struct mime_part *part = message->root; part; part = mime_next(part)) {
        if (!str_equal(part->type, STR("text/rfc822-headers")) &&
            !str_equal(part->type, STR("message/rfc822")) &&
            !str_equal(part->type, STR("message/global-headers")) &&
            !str_equal(part->type, STR("message/global")))
            continue;
        struct buf header = BUF_INIT(2 * REPORT_BYTES_MAX);
        struct str value, id = STR_EMPTY;
        mime_decode(&header, str_sub(mime_body(raw, part), 0, REPORT_BYTES_MAX), part->encoding);
        if (header_find(buf_view(&header), STR("Message-ID"), &value))
            id = header_id(arena, value);
        buf_free(&header);
        if (id.length)
            return id;
    }
    return STR_EMPTY;
}

static const struct {
    const char *type;
    void (*read)(struct arena *arena, struct str text, struct report *report);
} readers[] = {
    {"message/delivery-status", read_delivery},
    {"message/global-delivery-status", read_delivery},
    {"message/disposition-notification", read_receipt},
    {"message/global-disposition-notification", read_receipt},
};

bool report_parse(struct arena *arena, struct str raw, const struct mime_message *message,
                  struct report *report)
{
    enum { READERS = sizeof readers / sizeof *readers };
    for (const struct mime_part *part = message->root; part; part = mime_next(part)) {
        for (size_t i = 0; i < READERS; i++) {
            if (!str_equal(part->type, str_of(readers[i].type)))
                continue;
            *report = (struct report){.message_id = STR_EMPTY, .reporting_mta = STR_EMPTY};
            report->recipients = ARENA_ARRAY(arena, REPORT_RECIPIENTS_MAX, struct report_recipient);
            struct str body = mime_body(raw, part);
            report->is_cut = body.length > REPORT_BYTES_MAX;
            struct buf text = BUF_INIT(4 * REPORT_BYTES_MAX);
            mime_decode_text(&text, str_sub(body, 0, REPORT_BYTES_MAX), part);
            readers[i].read(arena, buf_view(&text), report);
            buf_free(&text);
            if (report->message_id.length == 0)
                report->message_id = original_id(arena, raw, message);
            return true;
        }
    }
    return false;
}
