/* What contacts and their groups share. */
#ifndef RESTANTE_STORE_CONTACTS_PRIVATE_H
#define RESTANTE_STORE_CONTACTS_PRIVATE_H

#include "server/store/contacts.h"
#include "server/store/db.h"

/* Rows with the columns of contact_list; frees them. */
bool contacts_read(struct db_rows *rows, struct arena *arena, struct contact **contacts,
                   size_t *count);
/* For LIKE: `before` + what was typed + "%", with the signs of LIKE taken literally. */
struct str contacts_pattern(struct arena *arena, const char *before, struct str typed);

#endif
