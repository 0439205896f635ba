/* What this process knows of the hosts that it signs in to: how many connections it has there, when
 * the next may be made, whether one is down. An account asks before it connects, and stands in line
 * where it must: so ten thousand accounts of one host come to it one after the other, and a host
 * that is down is tried by one account, not by all. What a wrong password means is the account's
 * own affair (worker.c).
 *
 * A host is a name with a port. One lock guards everything here; any thread. Times are monotonic
 * milliseconds, given by the caller. */
#ifndef RESTANTE_SYNC_HOSTS_H
#define RESTANTE_SYNC_HOSTS_H

#include <stddef.h>

#include "server/base/error.h"
#include "server/base/str.h"

struct hosts_rules {
    int connections;         /* at once to one host; 0: no limit */
    int account_connections; /* at once of one account, wherever they go; 0: no limit */
    int per_second;          /* new ones to one host; 0: no limit */
    int connecting;          /* being made at once: how many threads one silent host may hold up */
};

struct hosts;
struct hosts *hosts_new(const struct hosts_rules *rules);
/* All places must have been left. */
void hosts_free(struct hosts **hosts);

enum place_state {
    PLACE_NONE,       /* all zero */
    PLACE_WAITING,    /* in line */
    PLACE_GRANTED,    /* its turn has come: counted, and hosts_enter says so */
    PLACE_CONNECTING, /* counted */
    PLACE_CONNECTED,  /* counted */
};

/* An account's place at one host. Stays where it is while it is not PLACE_NONE. */
struct host_place {
    void *owner;        /* whoever hosts_next tells it to; the caller's */
    int64_t account_id; /* the caller's */
    struct host *host;
    struct host_place *before, *after; /* in line */
    enum place_state state;
    bool is_urgent;  /* somebody waits for it */
    bool is_leaving; /* asked to make room */
};

enum hosts_answer {
    HOSTS_GO,    /* connect now; hosts_met, hosts_missed or hosts_leave must follow */
    HOSTS_LATER, /* it stands in line, or its account has enough connections */
    HOSTS_DOWN,  /* it stands in line for a host that is down */
};

/* Asks for a connection. `*wait_ms`: when asking again makes sense, should hosts_next not tell
 * before. With HOSTS_DOWN `why` is what was wrong when it was tried last. */
enum hosts_answer hosts_enter(struct hosts *hosts, struct host_place *place, struct str name,
                              int port, bool is_urgent, int64_t now_ms, int64_t *wait_ms,
                              struct error *why);
/* The host answered as a mail server: it is not down, whatever it thinks of the password. */
void hosts_met(struct hosts *hosts, struct host_place *place);
/* No connection came about, or one that stood was ended since the host takes no more now; and that
 * is the host's fault. Leaves. Returns in how many milliseconds
 * somebody tries again. */
int64_t hosts_missed(struct hosts *hosts, struct host_place *place, int64_t now_ms,
                     const struct error *why);
/* The connection has ended, or the account wants none any more. */
void hosts_leave(struct hosts *hosts, struct host_place *place);
/* Whether its turn has come and was not taken yet. */
bool hosts_has_turn(struct hosts *hosts, const struct host_place *place);
/* After a slice that leaves no connection open: what it had is given back, also a turn that it had
 * from its beginning and did not take. Who stands in line goes on to. */
void hosts_settle(struct hosts *hosts, struct host_place *place, bool had_turn);

/* The next in any line whose turn has come, or NULL. The caller's owner must ask (hosts_enter) or
 * leave soon: a place is kept for it. */
struct host_place *hosts_next(struct hosts *hosts, int64_t now_ms);
/* Milliseconds until hosts_next may have somebody by the mere passing of time; at most `most_ms`.
 */
int64_t hosts_wait_ms(struct hosts *hosts, int64_t now_ms, int64_t most_ms);
/* Whether anybody waits for room: then hosts_must_leave is worth asking. */
bool hosts_is_crowded(struct hosts *hosts);
/* Whether a connection without anything to do should be given up since others wait for it; asks
 * no more connections than are waited for. */
bool hosts_must_leave(struct hosts *hosts, struct host_place *place);

#endif
