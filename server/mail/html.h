/* HTML of a message made safe. A real HTML5 parse (gumbo, behind fences), then the output is built
 * anew from allow-lists of elements, attributes, URL schemes and CSS: what is not known is not
 * written. Cleaning what is clean changes no byte (but pictures of ours, from cid:, are only let
 * in by the call that made them). Nothing may edit the result afterwards.
 *
 * What is left out with its content: svg, math, template, script, raw-text elements, select; other
 * unknown elements give way to their content. No id, name, event, data- or hx- attribute stays. */
#ifndef RESTANTE_MAIL_HTML_H
#define RESTANTE_MAIL_HTML_H

#include "server/base/buf.h"

enum {
    HTML_INPUT_BYTES_MAX = 2 * 1024 * 1024, /* what follows is cut off */
    HTML_OUTPUT_BYTES_MAX = 8 * 1024 * 1024,
    HTML_CSS_BYTES_MAX = 256 * 1024,
    HTML_PARSE_BYTES_MAX = 64 * 1024 * 1024, /* of memory for one tree */
    HTML_PARSE_CPU_MS = 500,
    HTML_DEPTH_MAX = 255, /* elements nested in the output; browsers stop at 512 */
    HTML_REMOTE_HOSTS_MAX = 20,
};

/* Appends our URL of the part with that Content-ID (without <>), when it is a raster image of the
 * same message, and returns true. The URL must need no escaping in HTML or CSS. */
typedef bool html_cid_url(void *context, struct str cid, struct buf *url);

struct html_options {
    bool allow_remote;     /* pictures from elsewhere stay */
    html_cid_url *cid_url; /* NULL: no cid: pictures */
    void *context;
};

struct html_safe {
    struct buf body;         /* a fragment for <body> */
    struct buf css;          /* a style sheet; holds no "<"; may be empty */
    struct buf remote_hosts; /* of what was blocked (or let through), space separated, each once */
    int remote_count;        /* references to pictures elsewhere, blocked or let through */
    int deceptive_links;     /* text says one domain, the link goes to another; these have
                                class="restante-deceptive" and the true host as title */
    bool brings_own_colours; /* it sets colours: a dark page shows it on a light ground */
    bool can_be_turned;      /* they are light, and it brings no dark ones: a dark page may turn
                                light into dark */
    bool is_cut;             /* longer than the caps */
    const char *why;         /* when it failed: a word for logs and counters */
};

/* Fills `safe` (free it with html_safe_free also after failure). False when a fence was hit: the
 * mail's text has to be shown instead. `html` is UTF-8. */
bool html_sanitise(struct html_safe *safe, struct str html, const struct html_options *options);
void html_safe_free(struct html_safe *safe);

#endif
