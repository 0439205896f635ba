/* What a person answered to invitations that came by mail. */
#ifndef RESTANTE_STORE_INVITATIONS_H
#define RESTANTE_STORE_INVITATIONS_H

#include "server/store/store.h"

struct invitation_answer {
    struct str answer; /* "accepted", "tentative", "declined"; empty: none was given */
    int64_t answered_at;
    bool is_under_way; /* the message that carries it waits, and may be called back */
    bool is_lost;      /* that message could not be sent, or may not have been */
};
/* An answer that was called back in time counts as none. */
bool invitation_answer(struct db *db, struct arena *arena, int64_t account_id, int64_t email_id,
                       struct invitation_answer *answer, struct error *err);
/* The newest counts. */
bool invitation_answer_put(struct db *db, int64_t account_id, int64_t email_id, struct str answer,
                           int64_t submission_id, struct error *err);

#endif
