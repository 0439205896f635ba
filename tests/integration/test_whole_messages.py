"""The policy "everything": whole messages come many at a time, byte for byte, are found by their words,
and one that the server refuses holds up no other."""

import pytest

from tests import harness
from tests.harness import eventually
from tests.integration.test_truth import Here
from tests.mailserver.fakeimap import FakeImap

MANY = 260  # more than whose words are found at once


def letter(number, size=0):
    padding = "".join(f"line {line} of {number}\r\n" for line in range(size // 20))
    return (f"From: ada@example.org\r\nSubject: m{number}\r\nMessage-ID: <{number}@x>\r\n"
            f"X-Only-Here: yes\r\n\r\nThe word is treasure{number}x.\r\n{padding}").encode()


@pytest.fixture
def fake():
    with FakeImap() as server:
        yield server


@pytest.fixture
def sign_in(fake, mailserver, state_folder, request):
    domain = {"kind": "imap", "host": "127.0.0.1", "port": fake.port, "tls": "none"}
    folder = state_folder / "".join(c for c in request.node.name if c.isalnum())
    with harness.Restante(folder, domains={"example.org": domain}, ca_file=mailserver.ca_file,
                          allow_plaintext=True) as restante:
        def enter():
            restante.sign_in("ada@example.org", "any")
            return Here(restante.client(restante.token("ada@example.org")))
        enter.restante = restante
        yield enter


def subjects(here):
    mailboxes = here.mailboxes()
    return {each["subject"]: each["id"] for each in here.emails(mailboxes["INBOX"]["id"])} \
        if "INBOX" in mailboxes else {}


def wholes(fake):
    """The commands that asked for whole messages."""
    return [each for each in fake.commands if "BODY.PEEK[]" in each]


def want_everything(here):
    assert here.client.patch(here.path(""), {"prefetch": "all"}).status == 200


def raw(here, email):
    return here.client.get(here.path(f"/emails/{email}/raw")).content


def test_everything_comes_in_few_commands_and_is_found(fake, sign_in):
    letters = [letter(number, 300_000 if number == 7 else 0) for number in range(MANY)]
    for each in letters:
        fake.folders["INBOX"].add(each)
    here = sign_in()
    assert eventually(lambda: len(subjects(here)) == MANY, patience=60)
    assert not wholes(fake)
    want_everything(here)
    # the words are the last thing that comes
    for number in (0, 7, MANY - 1):
        assert eventually(lambda: [each["subject"] for each in here.client.get(
            f"/search?q=treasure{number}x").json["emails"]] == [f"m{number}"], pause=0.2, patience=120)
    asked = len(wholes(fake))
    assert 0 < asked < 20
    for subject, email in subjects(here).items():
        assert raw(here, email) == letters[int(subject[1:])]
    assert len(wholes(fake)) == asked  # all of it was here


def test_a_message_that_is_refused_holds_up_no_other(fake, sign_in):
    for number in range(6):
        fake.folders["INBOX"].add(letter(number))

    def answer(session, words):
        uids = session.uids(words.split(" ")[0])
        return ["{tag} NO [UNAVAILABLE] not that one"] if "BODY.PEEK[]" in words and 3 in uids else None

    fake.answers["UID FETCH"] = answer
    here = sign_in()
    assert eventually(lambda: len(subjects(here)) == 6)
    want_everything(here)
    emails = subjects(here)
    for number in (0, 1, 3, 4, 5):
        assert eventually(lambda: any(f" {number + 1} (" in each for each in wholes(fake)), patience=60)
    fake.answers.clear()
    fake.folders["INBOX"].add(letter(6))
    assert eventually(lambda: here.check_now() or "m6" in subjects(here), pause=0.2, patience=60)
    assert raw(here, emails["m4"]) == letter(4)


def test_what_came_as_text_comes_whole_too(fake, sign_in):
    fake.folders["INBOX"].add(letter(1))
    here = sign_in()
    assert eventually(lambda: subjects(here))
    assert here.client.patch(here.path(""), {"prefetch": "text"}).status == 200
    assert eventually(lambda: any("BODY.PEEK[1]" in each for each in fake.commands))
    want_everything(here)
    assert eventually(lambda: wholes(fake))


def test_a_message_that_is_not_as_small_as_was_said_is_left_and_no_other(fake, sign_in):
    for number in range(6):
        fake.folders["INBOX"].add(letter(number))

    def answer(session, words):
        if "BODY.PEEK[]" not in words:
            return None
        uids = session.uids(words.split(" ")[0])
        bodies = {uid: session.folder.messages[uid][0] + b"x" * (4 << 20 if uid == 3 else 0) for uid in uids}
        return [b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)" % (uid, uid, len(body), body)
                for uid, body in bodies.items()] + ["{tag} OK done"]

    fake.answers["UID FETCH"] = answer
    here = sign_in()
    assert eventually(lambda: len(subjects(here)) == 6)
    want_everything(here)
    assert eventually(lambda: "event=imap.oversized" in sign_in.restante.log.read_text(), patience=60)
    assert eventually(lambda: here.client.get("/search?q=treasure5x").json["emails"], patience=60)
    emails = subjects(here)
    for number in (0, 1, 3, 4, 5):
        assert raw(here, emails[f"m{number}"]) == letter(number)
    assert len(wholes(fake)) == 1  # all of those were here
    assert len(raw(here, emails["m2"])) == len(letter(2)) + (4 << 20)  # who opens it gets it
