/* Outlook's winmail.dat (MS-OXTNEF): a bounded reader of what people miss, the attachments, and of
 * the text where it stands nowhere else. Attachments are slices of the input, so nothing can grow;
 * a body that is there as packed rich text only is read as text (rtf.h), at most a megabyte. */
#ifndef RESTANTE_MAIL_TNEF_H
#define RESTANTE_MAIL_TNEF_H

#include "server/base/arena.h"

enum {
    TNEF_ATTACHMENTS_MAX = 1000,
    TNEF_PROPERTIES_MAX = 10000, /* of MAPI, over the whole file */
};

struct tnef_attachment {
    struct str name;  /* clean (filename.h); empty: none */
    struct str type;  /* "image/png" as the sender said; empty: not said. An Outlook message that
                         was attached is "application/ms-tnef": read it with tnef_parse again */
    struct str cid;   /* Content-ID without <>; empty: none */
    struct str bytes; /* a slice of the input */
};

struct tnef {
    struct tnef_attachment *attachments;
    size_t count;
    struct str html;   /* the body as HTML, in the charset of `codepage`; empty: none. A slice */
    struct str text;   /* the body as UTF-8; empty: none */
    unsigned codepage; /* 1252; 0: not said */
    bool is_cut;       /* a cap was reached, or the file ends too early */
};

/* True for application/ms-tnef, application/vnd.ms-tnef, and for a file called winmail.dat. */
bool tnef_is_likely(struct str type, struct str name);

/* False when the bytes are no TNEF. Checksums are not looked at. */
bool tnef_parse(struct arena *arena, struct str bytes, struct tnef *tnef);

#endif
