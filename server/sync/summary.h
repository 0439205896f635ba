/* What a parser child made of a message, as the row that the store keeps of it. */
#ifndef RESTANTE_SYNC_SUMMARY_H
#define RESTANTE_SYNC_SUMMARY_H

#include "server/parser/parser.h"
#include "server/store/replica.h"

/* Puts all that `summary` tells into the row. The moment it came only where the row has none. */
void summary_fill(const struct parser_summary *summary, struct replica_email *email);

#endif
