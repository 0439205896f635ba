"""POP3 accounts against a real Dovecot: each policy, sessions cut at every command, the sync process
killed at every step, two clients on one maildrop; and servers that no Dovecot plays."""

import itertools
import poplib
import ssl
import urllib.parse
from datetime import datetime, timedelta, timezone

import pytest

from tests.harness import eventually
from tests.mailserver import faults
from tests.mailserver.scripted import ScriptedServer

PASSWORD = "correct horse"
COMMANDS = [b"AUTH", b"STAT", b"RETR", b"DELE", b"QUIT"]

_serial = itertools.count(1)


def letter(subject, size=200):
    line = "All work and no play makes Jack a dull boy.\r\n"
    return (f"From: jack@example.org\r\nTo: ada@example.org\r\nSubject: {subject}\r\n"
            f"Message-ID: <{subject}@example.org>\r\n"
            "Content-Type: text/plain\r\n\r\n" + line * (size // len(line) + 1)).encode()


class Account:
    """A POP3 account of a local user whose server is behind a port that we choose."""

    def __init__(self, restante, port, email, password=PASSWORD, **policy):
        self.login = restante.add_user(f"pop{next(_serial)}")
        self.api = restante.client(restante.token(self.login))
        made = self.api.post("/accounts", {
            "email": email, "password": password, "kind": "pop3",
            "incoming": {"host": "127.0.0.1", "port": port, "tls": "implicit", "username": email}}
            | (policy or {"pop3Policy": "remove"}))
        assert made.status == 201, made.text
        self.id = made.json["id"]
        self.settled()

    def _get(self, path=""):
        answer = self.api.get(f"/accounts/{self.id}{path}")
        assert answer.status == 200, answer.text
        return answer.json

    def set(self, **policy):
        answer = self.api.patch(f"/accounts/{self.id}", policy)
        assert answer.status == 200, answer.text

    @property
    def sync(self):
        return self._get()["sync"]

    def settled(self, after=None):
        """Waits until a pass has ended (later than `after`)."""
        def look():
            sync = self.sync
            return sync["state"] == "current" and sync["syncedAt"] != after and sync

        assert eventually(look, pause=0.1), self.sync
        return self.sync

    def check_now(self):
        """Asks for a pass and waits for its end."""
        before = self.sync["syncedAt"]
        # Times are told to the second: only a later one shows that another pass has ended.
        eventually(lambda: datetime.now(timezone.utc) >
                   datetime.fromisoformat(before.replace("Z", "+00:00")) + timedelta(seconds=1))
        asked = self.api.post(f"/accounts/{self.id}/sync")
        assert asked.status in (200, 202, 204), asked.text
        return self.settled(before)

    def ask(self):
        self.api.post(f"/accounts/{self.id}/sync")

    def emails(self):
        inbox = next(box["id"] for box in self._get("/mailboxes")["mailboxes"] if box["role"] == "inbox")
        return self._get(f"/mailboxes/{inbox}/emails?limit=200")["emails"]

    def subjects(self):
        return sorted(email["subject"] for email in self.emails())

    def act(self, action, email):
        answer = self.api.post(f"/accounts/{self.id}/actions",
                               {"action": action, "emailIds": [email["id"]]})
        assert answer.status in (200, 202), answer.text

    def found(self, query):
        words = urllib.parse.urlencode({"q": query})
        return sorted(email["subject"] for email in self._get(f"/search?{words}")["emails"])

    def raw(self, email):
        answer = self.api.get(f"/accounts/{self.id}/emails/{email['id']}/raw")
        assert answer.status == 200, answer.text
        return answer.content


class Maildrop:
    """Somebody's mailbox on the real server, behind a proxy that speaks TLS for it."""

    def __init__(self, mailserver, new_person):
        self.person = new_person()
        self._mailserver = mailserver
        self.proxy = faults.Proxy(mailserver.ports["pop3"],
                                  tls=mailserver.authority.certificate("good"))

    def receive(self, *subjects, size=200):
        for subject in subjects:
            self.person.receive(letter(subject, size))

    def client(self):
        """Another program with the same maildrop."""
        pop3 = poplib.POP3_SSL("127.0.0.1", self._mailserver.ports["pop3s"],
                               context=ssl._create_unverified_context(), timeout=30)
        pop3.user(self.person.address)
        pop3.pass_(self.person.password)
        return pop3

    def count(self):
        pop3 = self.client()
        count, _ = pop3.stat()
        pop3.quit()
        return count


@pytest.fixture
def maildrop(mailserver, new_person):
    made = Maildrop(mailserver, new_person)
    yield made
    made.proxy.stop()


@pytest.fixture
def account(restante, maildrop):
    return Account(restante, maildrop.proxy.port, maildrop.person.address)


def subjects(count, name="letter"):
    return sorted(f"{name}-{i:03}" for i in range(count))


# --- policies ------------------------------------------------------------------------------------------


def test_mail_is_removed_once_it_is_here(account, maildrop):
    maildrop.receive(*subjects(30))
    account.check_now()
    assert account.subjects() == subjects(30)
    assert maildrop.count() == 0
    maildrop.receive("another")
    account.check_now()
    assert account.subjects() == sorted(subjects(30) + ["another"])
    assert maildrop.count() == 0


def test_bytes_are_kept_as_they_were_sent(account, maildrop):
    tricky = letter("tricky") + b".\r\n..\r\n.x\r\n\xff\xfe\r\n\r\n"
    maildrop.person.receive(tricky)
    account.check_now()
    (email,) = account.emails()
    assert account.raw(email) == tricky


def test_mail_can_be_left_there(account, maildrop):
    account.set(pop3Policy="leave")
    maildrop.receive(*subjects(5))
    account.check_now()
    account.check_now()
    assert account.subjects() == subjects(5)
    assert maildrop.count() == 5
    account.set(pop3Policy="remove")
    account.check_now()
    assert account.subjects() == subjects(5)
    assert maildrop.count() == 0


def test_mail_is_removed_after_days(account, maildrop):
    account.set(pop3Policy="remove-after", pop3Days=3)
    maildrop.receive(*subjects(5))
    account.check_now()
    assert maildrop.count() == 5
    account.set(pop3Days=0)
    account.check_now()
    assert account.subjects() == subjects(5)
    assert maildrop.count() == 0


def test_mail_goes_there_when_it_is_deleted_here(account, maildrop):
    account.set(pop3Policy="remove-deleted")
    maildrop.receive(*subjects(3))
    account.check_now()
    account.check_now()
    assert account.subjects() == subjects(3)
    assert maildrop.count() == 3
    account.act("destroy", account.emails()[0])
    account.check_now()
    assert len(account.subjects()) == 2
    assert maildrop.count() == 2
    account.check_now()
    assert len(account.subjects()) == 2  # what was deleted is not fetched again


def test_of_a_large_message_the_rest_comes_when_asked_for(account, maildrop):
    account.set(pop3MaxBytes=10000)
    maildrop.receive("large", size=100000)
    maildrop.receive("small")
    account.check_now()
    assert account.subjects() == ["large", "small"]
    assert maildrop.count() == 1  # what is not here whole is not removed
    large = next(email for email in account.emails() if email["subject"] == "large")
    assert account.raw(large) == letter("large", 100000)
    account.check_now()
    assert account.subjects() == ["large", "small"]
    assert maildrop.count() == 0


def test_of_a_large_message_the_rest_comes_when_the_limit_is_raised(account, maildrop):
    account.set(pop3MaxBytes=10000)
    maildrop.receive("large", size=100000)
    account.check_now()
    account.set(pop3MaxBytes=0)
    account.check_now()
    (large,) = account.emails()
    assert maildrop.count() == 0
    assert account.raw(large) == letter("large", 100000)


def test_many_messages_come_first_and_their_words_follow(account, maildrop):
    maildrop.receive(*subjects(449), "zebra")
    account.check_now()
    inbox = next(box for box in account._get("/mailboxes")["mailboxes"] if box["role"] == "inbox")
    assert inbox["totalEmails"] == 450
    assert maildrop.count() == 0
    assert eventually(lambda: account.found("dull zebra") == ["zebra"], pause=0.2)


def test_what_was_deleted_here_does_not_come_back(account, maildrop):
    account.set(pop3Policy="leave")
    maildrop.receive(*subjects(3))
    account.check_now()
    account.act("destroy", account.emails()[0])
    account.check_now()
    assert len(account.subjects()) == 2
    assert maildrop.count() == 3


# --- others at the same maildrop -----------------------------------------------------------------------


def test_what_another_program_removes_stays_here(account, maildrop):
    account.set(pop3Policy="leave")
    maildrop.receive(*subjects(6))
    account.check_now()
    other = maildrop.client()
    other.dele(1)
    other.dele(2)
    other.quit()
    maildrop.receive("new")
    account.check_now()
    assert account.subjects() == sorted(subjects(6) + ["new"])
    assert maildrop.count() == 5


def test_another_program_in_the_middle_of_a_session_hurts_nobody(account, maildrop):
    maildrop.receive(*subjects(20))
    other = maildrop.client()
    assert other.stat()[0] == 20
    account.check_now()
    for number in range(1, 21):
        try:
            other.dele(number)
        except poplib.error_proto:
            pass  # gone already
    try:
        other.quit()
    except poplib.error_proto:
        pass
    account.check_now()
    assert account.subjects() == subjects(20)
    assert maildrop.count() == 0


# --- what breaks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=bytes.decode)
def test_a_session_cut_at_a_command_loses_and_doubles_nothing(account, maildrop, command):
    maildrop.receive(*subjects(20))
    before = maildrop.proxy.connections
    maildrop.proxy.faults = [faults.CutAt(command, faults.SERVER)]
    account.ask()
    assert eventually(lambda: maildrop.proxy.connections > before)
    assert eventually(lambda: maildrop.proxy.open_count == 0)
    assert maildrop.count() == 20  # without an answered QUIT nothing is removed
    maildrop.proxy.faults = []
    eventually(lambda: account.ask() or maildrop.count() == 0, pause=1)
    assert account.subjects() == subjects(20)
    assert maildrop.count() == 0


@pytest.mark.parametrize("after", [100, 1500, 5000, 9000, 20000])
def test_a_session_cut_anywhere_loses_and_doubles_nothing(account, maildrop, after):
    maildrop.receive(*subjects(40, "long"), size=1000)
    before = maildrop.proxy.connections
    maildrop.proxy.faults = [faults.Cut(after=after)]
    account.ask()
    assert eventually(lambda: maildrop.proxy.connections > before)
    assert eventually(lambda: maildrop.proxy.open_count == 0)
    maildrop.proxy.faults = []
    eventually(lambda: account.ask() or maildrop.count() == 0, pause=1)
    assert account.subjects() == subjects(40, "long")
    assert maildrop.count() == 0


def test_a_lost_answer_to_quit_is_settled_by_the_next_listing(account, maildrop):
    maildrop.receive(*subjects(10))
    maildrop.proxy.faults = [faults.CutAt(b"+OK Logging out")]
    account.check_now()
    maildrop.proxy.faults = []
    maildrop.receive("new")
    account.check_now()
    assert account.subjects() == sorted(subjects(10) + ["new"])
    assert maildrop.count() == 0


@pytest.mark.parametrize("command", COMMANDS, ids=bytes.decode)
def test_a_sync_process_killed_at_a_command_loses_and_doubles_nothing(restante, account, maildrop,
                                                                      command):
    maildrop.receive(*subjects(20))
    maildrop.proxy.faults = [faults.StallAt(command, faults.SERVER)]
    account.ask()
    assert eventually(lambda: maildrop.proxy.held)
    restante.kill("sync")
    maildrop.proxy.faults = []
    maildrop.proxy.cut_all(reset=True)
    assert maildrop.count() == 20
    eventually(lambda: account.ask() or maildrop.count() == 0, pause=1)
    assert account.subjects() == subjects(20)
    assert maildrop.count() == 0


# --- servers that no Dovecot plays ---------------------------------------------------------------------

HELLO = """
    tls
    S: +OK ready
    C: CAPA
    S: +OK
    S: USER
    S: UIDL
    S: TOP
    S: RESP-CODES
    S: .
    C: USER {name}
    S: +OK
    C: PASS ...
"""
SIGNED_IN = HELLO + """
    S: +OK
    C: CAPA
    S: +OK
    S: USER
    S: UIDL
    S: TOP
    S: .
"""
FIRST = SIGNED_IN + """
    C: QUIT
    S: +OK
    --- the first pass
""" + SIGNED_IN + """
    C: STAT
    S: +OK 0 0
    C: LIST
    S: +OK
    S: .
    C: UIDL
    S: +OK
    S: .
    C: QUIT
    S: +OK
    ---
"""


def listing(*messages):
    """STAT, LIST and UIDL of (number, uidl), each of 40 bytes."""
    lines = [f"C: STAT\nS: +OK {len(messages)} {len(messages) * 40}\nC: LIST\nS: +OK"]
    lines += [f"S: {number} 40" for number, _ in messages] + ["S: .\nC: UIDL\nS: +OK"]
    lines += [f"S: {number} {uidl}" for number, uidl in messages] + ["S: .\n"]
    return "\n".join(lines)


def message(command, subject):
    return f"C: {command}\nS: +OK\nS: Subject: {subject}\nS:\nS: text of {subject}\nS: .\n"


def header(number, subject):
    return f"C: TOP {number} 0\nS: +OK\nS: Subject: {subject}\nS:\nS: .\n"


@pytest.fixture
def scripted(restante, mailserver):
    """An account in front of a script: after a trial and an empty pass, the given connections."""
    servers = []

    def start(*connections, **policy):
        script = FIRST + "\n---\n".join(connections)
        server = ScriptedServer(script, mailserver.authority)
        servers.append(server)
        made = Account(restante, server.port, f"scripted{next(_serial)}@example.org", **policy)
        made.server = server
        return made

    yield start
    for server in servers:
        server.stop()


QUIT = "C: QUIT\nS: +OK\n"


def test_a_maildrop_in_use_is_no_wrong_password(scripted):
    account = scripted(HELLO + "S: -ERR [IN-USE] another session has it\n")
    account.ask()
    sync = eventually(lambda: (s := account.sync)["state"] != "current" and s, pause=0.1)
    assert sync["state"] == "unreachable"
    assert "another session" in str(sync)


def test_other_uidls_for_the_same_mail_bring_nothing_twice(scripted):
    account = scripted(
        SIGNED_IN + listing((1, "a"), (2, "b")) + message("RETR 1", "one") +
        message("RETR 2", "two") + QUIT,
        SIGNED_IN + listing((1, "x"), (2, "y"), (3, "z")) + header(1, "one") + header(2, "two") +
        header(3, "three") + message("RETR 3", "three") + QUIT,
        SIGNED_IN + listing((1, "x"), (2, "y"), (3, "z")) + QUIT, pop3Policy="leave")
    account.check_now()
    assert account.subjects() == ["one", "two"]
    account.check_now()
    assert account.subjects() == ["one", "three", "two"]
    account.check_now()
    assert account.subjects() == ["one", "three", "two"]
    assert account.server.problems == []


def test_a_uidl_used_again_is_new_mail(scripted):
    account = scripted(
        SIGNED_IN + listing((1, "1")) + message("RETR 1", "one") + "C: DELE 1\nS: +OK\n" + QUIT,
        SIGNED_IN + listing((1, "1")) + header(1, "two") + message("RETR 1", "two") +
        "C: DELE 1\nS: +OK\n" + QUIT)
    account.check_now()
    account.check_now()
    assert account.subjects() == ["one", "two"]
    assert account.server.problems == []


def test_a_removal_that_did_not_happen_is_done_again(scripted):
    account = scripted(
        SIGNED_IN + listing((1, "1")) + message("RETR 1", "one") + "C: DELE 1\nS: +OK\n"
        "C: QUIT\nS: -ERR some deleted messages not removed\n",
        SIGNED_IN + listing((1, "1")) + header(1, "one") + "C: DELE 1\nS: +OK\n" + QUIT)
    account.check_now()
    account.check_now()
    assert account.subjects() == ["one"]
    assert account.server.problems == []


def test_copies_under_one_uidl_all_come(scripted):
    account = scripted(
        SIGNED_IN + listing((1, "a"), (3, "a")) + message("RETR 1", "copy") +
        message("RETR 3", "copy") + QUIT,
        SIGNED_IN + listing((1, "a"), (3, "a")) + QUIT, pop3Policy="leave")
    account.check_now()
    account.check_now()
    assert account.subjects() == ["copy", "copy"]
    assert account.server.problems == []


NO_UIDL = SIGNED_IN.replace("    S: UIDL\n", "") + """
    C: STAT
    S: +OK 1 40
    C: LIST
    S: +OK
    S: 1 40
    S: .
"""


def test_without_uidl_mail_is_told_apart_by_its_header(scripted):
    account = scripted(NO_UIDL + message("RETR 1", "one") + "C: DELE 1\nclose\n",
                       NO_UIDL + message("RETR 1", "one") + "C: DELE 1\nS: +OK\n" + QUIT)
    account.ask()
    assert eventually(lambda: account.subjects() == ["one"], pause=0.1)
    assert eventually(lambda: account.ask() or account.server.finished >= 4, pause=0.5)
    assert account.subjects() == ["one"]
    assert account.server.problems == []


def test_without_uidl_nothing_can_be_left_there(scripted):
    account = scripted(NO_UIDL)
    account.set(pop3Policy="leave")
    account.ask()
    sync = eventually(lambda: (s := account.sync)["state"] == "refused" and s, pause=0.1)
    assert sync, account.sync
    assert "remove" in sync["hint"]
