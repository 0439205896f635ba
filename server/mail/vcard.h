/* Contacts that come by mail (vCard 2.1, 3.0, 4.0: RFC 2426, 6350), as far as a card shows them:
 * a bounded line reader of ours. Pictures, keys and sounds are left out. */
#ifndef RESTANTE_MAIL_VCARD_H
#define RESTANTE_MAIL_VCARD_H

#include "server/base/arena.h"

enum {
    VCARD_BYTES_MAX = 4 * 1024 * 1024, /* what lies behind is not read */
    VCARD_CARDS_MAX = 2000,
    VCARD_LINES_MAX = 100, /* kept, of one card */
    VCARD_TEXT_BYTES_MAX = 4096,
};

enum vcard_kind {
    VCARD_EMAIL,
    VCARD_PHONE,
    VCARD_ADDRESS, /* its parts joined by ", " */
    VCARD_URL,
    VCARD_TITLE,
    VCARD_NOTE, /* lines */
    VCARD_BIRTHDAY,
    VCARD_MEMBER, /* of a group: an address, or another card's UID */
};

struct vcard_line {
    enum vcard_kind kind;
    struct str label; /* lower case, of its TYPE: "home", "work", "cell"...; empty: none */
    struct str value;
};

struct vcard {
    struct str name;         /* FN, or made of N */
    struct str organization; /* ORG, its units joined by ", " */
    struct str uid;
    bool is_group; /* KIND:group (RFC 6350 section 6.1.4), X-ADDRESSBOOKSERVER-KIND */
    struct vcard_line *lines;
    size_t count;
};

struct vcards {
    struct vcard *at;
    size_t count;
    bool is_cut;
};

/* False when there is no card in it. `text` is UTF-8 (mime_decode_text); all that comes out is
 * clean UTF-8 in the arena. */
bool vcard_parse(struct arena *arena, struct str text, struct vcards *cards);

#endif
