"""UIDVALIDITY changes, or the server is set back, while operations are under way: none of them ever
meets another message."""

import itertools
import re

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


def turn_round(fake, uidvalidity):
    """The same messages in the opposite order: each UID is another message's."""
    old = fake.folders["INBOX"]
    fake.folders["INBOX"] = Folder(uidvalidity)
    for message, flags in reversed(old.messages.values()):
        fake.folders["INBOX"].add(message, flags)


def renumber(fake):
    turn_round(fake, fake.folders["INBOX"].uidvalidity + 1)


def set_back_uidnext(fake):
    """As from a backup, under the same UIDVALIDITY: UIDs of before are given a second time."""
    turn_round(fake, fake.folders["INBOX"].uidvalidity)


def set_back_modseq(fake):
    """The same, with so much new mail that UIDNEXT does not show it."""
    uidnext = fake.folders["INBOX"].uidnext
    set_back_uidnext(fake)
    fake.folders["INBOX"].uidnext = uidnext + 100
    fake.folders["INBOX"].modseq = 2


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
    fake.folders["INBOX"].uidnext += 1  # there was another one, of late
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


@pytest.mark.parametrize("change,when", [
    (renumber, "waiting"), (renumber, "sent"), (renumber, "done"), (set_back_uidnext, "waiting"),
    (set_back_uidnext, "done"), (set_back_modseq, "waiting")])
@pytest.mark.parametrize("name,capabilities", [(name, CAPABILITIES) for name in DEEDS] +
                         [("move", WITH_MOVE)], ids=[*DEEDS, "MOVE"])
def test_an_operation_never_meets_another_message(house, name, capabilities, change, when):
    """The inbox is numbered anew before the command is sent, when it is sent and nothing came of it,
    or when it is done and the answer is lost."""
    if change is set_back_modseq:
        capabilities += " CONDSTORE"
    fake, here, restante = house
    names = five_letters(fake, here, capabilities)
    command = "UID MOVE" if "MOVE" in capabilities else DEEDS[name][1]

    def lose(session, words):
        fake.answers.clear()
        if when == "done":
            getattr(session, "do_" + command.replace(" ", "_").lower())("*", words)
        change(fake)
        return ["* BYE numbered anew"]

    if when == "waiting":
        fake.answers["AUTHENTICATE"] = lambda *_: ["{tag} NO [UNAVAILABLE] later"]
        fake.cut()
        operations = ask(here, name, names[1])
        change(fake)
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


@pytest.mark.parametrize("change", [set_back_uidnext, set_back_modseq])
@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "open"])
def test_a_server_that_was_set_back_is_read_anew(house, change, is_cut):
    """Messages and their ids stay; flags are those of the message, not of who has its UID now. It is
    noticed on a new connection as well as on one that lives on."""
    fake, here, restante = house
    five_letters(fake, here, CAPABILITIES + " CONDSTORE")
    fake.folders["INBOX"].messages[2][1].add("\\Flagged")
    fake.folders["INBOX"].modseq += 1
    assert is_true(fake, here)

    def ids():
        inbox = here.mailboxes()["INBOX"]["id"]
        return {each["subject"]: each["id"] for each in here.emails(inbox)}

    before = ids()
    change(fake)
    fake.folders["INBOX"].messages.popitem()  # too young for the backup
    if is_cut:
        fake.cut()
    assert is_true(fake, here), (here.listing(), restante.log_tail(10))
    assert ids().items() <= before.items()


def test_a_modseq_that_goes_to_and_fro_costs_one_look(house):
    """Several servers behind one name: their mailbox is not read anew each time, nor set aside."""
    fake, here, restante = house
    five_letters(fake, here, CAPABILITIES + " CONDSTORE")
    modseqs = itertools.cycle([5, 500])
    looks = len(re.findall("event=imap.set-back", restante.log.read_text()))

    def select(session, words):
        for folder in fake.folders.values():
            folder.modseq = next(modseqs)

    fake.answers["SELECT"] = select
    for turn in range(4):
        fake.folders["INBOX"].add(letter(f"fro{turn}.{next(SERIAL)}"))
        fake.folders["Away"].add(letter(f"to{turn}.{next(SERIAL)}"))
        assert is_true(fake, here), here.listing()
    fake.answers.clear()
    told = len(re.findall("event=imap.set-back", restante.log.read_text())) - looks
    assert 1 <= told <= 2  # one a folder


def test_a_copy_of_what_was_moved_away_is_seen_where_the_first_lay(house):
    """Without UIDPLUS a move leaves \\Deleted behind. Another client expunges that and brings the
    message back; then the folder is numbered anew before anybody here has looked."""
    fake, here, _ = house
    names = five_letters(fake, here, "IMAP4rev1 SASL-IR AUTH=PLAIN")
    operations = ask(here, "move", names[1])
    assert eventually(lambda: here.check_now() or all(map(here.is_over, operations)), pause=0.2)
    assert is_true(fake, here)
    old = fake.folders["INBOX"]
    assert [flags for _, flags in old.messages.values() if "\\Deleted" in flags]
    fake.folders["INBOX"] = Folder(old.uidvalidity + 1)
    for message, flags in old.messages.values():
        if "\\Deleted" not in flags:
            fake.folders["INBOX"].add(message, flags)
    fake.folders["INBOX"].add(letter(names[1]))
    fake.cut()
    assert is_true(fake, here), here.listing()


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
