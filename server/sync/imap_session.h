/* The IMAP connection of one account and what is going on over it. Belongs to the worker thread
 * that runs the account's slice. */
#ifndef RESTANTE_SYNC_IMAP_SESSION_H
#define RESTANTE_SYNC_IMAP_SESSION_H

#include "server/imap/client.h"
#include "server/imap/set.h"
#include "server/store/replica.h"
#include "server/sync/slice.h"

/* A mailbox under way. */
struct session_mailbox {
    struct replica_mailbox known;     /* as in the database; texts in the session's arena */
    bool is_stale;                    /* the server told of something new: look at it */
    bool has_backfill;                /* `below` was asked for in this session */
    struct imap_set below;            /* UIDs that are not here yet; owned */
    bool wants_text;                  /* bodies to prefetch may be left */
    struct replica_position whole_at; /* whole messages are asked for from here on */
    struct imap_set without_whole;    /* asked for in vain in this session; owned */
    bool must_compare;                /* counts did not agree: compare all UIDs */
    struct imap_set given_up;         /* listed, and not to be had in this session; owned */
    int64_t flags_at_ms;              /* monotonic: when all flags were asked for last; 0: never */
    int64_t
        looked_at_ms; /* monotonic: when it was looked at because somebody opened it; 0: never */
    int refusals;     /* of SELECT and what follows it, in this session */
    int resets;       /* of its UIDs in this session */
    bool has_modseq_back; /* one of them because HIGHESTMODSEQ went back */
};

/* What the server told unasked of the selected mailbox, until imap_pull takes it over. */
struct session_news {
    struct imap_set vanished;    /* owned */
    struct replica_flags *flags; /* in the session's arena */
    size_t flag_count, flag_capacity;
    bool has_unknown;  /* flags changed of a message whose UID was not told */
    bool has_expunged; /* messages were removed */
};

struct imap_session {
    struct imap_client *client;
    struct arena *arena; /* of `mailboxes` and news; made anew at each refresh */
    struct session_mailbox *mailboxes;
    size_t mailbox_count;
    struct session_mailbox *selected; /* NULL: none */
    bool is_followed; /* since SELECT all that had changed was asked for: the server tells the rest
                       */
    bool is_set_back; /* SELECT told less than was known: UIDs may be other messages' */
    struct session_news news;
    int64_t refresh_at_ms; /* monotonic: when the folders are listed again */
    /* Another connection is asked instead: the folders that this one lists are not those that are
     * there; or monotonic `renew_at_ms` has come. */
    bool is_worn;
    int64_t renew_at_ms;
    bool has_settled; /* everything was here once in this session */
    bool is_notified; /* NOTIFY is on: the server tells of all folders */
    bool is_notify_refused;
    bool awaits_folder; /* at `refresh_at_ms` the time of one that was set aside is over */
    bool must_refresh;  /* folders were changed from here: list them again */
    bool wants_words;   /* words of whole messages may still be to be found */
    bool has_policy;    /* the policy below is what was worked by last */
    enum prefetch prefetch;
    int prefetch_days;
};

/* Connects and signs in if there is no connection, or an old one is broken. */
bool imap_session_open(struct slice *slice, struct error *err);
void imap_session_free(struct imap_session **session);

/* Frees what the mailboxes own; their array is the arena's. */
void imap_session_free_mailboxes(struct imap_session *session);

/* Bodies may be wanted of messages anywhere in the mailbox. */
static inline void imap_session_want_text(struct session_mailbox *mailbox)
{
    mailbox->wants_text = true;
    mailbox->whole_at = (struct replica_position){0};
}

/* The mailbox with that id, or NULL. */
struct session_mailbox *imap_session_mailbox(struct imap_session *session, int64_t mailbox_id);
/* Selects it unless it is selected. `*is_reset` tells that nothing known by UID holds any more,
 * because UIDVALIDITY changed or the server was set back; it does so at each call until
 * imap_pull_news has reset it.
 * With QRESYNC the changes since the cursor come to `news`. */
bool imap_session_select(struct slice *slice, struct session_mailbox *mailbox, bool *is_reset,
                         struct error *err);
/* Something was appended from here: there is something new to look at. */
void imap_session_appended(struct imap_session *session, struct session_mailbox *mailbox);
/* A FETCH that nobody asked for: flags that changed. It makes the selected mailbox stale. */
void imap_session_note_flags(struct imap_session *session, const struct imap_fetch *fetch);
/* The flags of this message were told anew, as an answer: what was noted before is old. */
void imap_session_forget_flags(struct imap_session *session, uint32_t uid);
/* The news move to another arena: the session's own is about to be freed. */
void imap_session_move_news(struct imap_session *session, struct arena *arena);
/* Forgets the news: what told them was taken over, or the mailbox is compared in full. */
void imap_session_clear_news(struct imap_session *session);

#endif
