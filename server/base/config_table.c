#include "server/base/config_table_private.h"

#include <stddef.h>

#define TEXT(member, standard, choices, about)                                                 \
    {                                                                                          \
#member, OPTION_TEXT, offsetof(struct config, member), standard, 0, 0, choices, about, \
            SHAPE_ANY                                                                          \
    }
#define SHAPED(member, standard, shape, about)                                                    \
    {                                                                                             \
#member, OPTION_TEXT, offsetof(struct config, member), standard, 0, 0, NULL, about, shape \
    }
#define NUMBER(member, standard, low, high, about)                                                 \
    {                                                                                              \
#member, OPTION_NUMBER, offsetof(struct config, member), standard, low, high, NULL, about, \
            SHAPE_ANY                                                                              \
    }
#define SWITCH(member, standard, about)                                                       \
    {                                                                                         \
#member, OPTION_SWITCH, offsetof(struct config, member), standard, 0, 0, NULL, about, \
            SHAPE_ANY                                                                         \
    }
#define LIST(member, standard, list_shape, about)                                           \
    {                                                                                       \
#member, OPTION_LIST, offsetof(struct config, member), standard, 0, 0, NULL, about, \
            list_shape                                                                      \
    }

const struct option config_options[] = {
    TEXT(state_directory, "/var/lib/restante", NULL,
         "Where keys, uploads under way and the private database are kept."),
    TEXT(user, "", NULL,
         "Who runs the service when root starts it. Empty: restante, else postgres."),
    TEXT(database, "", NULL,
         "PostgreSQL to use, as a libpq connection string, for example\n"
         "\"host=db1,db2 dbname=restante user=restante target_session_attrs=read-write\".\n"
         "Empty: a private PostgreSQL in the state directory, reachable by a UNIX socket only."),
    TEXT(postgres_bin, "", NULL,
         "The folder with postgres and initdb for the private database. Empty: found."),
    NUMBER(web_connections, "16", 1, 1000, "Connections to PostgreSQL of the web role."),
    NUMBER(sync_connections, "16", 2, 1000, "Connections to PostgreSQL of the sync role."),
    LIST(listen, "{\"127.0.0.1:8080\"}", SHAPE_LISTENER,
         "Where HTTP is served: \"address:port\", \"[ipv6]:port\" or \"unix:/path\". TLS is the\n"
         "business of the web server in front."),
    LIST(listen_fastcgi, "{}", SHAPE_LISTENER, "Where FastCGI is served, written the same way."),
    SHAPED(socket_mode, "0660", SHAPE_MODE, "Permissions of UNIX sockets, octal."),
    SHAPED(public_url, "http://127.0.0.1:8080", SHAPE_ORIGIN,
           "The address that people type. With https: cookies are sent over TLS only."),
    LIST(trusted_proxies, "{\"127.0.0.1\", \"::1\", \"unix\"}", SHAPE_NETWORK_OR_UNIX,
         "Web servers in front whose X-Forwarded-For and X-Forwarded-Proto are believed:\n"
         "addresses, networks (\"10.0.0.0/8\"), or \"unix\" for UNIX sockets."),
    NUMBER(web_threads, "8", 1, 256, "Requests answered at once."),
    NUMBER(http_connections, "4096", 16, 200000, "HTTP connections open at once."),
    NUMBER(http_connections_per_address, "0", 0, 200000,
           "The same of one client address; 0: no limit (behind a web server all come from it)."),
    NUMBER(http_timeout, "60", 1, 3600, "Seconds of silence after which a connection is closed."),
    NUMBER(http_deadline, "120", 1, 86400, "Seconds in which a request must have arrived."),
    NUMBER(upload_bytes, "52428800", 1024, 4294967296, "The largest upload, in bytes."),
    NUMBER(import_bytes, "1073741824", 1024, 68719476736,
           "The largest file of mail (mbox, zip) that can be imported, in bytes. Until its import "
           "ends\n"
           "it lies in the database and in the folder for temporary files."),
    NUMBER(session_idle, "604800", 60, 31536000, "Seconds unused until one must sign in again."),
    NUMBER(session_lifetime, "2592000", 60, 31536000,
           "Seconds until one must sign in again in any case."),
    NUMBER(sign_in_tries, "10", 1, 100000, "Wrong passwords for one name in 15 minutes."),
    NUMBER(sign_in_tries_per_address, "50", 1, 100000,
           "Wrong passwords from one client address in 15 minutes."),
    NUMBER(account_tries, "30", 1, 100000,
           "Mail accounts that one person may try to set up in 15 minutes, and as many searches\n"
           "for the servers of an address."),
    NUMBER(sync_workers, "8", 1, 256, "Accounts synchronized at the same moment."),
    NUMBER(host_connections, "0", 0, 1000000,
           "Connections to one mail server at once, of each sync process; 0: no limit. Accounts\n"
           "beyond it take turns: new mail is then seen at the next turn, not at once."),
    NUMBER(host_connects_per_second, "50", 0, 100000,
           "New connections to one mail server in a second; 0: no limit. Accounts come back one\n"
           "after the other after a restart or an outage."),
    NUMBER(account_connections, "3", 0, 1000,
           "Connections of one account at once to the servers that its mail is read at; 0: no\n"
           "limit. Sending takes one more, while there is something to send."),
    NUMBER(pop3_session, "300", 1, 86400,
           "Seconds of getting messages after which a POP3 session is brought to its end and\n"
           "another one goes on: meanwhile other programs cannot have the maildrop."),
    NUMBER(parser_children, "2", 1, 64, "Sandboxed parser processes of each role."),
    SWITCH(allow_plaintext, "false",
           "Whether accounts may use servers without TLS: names, passwords and mail are then\n"
           "readable on the way."),
    TEXT(ca_file, "", NULL, "More certificate authorities (PEM) for mail servers of one's own."),
    LIST(egress_networks, "{}", SHAPE_NETWORK,
         "Mail servers on loopback, private and other special addresses are refused, except in\n"
         "these networks: \"10.1.0.0/16\", \"127.0.0.0/8\"."),
    LIST(egress_hosts, "{}", SHAPE_ANY, "The same by name, wherever the name points to."),
    LIST(egress_ports, "{\"25\", \"110\", \"143\", \"465\", \"587\", \"993\", \"995\", \"2525\"}",
         SHAPE_PORT, "Ports of mail servers that may be reached; \"any\" for all."),
    LIST(trusted_authserv, "{}", SHAPE_ANY,
         "Mail servers whose word on a sender is believed: the names that they put first into\n"
         "their Authentication-Results fields (RFC 8601), for example \"mx.example.org\"."),
    TEXT(log_level, "info", "debug info warn error", "Events below this level are not logged."),
};
const size_t config_option_count = sizeof config_options / sizeof *config_options;

#undef TEXT
#undef NUMBER
#define TEXT(member, standard, choices, about)                                                 \
    {                                                                                          \
#member, OPTION_TEXT, offsetof(struct config_domain, member), standard, 0, 0, choices, \
            about, SHAPE_ANY                                                                   \
    }
#define NUMBER(member, standard, low, high, about)                                                 \
    {                                                                                              \
#member, OPTION_NUMBER, offsetof(struct config_domain, member), standard, low, high, NULL, \
            about, SHAPE_ANY                                                                       \
    }

const struct option config_domain_options[] = {
    TEXT(kind, "imap", "imap pop3", "imap or pop3."),
    TEXT(host, NULL, NULL, "The mail server."),
    NUMBER(port, "0", 0, 65535, "0: the usual one."),
    TEXT(tls, "implicit", "implicit starttls none", "implicit, starttls or none."),
    TEXT(username, "%u", NULL,
         "What the server knows a person by: %u is the address, %n what stands before the @,\n"
         "%d the domain."),
    TEXT(smtp_host, "", NULL, "Where mail is submitted. Empty: no sending."),
    NUMBER(smtp_port, "0", 0, 65535, "0: the usual one."),
    TEXT(smtp_tls, "implicit", "implicit starttls none", "implicit, starttls or none."),
};
const size_t config_domain_option_count =
    sizeof config_domain_options / sizeof *config_domain_options;
