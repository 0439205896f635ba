/* What mime.c and mime_choose.c share. */
#ifndef RESTANTE_MAIL_MIME_PRIVATE_H
#define RESTANTE_MAIL_MIME_PRIVATE_H

#include "server/mail/mime.h"

/* mime_choose for a tree whose sizes are known to the byte. */
void mime_choose_parsed(struct arena *arena, struct mime_message *message);

#endif
