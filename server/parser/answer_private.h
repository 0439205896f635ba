/* The child's answers, one function a kind of request: each reads what is left of the request and
 * writes its reply. False when the request is broken. */
#ifndef RESTANTE_PARSER_ANSWER_PRIVATE_H
#define RESTANTE_PARSER_ANSWER_PRIVATE_H

#include "server/parser/parser.h"
#include "server/parser/protocol.h"
#include "server/parser/wire.h"

enum { ANSWER_TEXT_BYTES_MAX = 4 * 1024 * 1024 }; /* of one part's decoded text */

bool answer_is_html(const struct mime_part *part);

/* cards.c */
bool answer_card(struct arena *arena, struct wire *in, struct buf *reply);
bool answer_winmail(struct arena *arena, struct wire *in, struct buf *reply);
bool answer_calendar_reply(struct arena *arena, struct wire *in, struct buf *reply);

/* summary.c */
bool answer_headers(struct arena *arena, struct wire *in, struct buf *reply);
bool answer_message(struct arena *arena, struct wire *in, int fd, struct buf *reply);
bool answer_messages(struct arena *arena, struct wire *in, int fd, struct buf *reply);
bool answer_texts(struct arena *arena, struct wire *in, struct buf *reply);
bool answer_header_fields(struct arena *arena, struct wire *in, struct buf *reply);

/* render.c */
bool answer_render(struct arena *arena, struct wire *in, struct buf *reply);
bool answer_decode_text(struct arena *arena, struct wire *in, struct buf *reply);

/* archive.c */
bool answer_archive(struct wire *in, int fd, struct buf *reply);

#endif
