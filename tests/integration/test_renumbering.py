"""UIDVALIDITY changes while operations are under way: none of them ever meets another message."""

import itertools

import pytest

from tests import harness
from tests.harness import eventually
from tests.integration.test_truth import Here
from tests.mailserver.fakeimap import FakeImap, Folder

CAPABILITIES = "IMAP4rev1 SASL-IR UIDPLUS AUTH=PLAIN"
WITH_MOVE = CAPABILITIES + " MOVE"
SERIAL = itertools.count(1)
NAMES = {"\\Seen": "$seen", "\\Flagged": "$flagged"}


@pytest.fixture(scope="module")
def house(mailserver, state_folder):
    with FakeImap(CAPABILITIES) as fake:
        domain = {"kind": "imap", "host": "127.0.0.1", "port": fake.port, "tls": "none"}
        with harness.Restante(state_folder / "renumbering", domains={"example.org": domain},
                              ca_file=mailserver.ca_file, allow_plaintext=True) as restante:
            restante.sign_in("ada@example.org", "any")
            yield fake, Here(restante.client(restante.token("ada@example.org"))), restante


def letter(name):
    return (f"From: ada@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@x>\r\n\r\n"
            f"letter {name}\r\n").encode()


def renumber(fake):
    """The same messages in the opposite order: each UID is another message's."""
    old = fake.folders["INBOX"]
    fake.folders["INBOX"] = Folder(old.uidvalidity + 1)
    for message, flags in reversed(old.messages.values()):
        fake.folders["INBOX"].add(message, flags)


def upstream(fake):
    return {path: sorted((message.split(b"Subject: ")[1].split(b"\r\n")[0].decode(),
                          tuple(sorted(NAMES[flag] for flag in flags)))
                         for message, flags in folder.messages.values() if "\\Deleted" not in flags)
            for path, folder in fake.folders.items()}


def is_true(fake, here):
    return eventually(lambda: here.check_now() or here.listing() == upstream(fake), pause=0.2)


def five_letters(fake, here, capabilities=CAPABILITIES):
    """New ones in a folder with numbers of its own, and another one that is empty. Their names."""
    serial = next(SERIAL)
    names = [f"m{serial}.{number}" for number in range(1, 6)]
    fake.capabilities = capabilities
    fake.folders = {"INBOX": Folder(serial * 100), "Away": Folder(serial * 100)}
    for name in names:
        fake.folders["INBOX"].add(letter(name))
    fake.cut()
    assert is_true(fake, here), here.listing()
    return names


# What is asked for the second letter, the command that it takes, and which lie where in the end.
DEEDS = {
    "keywords": ({"action": "keywords", "keywords": {"$flagged": True}}, "UID STORE", True, False),
    "move": ({"action": "move", "to": "Away"}, "UID COPY", False, True),
    "copy": ({"action": "copy", "to": "Away"}, "UID COPY", True, True),
    "destroy": ({"action": "destroy"}, "UID STORE", False, False),
}


def ask(here, name, subject):
    boxes = {path: each["id"] for path, each in here.mailboxes().items()}
    email, = [each["id"] for each in here.emails(boxes["INBOX"]) if each["subject"] == subject]
    asked = {"mailboxId": boxes["INBOX"], "emailIds": [email]} | DEEDS[name][0]
    if "to" in asked:
        asked["toId"] = boxes[asked.pop("to")]
    return here.act(**asked)


@pytest.mark.parametrize("when", ["waiting", "sent", "done"])
@pytest.mark.parametrize("name,capabilities", [(name, CAPABILITIES) for name in DEEDS] +
                         [("move", WITH_MOVE)], ids=[*DEEDS, "MOVE"])
def test_an_operation_never_meets_another_message(house, name, capabilities, when):
    """The inbox is numbered anew before the command is sent, when it is sent and nothing came of it,
    or when it is done and the answer is lost."""
    fake, here, restante = house
    names = five_letters(fake, here, capabilities)
    command = "UID MOVE" if capabilities == WITH_MOVE else DEEDS[name][1]

    def lose(session, words):
        fake.answers.clear()
        if when == "done":
            getattr(session, "do_" + command.replace(" ", "_").lower())("*", words)
        renumber(fake)
        return ["* BYE numbered anew"]

    if when == "waiting":
        fake.answers["AUTHENTICATE"] = lambda *_: ["{tag} NO [UNAVAILABLE] later"]
        fake.cut()
        operations = ask(here, name, names[1])
        renumber(fake)
        fake.answers.clear()
    else:
        fake.answers[command] = lose
        operations = ask(here, name, names[1])
        assert eventually(lambda: not fake.answers)
    assert eventually(lambda: here.check_now() or all(map(here.is_over, operations)), pause=0.2,
                      patience=90)
    _, _, is_here, is_away = DEEDS[name]
    words = ("$flagged",) if name == "keywords" else ()
    wanted = sorted([(each, ()) for each in names if each != names[1]] +
                    [(names[1], words)] * is_here)
    assert upstream(fake) == {"INBOX": wanted, "Away": [(names[1], ())] * is_away}
    assert is_true(fake, here), (here.listing(), restante.log_tail(10))


def test_a_list_of_folders_that_are_not_there_is_asked_for_on_another_connection(house):
    """Dovecot 2.3 may list those of long ago to whoever is connected, for as long as they are."""
    fake, here, _ = house
    five_letters(fake, here)
    stale = fake.connections
    fake.folders["Young"] = Folder(2)
    fake.folders["Young"].add(letter("young"))
    fake.answers["LIST"] = lambda session, _: session.number <= stale and [
        '* LIST () "/" "INBOX"', '* LIST () "/" "Ghost"', "{tag} OK done"] or None
    for command in ("STATUS", "SELECT"):
        fake.answers[command] = lambda _, words: \
            ["{tag} NO [NONEXISTENT] gone"] if "Ghost" in words else None
    assert is_true(fake, here), here.listing()
    assert fake.connections > stale
    fake.answers.clear()
