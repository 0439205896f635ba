/* The configuration: one documented file (`restante config --example` prints it), overridden by
 * environment variables RESTANTE_<NAME> (lists separated by commas). Unknown names and bad values
 * are errors that name file, line and what is expected. Read once at start; read-only afterwards.
 */
#ifndef RESTANTE_BASE_CONFIG_H
#define RESTANTE_BASE_CONFIG_H

#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/base/log.h"

struct config_list {
    const char **at;
    size_t count;
};

/* People of a mail domain sign in here with their mail address and password (`domain` sections). */
struct config_domain {
    const char *name; /* "example.org"; lower case */
    const char *kind; /* "imap" or "pop3" */
    const char *host;
    int64_t port;          /* 0: the usual one of kind and tls */
    const char *tls;       /* "implicit", "starttls", "none" */
    const char *username;  /* "%u" the whole address, "%n" what is before the @, "%d" the domain */
    const char *smtp_host; /* "": no sending */
    int64_t smtp_port;
    const char *smtp_tls;
};

struct config {
    const char *path; /* of the file read; "" when there was none */

    const char *state_directory; /* keys, private database, spool */
    const char *user;            /* who runs the service when root starts it; "": restante or
                                    postgres */
    const char *database;        /* libpq connection string; "": a private PostgreSQL */
    const char *postgres_bin;    /* folder of its binaries; "": found */
    int64_t web_connections;     /* to PostgreSQL, of the web role */
    int64_t sync_connections;    /* of the sync role */

    struct config_list listen;         /* "127.0.0.1:8080", "[::1]:8080", "unix:/path" */
    struct config_list listen_fastcgi; /* the same; empty: none */
    const char *socket_mode;           /* octal, of UNIX sockets */
    const char *public_url; /* "https://mail.example.org": decides cookies and absolute links */
    struct config_list
        trusted_proxies; /* addresses or networks whose X-Forwarded-* count; "unix" */
    int64_t web_threads;
    int64_t http_connections;             /* at once */
    int64_t http_connections_per_address; /* of one client address; 0: no limit */
    int64_t http_timeout;                 /* seconds of silence */
    int64_t http_deadline;                /* seconds for a whole request to arrive */
    int64_t upload_bytes;                 /* the largest body */
    int64_t import_bytes;                 /* the same, of a file of mail */

    int64_t session_idle;     /* seconds */
    int64_t session_lifetime; /* seconds */
    int64_t sign_in_tries;    /* per name and 15 minutes */
    int64_t sign_in_tries_per_address;
    int64_t account_tries; /* of mail servers and passwords, per person and 15 minutes */

    int64_t sync_workers;             /* accounts worked on at once */
    int64_t host_connections;         /* to one mail server at once; 0: no limit */
    int64_t host_connects_per_second; /* new ones to one mail server; 0: no limit */
    int64_t account_connections;      /* of one account at once; 0: no limit */
    int64_t pop3_session;             /* seconds of getting messages */
    int64_t parser_children;
    bool allow_plaintext;               /* accounts without TLS */
    const char *ca_file;                /* more certificate authorities; "": the system's only */
    struct config_list egress_networks; /* private ones that may be reached: "10.1.0.0/16" */
    struct config_list egress_hosts;    /* names that may be reached wherever they point to */
    struct config_list egress_ports;    /* ports of mail servers that may be reached */

    struct config_list trusted_authserv; /* whose Authentication-Results are believed */

    const char *log_level;

    struct config_domain *domains;
    size_t domain_count;
};

/* Reads the file at `path`; NULL: RESTANTE_CONFIG of the environment, else
 * /etc/restante/restante.conf if it is there, else defaults only. ERROR_INVALID names file, line
 * and what is expected; ERROR_NOT_FOUND when a file asked for is missing. Strings live in the
 * arena. */
bool config_read(struct arena *arena, const char *path, struct config *config, struct error *err);
/* The whole file with every name, its default and what it is for. */
void config_write_example(struct buf *out);
/* What is in force, in the same form. A database's password is not shown. */
void config_write_effective(struct buf *out, const struct config *config);
/* The section for that mail domain (ASCII case folded), or NULL. */
const struct config_domain *config_domain_of(const struct config *config, struct str domain);
/* "<state_directory>/<name>" in the arena. */
const char *config_state_path(struct arena *arena, const struct config *config, const char *name);
/* Whether browsers reach us by https. */
bool config_is_https(const struct config *config);

#endif
