/* The parsers of each kind of response; parse.c chooses among them. They return false where the
 * response makes no sense, with the lexer anywhere. */
#ifndef RESTANTE_IMAP_PARSE_PRIVATE_H
#define RESTANTE_IMAP_PARSE_PRIVATE_H

#include "server/imap/lex_private.h"

/* parse_message.c */
bool parse_fetch(struct lexer *lex, struct imap_fetch *fetch);
/* parse_structure.c */
bool parse_envelope(struct lexer *lex, struct imap_envelope *envelope);
bool parse_body(struct lexer *lex, unsigned depth, struct imap_body **body);
/* parse_mailbox.c */
bool parse_flags(struct lexer *lex, struct imap_flags *flags);
bool parse_list(struct lexer *lex, struct imap_response *response);
bool parse_lsub(struct lexer *lex, struct imap_response *response);
bool parse_status(struct lexer *lex, struct imap_response *response);
bool parse_namespace(struct lexer *lex, struct imap_response *response);
bool parse_search(struct lexer *lex, struct imap_response *response);
bool parse_esearch(struct lexer *lex, struct imap_response *response);
bool parse_vanished(struct lexer *lex, struct imap_response *response);
bool parse_quota(struct lexer *lex, struct imap_response *response);
bool parse_quotaroot(struct lexer *lex, struct imap_response *response);
bool parse_id(struct lexer *lex, struct imap_response *response);
/* parse_code.c */
enum imap_code parse_code(struct lexer *lex, struct imap_response *response);

/* All words up to the end. */
bool parse_words(struct lexer *lex, struct imap_response *response);

#endif
