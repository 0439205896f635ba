/* What people type into the search box, as a tree:
 *
 *     from:ann subject:"annual report" has:attachment -in:archive (lunch OR dinner) after:2026-01
 *
 * Terms beside one another must all hold; OR (in capitals) binds weaker; "-" or NOT denies what
 * follows. A word with a colon that is no field of ours ("10:30", "https://...") is a word. */
#ifndef RESTANTE_MAIL_QUERY_H
#define RESTANTE_MAIL_QUERY_H

#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/base/error.h"
#include "server/mail/words.h"

enum {
    QUERY_BYTES_MAX = 4096,
    QUERY_NODES_MAX = 200,
    QUERY_DEPTH_MAX = 30, /* of parentheses and denials */
};

enum query_kind {
    QUERY_ALL_OF,     /* its children; without any it matches everything */
    QUERY_ANY_OF,     /* one of its children */
    QUERY_NONE_OF,    /* not its one child */
    QUERY_ANYWHERE,   /* words, in any field */
    QUERY_FROM,       /* words, in From, Sender, Reply-To */
    QUERY_TO,         /* words, in To */
    QUERY_CC,         /* words, in Cc */
    QUERY_BCC,        /* words, in Bcc */
    QUERY_SUBJECT,    /* words */
    QUERY_BODY,       /* words, in the text */
    QUERY_FILENAME,   /* words, in the names of attachments */
    QUERY_ATTACHMENT, /* has:attachment */
    QUERY_KEYWORD,    /* `text` is the keyword ("$seen"), `is_set` whether it must be there */
    QUERY_LABEL,      /* `text` is a label's name */
    QUERY_MAILBOX,    /* in: `text` is a folder's name or role */
    QUERY_BEFORE,     /* received before `number`, UTC microseconds */
    QUERY_AFTER,      /* received at or after `number` */
    QUERY_LARGER,     /* more than `number` bytes */
    QUERY_SMALLER,    /* fewer */
};

struct query {
    enum query_kind kind;
    struct str text;    /* the value as typed, without quotes; in the arena */
    struct word *words; /* of the kinds that look for words */
    size_t word_count;
    bool is_phrase; /* it stood in quotes: the words must follow one another */
    bool is_set;
    int64_t number;
    size_t at; /* where it stands in what was typed, in bytes */
    struct query *first_child, *next;
};

/* When "now" is for the person who asks. */
struct query_clock {
    int64_t now_us;
    int offset_minutes; /* of their zone, east of UTC: days begin at their midnight */
};

/* NULL with ERROR_INVALID (and a hint of what is meant) when it cannot be understood, with
 * ERROR_LIMIT when it is too long. What is empty matches everything. */
struct query *query_parse(struct arena *arena, struct str text, struct query_clock clock,
                          struct error *err);

/* Appends the query in one way of writing that means the same; dates become absolute. For saved
 * searches and for showing how it was understood. */
void query_write(struct buf *out, const struct query *query, struct query_clock clock);

#endif
