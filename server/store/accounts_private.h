/* What accounts.c and leases.c share. */
#ifndef RESTANTE_STORE_ACCOUNTS_PRIVATE_H
#define RESTANTE_STORE_ACCOUNTS_PRIVATE_H

#include "server/store/accounts.h"
#include "server/store/db.h"

/* The columns of account_list, in their order. */
void account_read(struct db_rows *rows, struct arena *arena, struct account *account);

#endif
