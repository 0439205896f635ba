/* Requests that are carried out once, however often they are asked for: what was answered to whom
 * under which key. A key is its person's own and is kept for a day. */
#ifndef RESTANTE_STORE_REQUEST_KEYS_H
#define RESTANTE_STORE_REQUEST_KEYS_H

#include "server/base/seal.h"
#include "server/store/store.h"

struct request_key {
    int64_t user_id;
    unsigned char hash[TOKEN_HASH_BYTES];        /* of the key */
    unsigned char fingerprint[TOKEN_HASH_BYTES]; /* of what is asked for under it */
    int64_t id; /* what the request is known by further down, the same when it comes again */
    int64_t
        made_id; /* what it has made already, before its process died; 0: nothing that is known */
};

struct request_answer {
    int status;
    struct str media_type, location; /* empty: none */
    struct str body;
    bool has_secret; /* its body is not kept */
};

enum request_state {
    REQUEST_NEW,       /* to be carried out; end it with one of the functions below */
    REQUEST_ANSWERED,  /* it was: `answer` */
    REQUEST_UNDER_WAY, /* it is being carried out this very moment */
    REQUEST_OTHER,     /* the key belongs to another request */
};

/* Takes the key for `held_s` seconds: when the process dies meanwhile, the same request may come
 * again after them. Fills both ids. */
bool request_key_take(struct db *db, struct arena *arena, struct request_key *key, int held_s,
                      enum request_state *state, struct request_answer *answer, struct error *err);
/* Within the transaction that makes it; posted. */
bool request_key_note_made(struct db *db, const struct request_key *key, int64_t made_id,
                           struct error *err);
/* Keeps the answer for those who ask again. */
bool request_key_answer(struct db *db, const struct request_key *key,
                        const struct request_answer *answer, struct error *err);
/* It is open what became of it: the same request may come again at once, under the same id. */
bool request_key_let_go(struct db *db, const struct request_key *key, struct error *err);
/* Nothing became of it: the key is free. */
bool request_key_forget(struct db *db, const struct request_key *key, struct error *err);

#endif
