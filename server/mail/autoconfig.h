/* The mail servers of a domain as its autoconfig file names them (the format that Thunderbird
 * introduced: https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat). A scanner
 * of the few elements that matter, not an XML parser: no entities but the five, no DTD, bounded,
 * linear, without memory of its own. */
#ifndef RESTANTE_MAIL_AUTOCONFIG_H
#define RESTANTE_MAIL_AUTOCONFIG_H

#include "server/base/arena.h"

enum { AUTOCONFIG_SERVERS_MAX = 16, AUTOCONFIG_BYTES_MAX = 256 * 1024 };

enum autoconfig_security { AUTOCONFIG_PLAIN, AUTOCONFIG_STARTTLS, AUTOCONFIG_TLS };

struct autoconfig_server {
    struct str type; /* "imap", "pop3", "smtp": lower case; others are left out */
    struct str host; /* %EMAILDOMAIN% and the like filled in */
    int port;
    enum autoconfig_security security;
    struct str username;  /* filled in likewise; empty: not told */
    bool takes_passwords; /* some authentication by password is listed */
};

/* Appends the servers of the first provider in the file, in its order, and returns how many; 0 for
 * a text that is no such file. `email` fills the placeholders. Texts live in the arena. */
size_t autoconfig_read(struct arena *arena, struct str text, struct str email,
                       struct autoconfig_server servers[AUTOCONFIG_SERVERS_MAX]);

#endif
