"""Every message of the corpora comes through a real Dovecot, is listed, found and read: none fells a
parser, none loses its text. What we make of structures and conversations is held against Dovecot."""

import calendar
import email
import email.policy
import imaplib
import re
import ssl
import time
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.integration import corpus_exceptions

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"
OTHER_THINGS = {"ispdb", "mustache-spec", "netimap-responses", "html-vectors", "h5sc", "libical",
                "mailkit-smtp"}
OTHER_ENDINGS = {".json", ".xml", ".yml", ".html", ".zip", ".out", ".ics", ".vcf", ".md", ".rb",
                 ".py", ".bin", ".dat"}
FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9-]*[ \t]*:")
BEGAN = 1_600_000_000  # when the first of them arrived; one comes each minute


def messages():
    """Each message once, CRLF at its line ends, as an IMAP server holds it."""
    found = {}
    for path in sorted(CORPUS.rglob("*")):
        if not path.is_file() or path.relative_to(CORPUS).parts[0] in OTHER_THINGS:
            continue
        if path.relative_to(CORPUS).parts[:2] == ("jwz-mime", "output"):
            continue
        if path.suffix in OTHER_ENDINGS or path.name == "SOURCE" or path.stat().st_size > 4 << 20:
            continue
        raw = path.read_bytes()
        pieces = re.split(rb"(?m)^From .*\r?\n", raw)[1:] if raw.startswith(b"From ") else [raw]
        for number, piece in enumerate(pieces):
            piece = piece.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\0", b"")
            name = str(path.relative_to(CORPUS)) + (f"#{number}" if len(pieces) > 1 else "")
            if piece:
                found.setdefault(piece, (path, name))
    return [(raw, path, name) for raw, (path, name) in found.items()]


@pytest.fixture(scope="module")
def corpus():
    if not CORPUS.is_dir():
        pytest.skip("../shared/corpus is not there")
    return messages()


def settled(corpus, restante, mailserver, address, patience, **policy):
    """Gives somebody all messages: (client, account id, the API's emails of the inbox)."""
    mailserver.add_user(address, "a password for it")
    writer = mailserver.writer(address, "INBOX")
    for index, (raw, _, _) in enumerate(corpus):
        writer.add(raw, (), BEGAN + 60 * index)
    mailserver.dovecot.own_home(address)
    client = restante.sign_in(address, "a password for it")
    account = eventually(lambda: client.get("/accounts").json["accounts"])[0]["id"]
    if policy:
        client.patch(f"/accounts/{account}", policy)

    def inbox():
        boxes = client.get(f"/accounts/{account}/mailboxes").json["mailboxes"]
        return next((box for box in boxes if box["role"] == "inbox"), None)

    assert eventually(lambda: (box := inbox()) and box["totalEmails"] == len(corpus), patience=patience)
    emails, after = [], ""
    while after is not None:
        page = client.get(f"/accounts/{account}/mailboxes/{inbox()['id']}/emails?limit=500" +
                          (f"&after={after}" if after else "")).json
        emails += page["emails"]
        after = page["next"] or None
    return client, account, emails


@pytest.fixture(scope="module")
def reading(corpus, restante, mailserver):
    """(client, account id, {index in the corpus: the API's email}) of somebody who has them all."""
    client, account, found = settled(corpus, restante, mailserver, "corpus@example.org", 180, prefetch="text")
    emails = {}
    for each in found:
        at = time.strptime(each["receivedAt"][:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")
        emails[(calendar.timegm(at) - BEGAN) // 60] = each
    assert sorted(emails) == list(range(len(corpus)))
    return client, account, emails


@pytest.fixture(scope="module")
def whole(corpus, restante, mailserver):
    """The same of somebody who downloads them whole by POP3, so that their structure is our own work:
    (client, account id, [email id by the index in the corpus])."""
    client, account, found = settled(corpus, restante, mailserver, "corpus@example.net", 300)
    ids = sorted(int(each["id"]) for each in found)  # they were downloaded in the order of the maildrop
    assert len(ids) == len(corpus)
    return client, account, ids


def texts_of(client, account, email_id, kind):
    answer = client.get(f"/accounts/{account}/emails/{email_id}?bodyValues={kind}")
    assert answer.status == 200, answer.text
    return answer.json, [value["value"].strip() for value in answer.json["bodyValues"].values()]


def test_text_that_is_fetched_by_part_is_that_of_the_whole(corpus, reading, whole):
    """Over IMAP the structure is the server's and each part comes alone. One of five is compared:
    each costs a trip. What has no header at all ends it at its first empty line for Dovecot."""
    client, account, emails = reading
    other, other_account, whole_emails = whole
    differ = []
    for index in range(0, len(corpus), 5):
        assert not emails[index].get("isQuarantined"), corpus[index][2]
        if not FIELD.match(corpus[index][0]):
            continue
        _, by_part = texts_of(client, account, emails[index]["id"], "text")
        _, of_whole = texts_of(other, other_account, whole_emails[index], "text")
        if by_part != of_whole:
            differ.append(corpus[index][2])
    explained = corpus_exceptions.STRUCTURES | corpus_exceptions.BY_PART
    assert set(differ) <= set(corpus_exceptions.names(explained)), differ


def all_words(raw):
    """The longer words of everything that Python takes for plain text; None if it gives up."""
    found = set()
    try:
        for part in email.message_from_bytes(raw, policy=email.policy.default).walk():
            if part.get_content_type() == "text/plain" and not part.get_filename():
                found |= set(re.findall(r"[A-Za-z]{5,20}", part.get_content()))
    except Exception:
        return None
    return found


def leaf_ids(part):
    for child in part.get("subParts") or []:
        yield from leaf_ids(child)
    if part["partId"]:
        yield part["partId"]


def test_no_text_is_lost(corpus, whole):
    client, account, emails = whole
    lost, given_up = [], 0
    for index, (raw, _, name) in enumerate(corpus):
        words = all_words(raw)
        given_up += words is None
        if not words:
            continue
        where = f"/accounts/{account}/emails/{emails[index]}"
        answer, texts = texts_of(client, account, emails[index], "all")
        assert not any(value["isEncodingProblem"] for value in answer["bodyValues"].values()), name
        texts = " ".join(texts)
        words = {word for word in words if word not in texts}
        for part in leaf_ids(answer["bodyStructure"]) if words else ():  # attached, or within a message
            bytes_ = client.get(f"{where}/parts/{part}").content
            words = {word for word in words if word not in bytes_.decode("latin-1")}
        if words:
            lost.append(name)
    assert given_up <= 3
    assert sorted(lost) == corpus_exceptions.names(corpus_exceptions.TEXTS)


def test_each_has_a_page(corpus, whole):
    client, account, emails = whole
    boxes = client.get(f"/accounts/{account}/mailboxes").json["mailboxes"]
    box = next(box["id"] for box in boxes if box["role"] == "inbox")
    for index, (raw, _, name) in enumerate(corpus):
        # POP3 ends a message with a line end, RFC 1939 section 3
        kept = client.get(f"/accounts/{account}/emails/{emails[index]}/raw").content
        assert kept == raw if raw.endswith(b"\r\n") else kept == raw + b"\r\n", name
        page = client.get(f"//mail/{account}/{box}/{emails[index]}")
        assert page.status == 200, name
        assert "could not be shown safely" not in page.text, name
        frame = re.search(r'src="(/mail/[^"]*/body\?[^"]*)"', page.text)
        if frame:
            shown = client.get("/" + frame.group(1).replace("&amp;", "&"))
            assert shown.status == 200 and "<script" not in shown.text.lower(), name


# --- against Dovecot -------------------------------------------------------------------------------

def name_of(message):
    """ "jwz-mime/input/mbox/jwz/134", of several messages in a file with a number behind it. """
    return message[2]


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


def leaves(structure, number=""):
    """[(part number, type)] of all leaves of a BODYSTRUCTURE; a message within a message as itself and
    its leaves (RFC 3501 section 6.4.5 tells how they are numbered)."""
    if isinstance(structure[0], list):
        found = []
        for n, child in enumerate(structure, 1):
            if not isinstance(child, list):
                break
            found += leaves(child, f"{number}.{n}" if number else str(n))
        return found
    number = number or "1"
    kind = (structure[0] + b"/" + structure[1]).lower().decode("latin-1")
    found = [(number, kind)]
    if kind == "message/rfc822" and len(structure) > 8 and isinstance(structure[8], list):
        inner = structure[8]
        found += leaves(inner, number if isinstance(inner[0], list) else f"{number}.1")
    return found


def our_leaves(part):
    """The same of an EmailBodyPart; what is uuencoded within a text is no part for IMAP."""
    found = []
    if not part["type"].startswith("multipart/") and ".u" not in (part["partId"] or ""):
        found.append((part["partId"], part["type"]))
    for child in part.get("subParts") or []:
        found += our_leaves(child)
    return found


def structures_of_dovecot(mailserver):
    """{index in the corpus: leaves}"""
    session = imap(mailserver)
    _, answers = session.uid("FETCH", "1:*", "(INTERNALDATE BODYSTRUCTURE)")
    session.logout()
    found, text = {}, b""
    for answer in answers:
        if isinstance(answer, tuple):  # up to a literal, and the literal
            text += answer[0] + b"\r\n" + answer[1]
            continue
        text += answer
        at = time.mktime(imaplib.Internaldate2tuple(text))
        structure, _ = read_list(text, text.index(b"BODYSTRUCTURE ") + 14)
        found[round(at - BEGAN) // 60] = leaves(structure)
        text = b""
    return found


def test_structures_agree_with_dovecot(corpus, whole, mailserver):
    client, account, emails = whole
    theirs = structures_of_dovecot(mailserver)
    assert sorted(theirs) == list(range(len(corpus)))
    differ = {}
    for index, expected in theirs.items():
        ours = our_leaves(client.get(f"/accounts/{account}/emails/{emails[index]}").json["bodyStructure"])
        if ours != expected:
            differ[name_of(corpus[index])] = (ours, expected)
    for name, (ours, expected) in sorted(differ.items()):
        if name not in corpus_exceptions.names(corpus_exceptions.STRUCTURES):
            print(f"{name}\n    ours   {ours[:12]}\n    theirs {expected[:12]}")
    print(f"structures of {len(theirs)} compared, {len(differ)} differ")
    assert sorted(differ) == corpus_exceptions.names(corpus_exceptions.STRUCTURES)


def base_subject(text):
    text = " ".join((text or "").lower().split())
    while True:
        less = re.sub(r"^((re|fwd?|aw|wg|antw|sv|tr|rv)(\[\d+\])?:|\[[^\]]*\])\s*|\s*\(fwd\)$", "", text)
        if less == text:
            return text
        text = less


def threads_of_dovecot(mailserver, algorithm):
    """{index in the corpus: number of its conversation}"""
    session = imap(mailserver)
    _, dates = session.fetch("1:*", "(INTERNALDATE)")
    index_of = {int(text.split()[0]): round(time.mktime(imaplib.Internaldate2tuple(text)) - BEGAN) // 60
                for text in dates}
    kind, answer = session._simple_command("THREAD", algorithm, "UTF-8", "ALL")
    _, answer = session._untagged_response(kind, answer, "THREAD")
    session.logout()
    found, depth, group = {}, 0, 0
    for token in re.findall(rb"\(|\)|\d+", answer[0]):
        if token == b"(":
            group += depth == 0
            depth += 1
        elif token == b")":
            depth -= 1
        else:
            found[index_of[int(token)]] = group
    return found


def differences(ours, theirs, of):
    """Those of `of` who lie together with somebody in one and not in the other."""
    def companions(groups):
        members = {}
        for index in of:
            members.setdefault(groups[index], set()).add(index)
        return {index: members[groups[index]] for index in of}

    here, there = companions(ours), companions(theirs)
    return {index for index in of if here[index] != there[index]}


def test_conversations_agree_with_dovecot(corpus, reading, mailserver):
    _, _, emails = reading
    copies = {}
    for index, each in emails.items():
        for message_id in each["messageId"] or []:
            copies.setdefault(message_id, []).append(index)
    # copies of a message are one conversation for us and several for Dovecot
    unlike = {index for group in copies.values() if len(group) > 1 for index in group}
    of = [index for index in emails if index not in unlike]
    ours = {index: emails[index]["threadId"] for index in of}
    # by ids alone; a new subject begins a new conversation (RFC 8621 section 3)
    by_ids = threads_of_dovecot(mailserver, "REFS")
    theirs = {index: (by_ids[index], base_subject(emails[index]["subject"])) for index in of}
    differ = {corpus[index][2] for index in differences(ours, theirs, of)}
    print(f"conversations of {len(of)} compared, {len(differ)} lie differently: {sorted(differ)}")
    assert sorted(differ) == corpus_exceptions.names(corpus_exceptions.THREADS)
    # REFERENCES (RFC 5256) also joins what only has the subject in common: ours never span two of its
    wider = threads_of_dovecot(mailserver, "REFERENCES")
    members = {}
    for index in of:
        members.setdefault(ours[index], []).append(index)
    spanning = {corpus[index][2] for group in members.values() for index in group
                if len({wider[index] for index in group}) > 1}
    print(f"conversations that span several of REFERENCES: {sorted(spanning)}")
    assert spanning <= differ
