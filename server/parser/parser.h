/* Other people's MIME and HTML, parsed by disposable children (`restante parser`) that have no
 * network, no files and no database. A call here hands bytes to a child of the pool and waits; what
 * comes back is read with full distrust. A child that dies or is too slow is replaced and the call
 * tried once more with a fresh one; what fells two children is reported as poison. Callers see
 * plain structs in their arena; all text is valid UTF-8 without NUL and within the caps of mail/.
 *
 * Transfer encodings of downloads are undone in the caller's own process (mail/decode.h): a fixed
 * state machine without memory of its own needs no sandbox. */
#ifndef RESTANTE_PARSER_PARSER_H
#define RESTANTE_PARSER_PARSER_H

#include "server/base/error.h"
#include "server/mail/archive.h"
#include "server/mail/calendar_reply.h"
#include "server/mail/mime.h"

struct parser_pool;

struct parser_options {
    const char *program; /* what is run as a child with the one argument "parser"; NULL:
                            /proc/self/exe */
    int children;        /* started when first needed, kept */
    int deadline_ms;     /* of one request; 0: PARSER_DEADLINE_MS */
    size_t memory_bytes; /* of a child; 0: PARSER_MEMORY_BYTES */
    bool is_permissive;  /* no seccomp filter: for sanitizer builds, where it cannot hold */
};

enum {
    PARSER_CHILDREN = 2,
    PARSER_DEADLINE_MS = 5000,
    PARSER_MEMORY_BYTES = 1024 * 1024 * 1024,
    PARSER_BATCH_MAX = 500,                    /* items of one call */
    PARSER_INPUT_BYTES_MAX = 256 * 1024 * 1024 /* of one message */
};

/* Of a file of mail: mapped, never read whole. 64 GiB. */
#define PARSER_ARCHIVE_BYTES_MAX (UINT64_C(64) << 30)

/* Thread-safe: as many calls at once as there are children; others wait for their turn. */
struct parser_pool *parser_pool_new(const struct parser_options *options, struct error *err);
void parser_pool_free(struct parser_pool **pool);

/* For metrics. */
struct parser_counts {
    uint64_t requests, deaths, timeouts, poison;
    int children, busy;
};
void parser_pool_counts(struct parser_pool *pool, struct parser_counts *counts);

/* The child: serves requests on the socket `fd` until its end closes; returns the exit status. */
int parser_child_main(int fd);

/* Bytes to parse: in memory, or (when fd >= 0) in a file or memfd, from `offset`, which travels by
 * descriptor, so that a 50 MB message costs nobody 50 MB of heap. */
struct parser_input {
    struct str bytes;
    int fd; /* -1: `bytes` */
    uint64_t offset, length;
};
#define PARSER_BYTES(s) ((struct parser_input){.bytes = (s), .fd = -1})

enum parser_verdict {
    PARSER_PARSED,
    PARSER_POISON, /* felled two children: quarantine the message */
};

/* --- what lists need ------------------------------------------------------------------------- */

/* A message as IMAP shows it before its bytes are here. */
struct parser_headers_item {
    struct str header; /* a header block, whole or only some fields of it */
    /* From BODYSTRUCTURE: links and values as mime_choose wants them, but nothing decoded yet;
     * NULL: not known. `name`: the parameters of disposition and type that may hold the file name,
     * as they would stand in a header field: "; filename*0*=utf-8''a; filename*1=b; name=\"c\""
     * (the child undoes RFC 2231 and 2047, filename before name); `description`: raw. */
    const struct mime_part *structure;
    struct str text; /* the beginning of `text_part`'s body as sent; empty: none */
    const struct mime_part *text_part; /* which part of `structure` it is; NULL: none */
};

/* What is kept of a message: the columns of `email`. */
struct parser_summary {
    enum parser_verdict verdict; /* when POISON all else is empty */
    struct str message_id, in_reply_to, references;
    struct str subject;
    struct str from_json, sender_json, reply_to_json, to_json, cc_json, bcc_json; /* "": none */
    int64_t sent_at;                                                              /* 0: none */
    int64_t received_at; /* of the topmost Received field; 0: none */
    bool has_attachment;
    struct str preview;     /* "": no text was given */
    struct str structure;   /* JSON (mime_write_json of the root, with textBody, htmlBody and
                               attachments as arrays of part ids beside it); "": not known */
    struct str header_json; /* "": none */
    const int64_t *thread_keys;
    size_t thread_key_count;
    int64_t message_key;
    struct str words; /* tsvectorrecv form: of the header, the text given, attachment names */
    bool is_cut;      /* a cap was reached somewhere */
};

/* Summaries of `count` (at most PARSER_BATCH_MAX) messages, in order. False only when no child can
 * be had at all. */
bool parser_headers(struct parser_pool *pool, struct arena *arena,
                    const struct parser_headers_item *items, size_t count,
                    struct parser_summary *summaries, struct error *err);
/* The same from a whole raw message. */
bool parser_message(struct parser_pool *pool, struct arena *arena, const struct parser_input *raw,
                    struct parser_summary *summary, struct error *err);

/* Whole raw messages that lie in one file, by one request; at most PARSER_BATCH_MAX. Without
 * `with_words` their `words` are a tsvector of none, which saves the larger part of the work. */
struct parser_extent {
    uint64_t offset, length;
};
bool parser_messages(struct parser_pool *pool, struct arena *arena, int fd,
                     const struct parser_extent *extents, size_t count, bool with_words,
                     struct parser_summary *summaries, struct error *err);

/* A part whose bytes came later: its preview and words (of the body alone). */
struct parser_text_item {
    const struct mime_part *part; /* type, charset, encoding, flowed */
    struct str body;              /* as sent, still encoded; may be cut */
};
struct parser_text_summary {
    enum parser_verdict verdict;
    struct str preview;
    struct str words;
};
bool parser_texts(struct parser_pool *pool, struct arena *arena,
                  const struct parser_text_item *items, size_t count,
                  struct parser_text_summary *summaries, struct error *err);

/* A batch of messages out of a file of somebody's (mail/archive.h), in the arena. `length`: of the
 * file. `point`: begins zeroed, and stays with the file from batch to batch. ERROR_INVALID when the
 * file fells its parser, ERROR_LIMIT when it is too large. */
struct parser_archive {
    struct str bytes; /* the messages one after the other */
    const struct archive_message *at;
    size_t count;
    uint32_t others;
    struct archive_cursor next;
    bool is_end;
    enum archive_trouble trouble;
};
bool parser_archive(struct parser_pool *pool, struct arena *arena, int fd, uint64_t length,
                    struct archive_cursor cursor, struct archive_point *point,
                    struct parser_archive *archive, struct error *err);

/* --- what is shown --------------------------------------------------------------------------- */

/* Part description of one part from email.structure (JSON written by parser_summary): NULL with
 * ERROR_NOT_FOUND when there is no such part. Parts live in the arena; links are set. Our own JSON:
 * read in the caller's process. */
struct mime_message *parser_structure_read(struct arena *arena, struct str structure_json,
                                           struct error *err);

struct parser_render_options {
    bool allow_remote; /* pictures from elsewhere may be loaded */
    /* What stands before a part's id in the URL of a cid: picture ("/mail/1/message/7/part/"), and
     * the whole message's structure to find it in; empty: cid: pictures are left out. */
    struct str part_url_prefix;
    const struct mime_message *message;
    bool as_text; /* HTML is shown as its text */
};

struct parser_rendered {
    enum parser_verdict verdict;
    bool is_html;            /* came from text/html and is to be shown in its own frame */
    struct str html;         /* safe; a fragment for <body> */
    struct str css;          /* safe style sheet of the mail; empty: none */
    int remote_count;        /* references that were blocked (or allowed) */
    struct str remote_hosts; /* their hosts, space separated, each once, at most 20 */
    int deceptive_links;     /* text says one domain, the link goes to another */
    bool brings_own_colours; /* so a dark page shows it on a light ground, */
    bool can_be_turned;      /* or turns light into dark: it is light and brings no dark colours */
    bool is_cut;
};

/* One text part, as sent, made fit for a page. ERROR_LIMIT (sanitiser's fences) never: then the
 * text of the HTML is given with is_cut set. */
bool parser_render(struct parser_pool *pool, struct arena *arena, const struct mime_part *part,
                   struct str body, const struct parser_render_options *options,
                   struct parser_rendered *rendered, struct error *err);
/* One text part as UTF-8 text: bodyValues of the API. `*is_poison` as above. */
bool parser_decode_text(struct parser_pool *pool, struct arena *arena, const struct mime_part *part,
                        struct str body, size_t bytes_max, struct str *text, bool *is_cut,
                        bool *is_poison, struct error *err);
/* The same as a reader sees it: of HTML, its visible text. */
bool parser_visible_text(struct parser_pool *pool, struct arena *arena,
                         const struct mime_part *part, struct str body, size_t bytes_max,
                         struct str *text, bool *is_poison, struct error *err);
/* What people read as a card, as one JSON object:
 *   text/calendar: {"kind": "calendar", "method", "events": [{"summary", "starts": {"at", "zone",
 *       "isDay", "isFloating"}, "ends", "location", "organizer", "attendees"...}]}
 *   vCard types: {"kind": "contacts", "cards": [{"name", "organization", "uid", "isGroup", "lines":
 * [{"kind", "label", "value"}]}]} message/delivery-status, message/disposition-notification:
 * {"kind": "delivery" or "receipt", "messageId", "server", "recipients": [{"email", "action",
 * "status", "diagnostic"}]} winmail.dat: {"kind": "winmail", "text", "attachments": [{"name",
 * "type", "size"}]} Empty texts are left out. `*json` is empty when there is nothing of its kind in
 * it, or when it is poison. */
bool parser_card(struct parser_pool *pool, struct arena *arena, const struct mime_part *part,
                 struct str body, struct str *json, struct error *err);
/* The answer to an invitation as `email` (mail/calendar_reply.h): the text of a text/calendar part.
 * ERROR_INVALID: there is nothing in it that could be answered. */
bool parser_calendar_reply(struct parser_pool *pool, struct arena *arena,
                           const struct mime_part *part, struct str body,
                           const struct calendar_answering *how, struct str *reply,
                           struct error *err);
/* The bytes of the nth attachment (from 0) in a winmail.dat. ERROR_NOT_FOUND: there is none. */
bool parser_winmail(struct parser_pool *pool, struct arena *arena, const struct mime_part *part,
                    struct str body, unsigned n, struct str *bytes, struct str *name,
                    struct error *err);
/* Whether parser_card knows that kind of part. */
bool parser_has_card(const struct mime_part *part);
/* All header fields of a raw message or header block: names as written, values decoded. */
struct parser_header_field {
    struct str name, value;
};
bool parser_header_fields(struct parser_pool *pool, struct arena *arena, struct str header,
                          struct parser_header_field **fields, size_t *count, struct error *err);

#endif
