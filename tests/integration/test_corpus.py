"""Every message of the corpora comes through a real Dovecot, is listed, found and read: none fells a
parser, none loses its text. What we make of structures and conversations is held against Dovecot."""

import calendar
import email
import email.policy
import imaplib
import os
import re
import ssl
import time
from pathlib import Path

import pytest

from tests.harness import eventually

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"
OTHER_THINGS = {"ispdb", "mustache-spec", "netimap-responses", "html-vectors", "h5sc", "libical",
                "mailkit-smtp"}
OTHER_ENDINGS = {".json", ".xml", ".yml", ".html", ".zip", ".out", ".ics", ".vcf", ".md", ".rb",
                 ".py", ".bin", ".dat"}
FIELD = re.compile(rb"^[A-Za-z][A-Za-z0-9-]*[ \t]*:")
BEGAN = 1_600_000_000  # when the first of them arrived; one comes each minute

# How many may differ from Dovecot, and why, stands in server/mail/README.md ("Agreement with
# Dovecot"): broken boundaries and headers, where we show text and Dovecot an empty part.
STRUCTURES_THAT_DIFFER = 0.06
EACH = int(os.environ.get("RESTANTE_CORPUS_EACH", "10"))  # of how many structures one is compared
THREADS_THAT_DIFFER = 0.01


def messages():
    """Each message once, CRLF at its line ends, as an IMAP server holds it."""
    found = {}
    for path in sorted(CORPUS.rglob("*")):
        if not path.is_file() or path.relative_to(CORPUS).parts[0] in OTHER_THINGS:
            continue
        if path.suffix in OTHER_ENDINGS or path.name == "SOURCE" or path.stat().st_size > 4 << 20:
            continue
        raw = path.read_bytes()
        pieces = re.split(rb"(?m)^From .*\r?\n", raw) if raw.startswith(b"From ") else [raw]
        for piece in pieces:
            lines = piece.split(b"\n", 6)[:6]
            if any(FIELD.match(line) for line in lines[:5]):
                piece = piece.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                found.setdefault(piece.replace(b"\0", b""), path)
    return list(found.items())


@pytest.fixture(scope="module")
def corpus():
    if not CORPUS.is_dir():
        pytest.skip("../shared/corpus is not there")
    return messages()


@pytest.fixture(scope="module")
def reading(corpus, restante, mailserver):
    """(client, account id, {index in the corpus: the API's email}) of somebody who has them all."""
    address = "corpus@example.org"
    mailserver.add_user(address, "a password for it")
    writer = mailserver.writer(address, "INBOX")
    for index, (raw, _) in enumerate(corpus):
        writer.add(raw, (), BEGAN + 60 * index)
    mailserver.dovecot.own_home(address)
    client = restante.sign_in(address, "a password for it")
    account = eventually(lambda: client.get("/accounts").json["accounts"])[0]["id"]
    client.patch(f"/accounts/{account}", {"prefetch": "text"})

    def inbox():
        boxes = client.get(f"/accounts/{account}/mailboxes").json["mailboxes"]
        return next((box for box in boxes if box["role"] == "inbox"), None)

    assert eventually(lambda: (box := inbox()) and box["totalEmails"] == len(corpus), patience=180)
    emails, after = {}, None
    while True:
        page = client.get(f"/accounts/{account}/mailboxes/{inbox()['id']}/emails?limit=500" +
                          (f"&after={after}" if after else "")).json
        for each in page["emails"]:
            at = time.strptime(each["receivedAt"][:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")
            emails[(calendar.timegm(at) - BEGAN) // 60] = each
        after = page["next"]
        if not after:
            break
    assert sorted(emails) == list(range(len(corpus)))
    return client, account, emails


def plain_words(raw):
    """The first longer words of what Python takes for the plain text; empty if it finds none."""
    try:
        message = email.message_from_bytes(raw, policy=email.policy.default)
        body = message.get_body(("plain",))
        text = body.get_content() if body else ""
    except Exception:  # it gives up on many of these
        return []
    return re.findall(r"[A-Za-z]{5,20}", text)[:3]


def test_each_is_shown_with_its_text(corpus, reading):
    client, account, emails = reading
    lost, looked_at = [], 0
    for index, (raw, path) in enumerate(corpus):
        each = emails[index]
        assert not each.get("isQuarantined"), path
        answer = client.get(f"/accounts/{account}/emails/{each['id']}?bodyValues=text")
        assert answer.status == 200, (path, answer.text)
        texts = " ".join(value["value"] for value in answer.json["bodyValues"].values())
        assert not any(value["isEncodingProblem"] for value in answer.json["bodyValues"].values()), path
        words = plain_words(raw)
        if words:
            looked_at += 1
            if not all(word in texts for word in words):
                lost.append(str(path))
    print(f"{len(corpus)} messages, text of {looked_at} compared, {len(lost)} differ: {lost[:20]}")
    assert len(lost) <= looked_at * 0.03


def test_each_has_a_page(corpus, reading):
    client, account, emails = reading
    box = next(iter(emails[0]["mailboxIds"]))
    for index, (_, path) in enumerate(corpus):
        page = client.get(f"//mail/{account}/{box}/{emails[index]['id']}")
        assert page.status == 200, path
        assert "could not be shown safely" not in page.text, path
        frame = re.search(r'src="(/mail/[^"]*/body\?[^"]*)"', page.text)
        if frame:
            shown = client.get("/" + frame.group(1).replace("&amp;", "&"))
            assert shown.status == 200 and "<script" not in shown.text.lower(), path


# --- against Dovecot -------------------------------------------------------------------------------

def imap(mailserver):
    context = ssl.create_default_context(cafile=mailserver.ca_file)
    context.check_hostname = False
    session = imaplib.IMAP4_SSL("127.0.0.1", mailserver.ports["imaps"], ssl_context=context)
    session.login("corpus@example.org", "a password for it")
    session.select("INBOX", readonly=True)
    return session


def read_list(text, at=0):
    """An S-expression of IMAP: nested lists of bytes (atoms and strings); (value, where it ends)."""
    if text[at:at + 1] == b"(":
        items, at = [], at + 1
        while text[at:at + 1] != b")":
            if text[at:at + 1] == b" ":
                at += 1
                continue
            item, end = read_list(text, at)
            if end == at:
                raise ValueError("it ends too early")
            items.append(item)
            at = end
        return items, at + 1
    if text[at:at + 1] == b'"':
        end = at + 1
        while text[end:end + 1] != b'"':
            if end >= len(text):
                raise ValueError("a string without end")
            end += 2 if text[end:end + 1] == b"\\" else 1
        return re.sub(rb"\\(.)", rb"\1", text[at + 1:end]), end + 1
    literal = re.compile(rb"\{(\d+)\}\r?\n?").match(text, at)
    if literal:
        end = literal.end() + int(literal.group(1))
        return text[literal.end():end], end
    end = re.compile(rb"[^ ()]*").match(text, at).end()
    return text[at:end], end


def types_of(structure):
    """The types of all leaves, in order; a message within a message as itself and its leaves."""
    if isinstance(structure[0], list):
        for child in structure:
            if not isinstance(child, list):
                break
            yield from types_of(child)
        return
    kind = (structure[0] + b"/" + structure[1]).lower().decode("latin-1")
    yield kind
    if kind == "message/rfc822" and len(structure) > 8 and isinstance(structure[8], list):
        yield from types_of(structure[8])


def our_types(part):
    """The same of an EmailBodyPart."""
    children = part.get("subParts") or []
    if not part["type"].startswith("multipart/"):
        if ".u" not in (part["partId"] or ""):
            yield part["type"]
    for child in children:
        yield from our_types(child)


def test_structures_agree_with_dovecot(corpus, reading, mailserver):
    client, account, emails = reading
    session = imap(mailserver)
    theirs = {}
    _, answers = session.uid("FETCH", "1:*", "(INTERNALDATE BODYSTRUCTURE)")
    for answer in answers:
        pieces = answer if isinstance(answer, tuple) else (answer,)
        text = b"\r\n".join(pieces)
        if b"BODYSTRUCTURE" not in text or b"INTERNALDATE" not in text or not text.endswith(b")"):
            continue  # with literals in it: cut up by imaplib
        at = time.mktime(imaplib.Internaldate2tuple(text))
        try:
            structure, _ = read_list(text, text.index(b"BODYSTRUCTURE ") + 14)
        except (IndexError, ValueError):
            continue
        theirs[round(at - BEGAN) // 60] = list(types_of(structure))
    session.logout()
    differ = []
    # each costs a trip to Dovecot for the whole message, so that the structure is our own work
    for index, types in list(theirs.items())[::EACH]:
        where = f"/accounts/{account}/emails/{emails[index]['id']}"
        assert client.get(f"{where}/raw").content == corpus[index][0], corpus[index][1]
        ours = list(our_types(client.get(where).json["bodyStructure"]))
        if ours != types:
            differ.append(str(corpus[index][1]))
    compared = len(theirs) // EACH
    print(f"structures of {compared} compared, {len(differ)} differ: {differ[:40]}")
    assert len(theirs) > len(corpus) * 0.8
    assert len(differ) <= compared * STRUCTURES_THAT_DIFFER + 1


def base_subject(text):
    text = " ".join((text or "").lower().split())
    while True:
        less = re.sub(r"^((re|fwd?|aw|wg|antw|sv|tr|rv)(\[\d+\])?:|\[[^\]]*\])\s*|\s*\(fwd\)$", "", text)
        if less == text:
            return text
        text = less


def test_conversations_agree_with_dovecot(corpus, reading, mailserver):
    client, account, emails = reading
    session = imap(mailserver)
    _, dates = session.fetch("1:*", "(INTERNALDATE)")
    index_of = {int(text.split()[0]): round(time.mktime(imaplib.Internaldate2tuple(text)) - BEGAN) // 60
                for text in dates}
    typ, answer = session._simple_command("THREAD", "REFS", "UTF-8", "ALL")
    typ, answer = session._untagged_response(typ, answer, "THREAD")
    session.logout()
    theirs = {}
    depth = group = 0
    for token in re.findall(rb"\(|\)|\d+", answer[0]):
        if token == b"(":
            group += depth == 0
            depth += 1
        elif token == b")":
            depth -= 1
        else:
            index = index_of[int(token)]
            theirs[index] = (group, base_subject(emails[index]["subject"]))
    copies = {}
    for index, each in emails.items():
        for message_id in each["messageId"] or []:
            copies.setdefault(message_id, []).append(index)
    unlike = {index for group in copies.values() if len(group) > 1 for index in group}
    ours, differ = {}, set()
    for index, each in emails.items():
        if index not in unlike:
            ours.setdefault(each["threadId"], set()).add(index)
    for members in ours.values():
        if len({theirs[index] for index in members}) > 1:
            differ |= members
    print(f"conversations of {len(theirs)} compared, {len(differ)} messages lie differently: "
          f"{[str(corpus[index][1]) for index in sorted(differ)][:20]}")
    assert len(differ) <= len(theirs) * THREADS_THAT_DIFFER + 5
