/* Plain text shown as HTML: escaped, links made, quotes nested by depth, the signature marked,
 * format=flowed text rejoined. What comes out is safe whatever goes in: every character of the text
 * is escaped here, and no one edits the result afterwards. */
#ifndef RESTANTE_MAIL_TEXT_H
#define RESTANTE_MAIL_TEXT_H

#include "server/base/buf.h"

enum { TEXT_QUOTE_DEPTH_MAX = 20 }; /* deeper quotes are shown at this depth */

struct text_options {
    bool is_flowed; /* format=flowed (RFC 3676) */
    bool is_delsp;
};

/* Appends HTML for UTF-8 text: lines as text with <br>, <blockquote class="quote quote-1..5">
 * nested by depth, <div class="signature"> behind "-- ", <a href rel="noopener noreferrer"
 * target="_blank"> around http, https and mailto links. False when `out` was full (then it is not
 * well formed). */
bool text_to_html(struct buf *out, struct str text, struct text_options options);

/* Flowed text as ordinary lines (long paragraphs on one line), quote marks kept. */
bool text_unflow(struct buf *out, struct str text, bool is_delsp);

/* One line of text with its links made, nothing else: for subjects of link-worthy fields. */
void text_link_html(struct buf *out, struct str line);

#endif
