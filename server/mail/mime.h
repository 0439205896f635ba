/* The structure of a message (RFC 2045-2049): one pass over the bytes gives a tree of parts with
 * their places in the raw message, so that any part can be cut out and decoded later. Linear in
 * time whatever the message; caps are flagged, never silent. */
#ifndef RESTANTE_MAIL_MIME_H
#define RESTANTE_MAIL_MIME_H

#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/base/json.h"

enum {
    MIME_DEPTH_MAX = 100,   /* deeper multiparts and messages are leaves */
    MIME_PARTS_MAX = 10000, /* what follows belongs to the last part */
    MIME_SHOWN_MAX = 1000,  /* parts in text_body, html_body, attachments each */
};

enum mime_encoding {
    MIME_8BIT, /* 7bit, 8bit, binary, and anything unknown: as it is */
    MIME_QUOTED_PRINTABLE,
    MIME_BASE64,
    MIME_UUENCODE,
};

struct mime_part {
    struct str id;          /* IMAP part number ("1.2"); empty for a multipart that is the whole
                               message's body or that of a message/rfc822; "1.u1" for a file that
                               stands uuencoded within the plain text of "1", its child */
    struct str type;        /* "text/plain": lower case, always with one slash */
    struct str charset;     /* as labelled, lower case; empty: not said */
    struct str name;        /* file name, decoded, see filename.h; empty: none */
    struct str disposition; /* "inline", "attachment", other words in lower case; empty: not said */
    struct str cid;         /* Content-ID without <>; empty: none */
    struct str location;    /* Content-Location; empty: none */
    struct str language;    /* Content-Language as written; empty: none */
    struct str description; /* Content-Description, decoded; empty: none */
    struct str boundary;    /* of a multipart */
    enum mime_encoding encoding;
    bool is_flowed; /* format=flowed (RFC 3676) */
    bool is_delsp;
    size_t header_offset; /* bytes from the start of the raw message */
    size_t body_offset;
    size_t body_length; /* bytes as sent, still encoded, without the line end before the boundary */
    size_t size;        /* bytes after decoding (RFC 8621 EmailBodyPart.size); 0 for multiparts */
    size_t lines;       /* of a leaf's body as sent: what IMAP's BODYSTRUCTURE counts */
    unsigned depth;     /* 0: the root */
    struct mime_part *parent, *first_child, *next;
};

/* A list of parts, in the order to be shown. */
struct mime_list {
    struct mime_part **at;
    size_t count;
};

struct mime_message {
    struct mime_part *root; /* never NULL */
    size_t part_count;
    struct mime_list text_body, html_body, attachments; /* RFC 8621 section 4.1.4 */
    bool has_attachment; /* something in `attachments` that is not an inline picture */
    bool is_cut;         /* a cap was reached */
    const char *cut_why; /* a sentence; NULL when nothing was cut */
};

/* Parses a whole raw message (or one whose end is missing). Never fails; slices point into the
 * arena or into `raw`. */
struct mime_message *mime_parse(struct arena *arena, struct str raw);

/* For a tree made from IMAP's BODYSTRUCTURE: fill type, charset, name, disposition, cid, encoding,
 * body_length, lines and the links, then call this. It numbers the parts, counts them, estimates
 * `size`, and chooses text_body, html_body, attachments and has_attachment. */
void mime_choose(struct arena *arena, struct mime_message *message);

/* The message that lies in a part (message/rfc822), with lists of its own; its parts keep the
 * numbers that they have in the whole. NULL when they are not known, because it is encoded or cut
 * off. */
struct mime_message *mime_inner(struct arena *arena, const struct mime_part *part);

/* The part of that number ("1.2"), or NULL; an empty id is the root. */
struct mime_part *mime_find(const struct mime_message *message, struct str id);
/* Depth first: the part after `part`, or NULL. */
struct mime_part *mime_next(const struct mime_part *part);

bool mime_is_multipart(const struct mime_part *part);
bool mime_is_text(const struct mime_part *part); /* text/plain or text/html, as body */

/* The encoded body of a part: a slice of `raw`. */
struct str mime_body(struct str raw, const struct mime_part *part);
/* Decoded bytes of a body; false when `out` was full. */
bool mime_decode(struct buf *out, struct str body, enum mime_encoding encoding);
/* A body as UTF-8: decoded, charset converted and repaired, CRLF to LF, NUL to U+FFFD. For HTML
 * without a label the <meta charset> is used; the uuencoded files within plain text are left out.
 * False when `out` was full. */
bool mime_decode_text(struct buf *out, struct str body, const struct mime_part *part);

enum mime_encoding mime_encoding_of(struct str name);

/* EmailBodyPart as JSON (RFC 8621 section 4.1.4: partId, size, name, type, charset, disposition,
 * cid, language, location, subParts) with ours beside: encoding, headerOffset, offset, length,
 * lines, flowed, delsp. */
void mime_write_json(struct json *json, const struct mime_part *part);

#endif
