/* URLs as browsers read them (WHATWG URL, enough of it), against a list of schemes. */
#ifndef RESTANTE_MAIL_HTML_URL_H
#define RESTANTE_MAIL_HTML_URL_H

#include "server/base/buf.h"

enum { HTML_URL_BYTES_MAX = 16 * 1024 };

enum html_url {
    HTML_URL_NONE, /* relative, unknown scheme, empty, too long: not to be used */
    HTML_URL_HTTP, /* http and https, also where the scheme was left out ("//host/") */
    HTML_URL_MAILTO,
    HTML_URL_TEL,
    HTML_URL_CID,
};

/* Appends the URL in a canonical form without white space, controls, quotes, angle brackets and
 * backslashes, and says what it is; of a cid: URL only the id, percents undone. Nothing is appended
 * when it is none. */
enum html_url html_url_clean(struct buf *out, struct str raw);
/* The host of a cleaned http(s) URL, without user and port; the domain of a mailto: URL. */
struct str html_url_host(struct str clean);
/* May a reader take the two names for one place? Equal, one below the other, or under the same
 * registered domain (taken to be two labels, three below short second-level ones like co.uk). */
bool html_url_same_site(struct str host_a, struct str host_b);
/* The domain that a link's visible text claims to lead to: of a URL, an address or a bare domain
 * in it; empty when it claims none. */
struct str html_url_claimed_host(struct str text);

#endif
