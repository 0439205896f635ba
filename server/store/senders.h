/* What a person decided about senders of mail. */
#ifndef RESTANTE_STORE_SENDERS_H
#define RESTANTE_STORE_SENDERS_H

#include "server/store/store.h"

/* Whether pictures from elsewhere may be loaded in mail of that address. */
enum remote_choice { REMOTE_ASK, REMOTE_SENDER, REMOTE_EVERYBODY };
bool remote_choice(struct db *db, int64_t user_id, struct str email, enum remote_choice *choice,
                   struct error *err);
/* From now on they are, for that address or (empty) for everybody. */
bool remote_allow(struct db *db, int64_t user_id, struct str email, struct error *err);
/* From now on the person is asked again. */
bool remote_forbid(struct db *db, int64_t user_id, struct str email, struct error *err);

#endif
