/* Writing mail: what a person composed becomes the bytes of a message (RFC 5322, 2045-2047, 2231,
 * 2392, 3676, 6532), written piece by piece, so that an attachment of 25 MB needs no 25 MB. The
 * encodings are GMime's; the lines are ours: CRLF everywhere, none longer than 998 bytes, no NUL.
 * Nothing foreign can begin a header line: control characters become spaces, addresses that hold
 * any are refused. Bcc is never written; who keeps a copy puts compose_bcc in front of it. */
#ifndef RESTANTE_MAIL_COMPOSE_H
#define RESTANTE_MAIL_COMPOSE_H

#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/base/error.h"

enum {
    COMPOSE_ATTACHMENTS_MAX = 200,
    COMPOSE_ADDRESSES_MAX = 1000, /* of To, Cc and Bcc together */
    COMPOSE_SUBJECT_BYTES_MAX = 8 * 1024,
    COMPOSE_TEXT_BYTES_MAX = 8 * 1024 * 1024, /* of the text and of the HTML */
    COMPOSE_REFERENCES_BYTES_MAX = 8 * 1024,  /* the oldest but the first are left out */
};

struct compose_address {
    struct str name;  /* UTF-8; empty: none */
    struct str email; /* as compose_email_check made it */
};
struct compose_addresses {
    const struct compose_address *at;
    size_t count;
};

/* Takes bytes; false ends the writing (the taker knows why). */
typedef bool compose_write_fn(void *context, struct str bytes);
/* Gives the bytes of an attachment to `write`, piece by piece; may be called twice. */
typedef bool compose_stream_fn(void *source, compose_write_fn *write, void *context,
                               struct error *err);

struct compose_attachment {
    struct str type; /* "image/png"; one that is none becomes application/octet-stream. What is
                        "text/calendar; method=REPLY" is the other form of a plain text; a
                        "message/disposition-notification" makes the message a receipt */
    struct str name; /* UTF-8; empty: none */
    struct str cid;  /* not empty: a picture within the HTML, cid:… */
    compose_stream_fn *stream;
    void *source;
};

enum compose_priority { COMPOSE_NORMAL, COMPOSE_HIGH, COMPOSE_LOW };

struct compose {
    struct compose_address from;
    struct compose_addresses reply_to, to, cc;
    struct str subject;
    struct str text;        /* UTF-8; LF or CRLF; lines that begin with ">" are quotes */
    struct str html;        /* UTF-8, already sanitised; empty: plain text only */
    struct str message_id;  /* without <> */
    struct str in_reply_to; /* without <>; empty: none */
    struct str references;  /* ids without <>, separated by spaces */
    int64_t date_at;        /* UTC microseconds */
    int date_offset_minutes;
    enum compose_priority priority;
    bool wants_receipt; /* Disposition-Notification-To (RFC 8098) */
    bool is_draft;      /* "X-Unsent: 1": other programs open it for writing */
    const struct compose_attachment *attachments;
    size_t attachment_count;
};

struct compose_needs {
    bool smtputf8; /* an address has other than ASCII before the @ */
    bool eightbit; /* an attached message has 8-bit bytes: 8BITMIME */
};

/* Writes the message. False when the taker or an attachment's stream gave up (`err` may be the
 * stream's), ERROR_INVALID for addresses and ids that cannot be written, ERROR_LIMIT beyond the
 * caps above. */
bool compose_write(const struct compose *compose, compose_write_fn *write, void *context,
                   struct compose_needs *needs, struct error *err);

/* "Bcc: …\r\n", empty without addresses: what a copy of one's own has in front. */
bool compose_bcc(struct buf *out, struct compose_addresses bcc, struct error *err);

/* --- addresses and ids ------------------------------------------------------------------------ */

/* An address as it may go into an envelope and a header: local@domain with the domain in ASCII
 * (IDNA 2008); in the arena. ERROR_INVALID with a sentence for the person. */
bool compose_email_check(struct arena *arena, struct str email, struct str *checked,
                         struct error *err);
/* What a person types into To: "Ada <a@b>, c@d; e@f". ERROR_INVALID names what is no address. */
bool compose_addresses_read(struct arena *arena, struct str typed,
                            struct compose_addresses *addresses, struct error *err);
/* The reverse, for the form: "Ada Lovelace <a@b>, c@d". */
struct str compose_addresses_show(struct arena *arena, struct compose_addresses addresses);
/* A new id without <>: 128 random bits at the domain of the address. */
struct str compose_message_id(struct arena *arena, struct str email);
/* References of an answer: those of the original, its In-Reply-To when it has none, and its id (RFC
 * 5322 section 3.6.4), capped; without <>. */
struct str compose_references(struct arena *arena, struct str references, struct str in_reply_to,
                              struct str message_id);

/* --- answering and forwarding ----------------------------------------------------------------- */

/* "Re: …" and "Fwd: …", once, whatever languages put there before. */
struct str compose_reply_subject(struct arena *arena, struct str subject);
struct str compose_forward_subject(struct arena *arena, struct str subject);
/* "On 24 November 2026 at 14:05, Ada wrote:" */
struct str compose_attribution(struct arena *arena, struct str who, int64_t at_us,
                               int offset_minutes);
/* Each line behind "> " (">" before a quote), the signature left out. */
bool compose_quote(struct buf *out, struct str text);
/* "-------- Forwarded message --------" and the header that people look at. Empty ones are left
 * out. */
struct compose_forwarded {
    struct str from, to, cc, subject;
    int64_t at_us;
    int offset_minutes;
};
bool compose_forward_block(struct buf *out, const struct compose_forwarded *forwarded);

/* --- formatted ------------------------------------------------------------------------------- */

/* Text as HTML for a letter: a <div> a line, quotes as <blockquote type="cite">. */
bool compose_text_html(struct buf *out, struct str text);
/* HTML that is sanitised, as a quote. */
bool compose_quote_html(struct buf *out, struct str html);
/* "-- " and the signature: of two forms the formatted one, if there is one. */
bool compose_signature_html(struct buf *out, struct str html, struct str text);

/* Text as format=flowed (RFC 3676): paragraphs in lines of at most 72 characters with a space at
 * their soft ends, quotes kept, lines stuffed; CRLF. */
bool compose_flow(struct buf *out, struct str text);

#endif
