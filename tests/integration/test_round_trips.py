"""What goes over the wire when there is nothing to tell: one round trip for a whole account."""

import itertools
import time

import pytest

from tests import harness
from tests.harness import eventually
from tests.integration.test_truth import Here
from tests.mailserver.faults import CLIENT, SERVER, Proxy
from tests.mailserver.mailserver import MailServer

PASSWORD = "correct horse"
REST = 5  # MAILBOX_LOOK_REST_MS
_serial = itertools.count()  # of folders: a socket's path is short
WAYS = {"qresync": [], "condstore": ["QRESYNC"], "without NOTIFY": ["QRESYNC", "NOTIFY"],
        "neither": ["QRESYNC", "CONDSTORE"], "little": ["QRESYNC", "CONDSTORE", "NOTIFY"]}


def letter(number):
    return f"From: ada@example.org\r\nSubject: m{number}\r\n\r\nletter {number}\r\n".encode()


@pytest.fixture(params=WAYS)
def account(request, state_folder):
    """An account at rest behind a proxy that writes down what passes."""
    with MailServer(hide=WAYS[request.param]) as mail, \
            Proxy(mail.ports["imap"]) as proxy:
        mail.add_user("ada@example.org", PASSWORD)
        for number in range(30):
            mail.deliver("ada@example.org", letter(number))
        mail.deliver("ada@example.org", letter(100), "Lists")
        domain = harness.domain("imap", mail) | {"port": proxy.port, "tls": "none"}
        proxy.transcript = []
        with harness.Restante(state_folder / str(next(_serial)), ca_file=mail.ca_file,
                              domains={"example.org": domain}, allow_plaintext=True) as restante:
            restante.sign_in("ada@example.org", PASSWORD)
            here = Here(restante.client(restante.token("ada@example.org")))
            assert eventually(lambda: len(subjects(here)) == 30, 120)
            await_idle(proxy)
            here.restante = restante
            here.has_modseq = "CONDSTORE" not in WAYS[request.param]
            yield mail, proxy, here


def subjects(here):
    inbox = here.mailboxes().get("INBOX")
    return [each["subject"] for each in here.emails(inbox["id"])] if inbox else []


def asked(transcript):
    return b"".join(piece for _, towards, piece in transcript if towards == SERVER)


def await_idle(proxy):
    """The connection is parked: IDLE was the last that was said, and answered."""
    def is_idle():
        last = proxy.transcript[-1:]
        return asked(proxy.transcript).endswith(b" IDLE\r\n") and last and last[0][1] == CLIENT
    assert eventually(is_idle, 120), asked(proxy.transcript)[-500:]


def flights(transcript):
    """What was asked before an answer to it came, as one string each."""
    sent, was_answered = [], True
    for _, towards, piece in transcript:
        if towards == SERVER:
            sent = sent + [piece] if was_answered else sent[:-1] + [sent[-1] + piece]
        was_answered = towards == CLIENT
    return sent


def look(proxy, here, goes_on=False):
    """Somebody asks for a look: all that passes until the connection is parked again."""
    if not goes_on:
        proxy.transcript = []
    assert here.client.post(here.path("/sync"), {}).status < 300
    assert eventually(lambda: b" LIST " in asked(proxy.transcript), 60)
    await_idle(proxy)
    return flights(proxy.transcript)


def test_an_account_without_news_is_one_round_trip(account):
    """With neither CONDSTORE nor QRESYNC flags are asked for in each folder that has messages."""
    _, proxy, here = account
    if not here.has_modseq:
        sent = look(proxy, here)
        words = [[line.split(b" ", 1)[-1] for line in each.split(b"\r\n")[:-1]] for each in sent]
        assert words[0][0] == b"DONE" and words[0][1].startswith(b"LIST ") and words[0][2:] == [b"NOOP"]
        assert words[1:] == [[b"NOOP"], [b"UID FETCH 1:30 (UID FLAGS)"],
                             [b'SELECT "Lists"'], [b"UID FETCH 1 (UID FLAGS)"],
                             [b'SELECT "INBOX"'], [b"IDLE"]]
        return
    for _ in range(2):
        sent = look(proxy, here)
        assert len(sent) == 2, sent
        question, wait = sent  # two flights: the question, and IDLE again
        lines = question.split(b"\r\n")
        assert lines[0] == b"DONE" and b" LIST " in lines[1] and lines[2].endswith(b" NOOP"), lines
        assert lines[3:] == [b""] and wait.endswith(b" IDLE\r\n"), (lines, wait)


def test_the_same_look_sees_what_is_new(account):
    mail, proxy, here = account
    mail.deliver("ada@example.org", letter(30))
    look(proxy, here)
    assert eventually(lambda: "m30" in subjects(here), 60)


def test_a_parked_connection_that_broke_is_not_missed(account):
    mail, proxy, here = account
    before = proxy.connections
    proxy.cut_all()
    mail.deliver("ada@example.org", letter(30))
    assert eventually(lambda: "m30" in subjects(here), 60)
    assert proxy.connections > before


def open_page(here, folder):
    person = here.restante.client()
    assert person.sign_in("ada@example.org", PASSWORD).status == 303
    page = f"//mail/{here.account}/{here.mailboxes()[folder]['id']}"
    assert person.get(page).status == 200
    return person, page


def has_come(here, number):
    return here.restante.sql(f"SELECT count(*) FROM email WHERE subject = 'm{number}'") == "1"


@pytest.mark.parametrize("account", ["qresync", "little"], indirect=True)
def test_a_folder_that_somebody_opens_is_looked_at(account):
    """Nobody else asks: the next look by itself is minutes away."""
    mail, _, here = account
    mail.deliver("ada@example.org", letter(101), "Lists")
    open_page(here, "Lists")
    assert eventually(lambda: has_come(here, 101), 60)


@pytest.mark.parametrize("account", ["little"], indirect=True)
def test_a_program_that_lists_a_folder_has_it_looked_at(account):
    mail, _, here = account
    mail.deliver("ada@example.org", letter(101), "Lists")
    here.emails(here.mailboxes()["Lists"]["id"])
    assert eventually(lambda: has_come(here, 101), 60)


@pytest.mark.parametrize("account", ["little"], indirect=True)
def test_a_folder_that_is_opened_again_and_again_is_looked_at_now_and_then(account):
    _, proxy, here = account
    proxy.transcript = []
    person, page = open_page(here, "Lists")
    began = time.monotonic()
    for _ in range(30):
        assert person.get(page).status == 200
    most = 1 + (time.monotonic() - began) / REST
    open_page(here, "INBOX")  # told of by IDLE
    look(proxy, here, goes_on=True)
    asked_for = asked(proxy.transcript).count(b" STATUS \"Lists\"") + \
        asked(proxy.transcript).count(b" STATUS Lists")
    assert b"STATUS INBOX" not in asked(proxy.transcript)
    assert 1 <= asked_for <= most
