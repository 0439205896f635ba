"""Where what we make of a message of the corpora is not what Dovecot or Python make of it, and why.
test_corpus.py finds exactly these: whoever mends one, or breaks one more, changes this list."""

# --- structures that differ from Dovecot's BODYSTRUCTURE ---------------------------------------------

STRUCTURES = {
    # A multipart whose boundary never comes, or comes only at its end, has its text shown as one text
    # part; Dovecot gives an empty part within it, or none.
    "a multipart without parts is a text": [
        "jwz-mime/input/mbox/simple/3",
        "jwz-mime/input/messages/empty-multipart.txt",
        "mail-parser/eml/malformed/001.eml",
        "mail-parser/eml/malformed/004.eml",
        "mime4j/testmsgs/missing-inner-boundary.msg",
        "mime4j/testmsgs/missing-inner-start-boundary.msg",
    ],
    # "boundary=" with signs in it that belong in quotes (=, :, /), or cut off by a semicolon too many:
    # the whole word up to the next parameter is taken, so that the parts are found.
    "a boundary is read as it was meant": [
        "cpython-email/msg_14.txt",
        "cpython-email/msg_33.txt",
        "mikel-mail/emails/mime_emails/raw_email_with_binary_encoded.eml",
        "mikel-mail/emails/mime_emails/raw_email_with_illegal_boundary.eml",
        "mikel-mail/emails/plain_emails/raw_email_bad_time.eml",
        "mime4j/mimetools-testmsgs/double-semicolon.msg",
        "mime4j/testmsgs/weird-boundary.msg",
    ],
    # Boundaries that begin with one another, and a closing one that lacks a dash: the longest that fits
    # counts, and what stands behind the end is an epilogue.
    "a delimiter belongs to the boundary that it is, not to one that it begins with": [
        "jwz-mime/input/mbox/jwz/22",
        "mail-parser/eml/malformed/007.eml",
        "mail-parser/eml/malformed/016.eml",
        "mikel-mail/emails/mime_emails/raw_email4.eml",
    ],
    # Types that are no types ("x-sun-attachment", "text/", "text\\html", none at all): text, or what the
    # file's name says. Dovecot passes on what stands there.
    "a type that is none is text": [
        "jwz-mime/input/mbox/jwz/1",
        "jwz-mime/input/mbox/jwz/134",
        "jwz-mime/input/mbox/jwz/135",
        "jwz-mime/input/mbox/jwz/29",
        "mail-parser/eml/malformed/017.eml",
        "mime4j/mimetools-testmsgs/multi-digest.msg",
        "zbateson-mmp/headers/basic-2",
    ],
    # RFC 2046 forbids it. It is one part for us, which is decoded when it is opened; Dovecot takes the
    # base64 for the message.
    "a message within a message that is encoded in base64": [
        "mail-parser/eml/rfc/008.eml",
        "mime4j/mimetools-testmsgs/multi-2gifs-base64.msg",
        "mime4j/testmsgs/bad-newlines-multiple-parts-base64.msg",
        "mime4j/testmsgs/base64encoded-rfc822message-nested.msg",
        "mime4j/testmsgs/base64encoded-rfc822message.msg",
    ],
}

# --- texts that Dovecot gives differently as a part ---------------------------------------------------

BY_PART = {
    # The structure is the same, but the one part is empty for Dovecot: its boundary never comes.
    "the text of a multipart without parts": [
        "cpython-email/msg_31.txt",
        "cpython-email/msg_41.txt",
    ],
}

# --- words that Python finds in a text and we do not --------------------------------------------------

TEXTS = {
    # Lines before the first empty line that are no header fields: header for us (and for Dovecot), body
    # for Python. They are to be seen in the source.
    "no header field, and no body yet": [
        "cpython-email/msg_19.txt",
        "imaptest/pipeline-connections",
        "mail-parser/eml/malformed/019.eml",
        "mikel-mail/emails/plain_emails/raw_email_incorrect_header.eml",
        "mikel-mail/emails/rfc2822/example13.eml",
        "mime4j/mimetools-testmsgs/README.txt",
        "mime4j/testmsgs/malformedHeader-nocrlfcrlf.msg",
        "mime4j/testmsgs/obsolete.msg",
        "zbateson-mmp/headers/basic-2",
        "zbateson-mmp/headers/basic-3",
    ],
    # The "words" are base64, which we undo and Python leaves.
    "base64 that is decoded": [
        "mail-parser/eml/rfc/008.eml",
        "mail-parser/eml/thirdparty/009.eml",
        "mime4j/mimetools-testmsgs/multi-2gifs-base64.msg",
        "mime4j/testmsgs/bad-newlines-multiple-parts-base64.msg",
        "mime4j/testmsgs/base64encoded-rfc822message-nested.msg",
        "mime4j/testmsgs/base64encoded-rfc822message.msg",
    ],
    # What stands behind the last boundary, and delimiter lines that Python takes for text.
    "epilogues and delimiters": [
        "mime4j/testmsgs/multipartemptypart.msg",
        "mime4j/testmsgs/very-long-boundary.msg",
        "mime4j/testmsgs/very-very-long-boundary.msg",
        "mime4j/testmsgs/weird-boundary.msg",
    ],
}

# --- conversations that differ from Dovecot's THREAD=REFS, split by base subject -----------------------

THREADS = {
    # The References name nobody who is here, In-Reply-To does: we follow both.
    "in-reply-to beside references": [
        "thunderbird-android/mailbox/inbox/03-thread-1.eml",
        "thunderbird-android/mailbox/inbox/04-thread-2.eml",
    ],
}


def names(groups):
    return sorted(name for group in groups.values() for name in group)
