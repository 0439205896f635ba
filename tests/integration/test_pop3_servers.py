"""Servers that no Dovecot plays, one test for each line of what is known about syncing POP3: scripts
say what goes over the wire. Gmail and Outlook have habits of their own."""

import base64
import hashlib
import hmac
import itertools
import socketserver
from datetime import datetime, timezone

import pytest

from tests import harness
from tests.harness import eventually
from tests.integration.test_pop3 import (FIRST, HELLO, PASSWORD, QUIT, SIGNED_IN, Account, header, listing,
                                         message, scripted)  # noqa: F401
from tests.mailserver import ports
from tests.mailserver.scripted import ScriptedServer
from tests.mailserver.serving import serving

ONE = "C: DELE 1\nS: +OK\n"


def sized(*messages):
    """listing() of (number, uidl, size)."""
    lines = [f"C: STAT\nS: +OK {len(messages)} 1\nC: LIST\nS: +OK"]
    lines += [f"S: {number} {size}" for number, _, size in messages] + ["S: .\nC: UIDL\nS: +OK"]
    lines += [f"S: {number} {uidl}" for number, uidl, _ in messages] + ["S: .\n"]
    return "\n".join(lines)


def capable(*capabilities):
    """SIGNED_IN at a server that says that of itself after the sign-in."""
    before, after = SIGNED_IN.rsplit("S: USER", 1)
    return before + "\n".join(["S: USER", *(f"S: {words}" for words in capabilities)]) + after


def check_met(account):
    """The client said what the script expects, and nothing else."""
    assert account.server.problems == []


# --- the listing ---------------------------------------------------------------------------------------


def test_a_part_of_the_maildrop_at_a_time_brings_nothing_twice(scripted):
    """Gmail lists some hundred at a time; what is not listed may come back."""
    first, all_of_them = sized((1, "a", 40), (2, "b", 40)), sized((1, "a", 40), (2, "b", 40), (3, "c", 50))
    account = scripted(
        SIGNED_IN + first + message("RETR 1", "one") + message("RETR 2", "two") + QUIT,
        SIGNED_IN + sized((1, "c", 50)) + message("RETR 1", "three") + QUIT,
        SIGNED_IN + all_of_them + header(1, "one") + header(2, "two") + QUIT,
        SIGNED_IN + all_of_them + QUIT,  # looked at once
        pop3Policy="leave")
    for _ in range(4):
        account.check_now()
    assert account.subjects() == ["one", "three", "two"]
    check_met(account)


def test_numbers_are_of_one_session(scripted):
    account = scripted(
        SIGNED_IN + listing((1, "a"), (2, "b")) + message("RETR 1", "one") + message("RETR 2", "two") + QUIT,
        SIGNED_IN + listing((1, "b"), (2, "c"), (3, "a")) + message("RETR 2", "three") + QUIT,
        pop3Policy="leave")
    account.check_now()
    account.check_now()
    assert account.subjects() == ["one", "three", "two"]
    check_met(account)


def test_gaps_spaces_and_ok_on_each_line(scripted):
    odd = """
        C: STAT
        S: +OK   2  80
        C: LIST
        S: +OK
        S: 3    40
        S: +OK 7 40
        S: .
        C: UIDL
        S: +OK
        S: +OK 3    a
        S: 7   b
        S: .
    """
    account = scripted(SIGNED_IN + odd + message("RETR 3", "one") + message("RETR 7", "two") +
                       "C: DELE 3\nS: +OK\nC: DELE 7\nS: +OK\n" + QUIT)
    account.check_now()
    assert account.subjects() == ["one", "two"]
    check_met(account)


def test_a_message_without_a_uidl_among_others_is_left_alone(scripted):
    odd = listing((1, "a"), (2, "b")).replace("S: 2 b", "S: 2")
    account = scripted(SIGNED_IN + odd + message("RETR 1", "one") + ONE + QUIT)
    account.check_now()
    assert account.subjects() == ["one"]
    check_met(account)


# --- getting -------------------------------------------------------------------------------------------


def test_where_there_is_no_top_a_large_message_comes_whole(scripted):
    account = scripted(
        SIGNED_IN.replace("    S: TOP\n", "") + sized((1, "a", 90000)) + message("RETR 1", "large") + ONE +
        QUIT, pop3Policy="remove", pop3MaxBytes=1000)
    account.check_now()
    assert account.subjects() == ["large"]
    check_met(account)


def test_a_message_that_the_server_refuses_waits_and_the_others_come(scripted):
    both = listing((1, "a"), (2, "b"))
    account = scripted(
        SIGNED_IN + both + "C: RETR 1\nS: -ERR damaged\n" + message("RETR 2", "two") +
        "C: DELE 2\nS: +OK\n" + QUIT,
        SIGNED_IN + listing((1, "a")) + header(1, "one") + message("RETR 1", "one") + ONE + QUIT)
    account.check_now()
    assert account.subjects() == ["two"]
    account.check_now()
    assert account.subjects() == ["one", "two"]
    check_met(account)


# --- removing ------------------------------------------------------------------------------------------


def test_what_was_removed_and_is_listed_again_is_removed_again(scripted):
    """Outlook shows a removed message for a while; Gmail keeps what it was told to keep."""
    account = scripted(
        SIGNED_IN + listing((1, "a")) + message("RETR 1", "one") + ONE + QUIT,
        SIGNED_IN + listing((1, "a")) + header(1, "one") + ONE + QUIT,
        SIGNED_IN + listing((1, "a")) + header(1, "one") + ONE + QUIT,
        SIGNED_IN + listing() + QUIT)
    for _ in range(4):
        account.check_now()
    assert account.subjects() == ["one"]
    check_met(account)


def test_a_dele_that_is_refused_is_tried_again_and_nothing_comes_twice(scripted):
    account = scripted(
        SIGNED_IN + listing((1, "a")) + message("RETR 1", "one") + "C: DELE 1\nS: -ERR read-only\n" + QUIT,
        SIGNED_IN + listing((1, "a")) + header(1, "one") + ONE + QUIT)
    account.check_now()
    account.check_now()
    assert account.subjects() == ["one"]
    check_met(account)


# --- what the server asks for --------------------------------------------------------------------------


def seconds_until_next(account):
    next_at = datetime.fromisoformat(account.sync["nextAt"].replace("Z", "+00:00"))
    return (next_at - datetime.now(timezone.utc)).total_seconds()


def test_a_login_delay_that_is_told_is_kept_also_when_somebody_asks(scripted):
    account = scripted(capable("UIDL", "TOP", "LOGIN-DELAY 900") + listing() + QUIT,
                       SIGNED_IN + listing() + QUIT)
    account.check_now()
    assert seconds_until_next(account) > 600  # rather than the 60 of the account
    connections = len(account.server.transcripts)
    for _ in range(3):
        account.ask()
    assert not eventually(lambda: len(account.server.transcripts) > connections, patience=3)


def test_coming_too_soon_is_no_wrong_password_and_is_waited_for(scripted):
    account = scripted(
        HELLO.replace("S: RESP-CODES", "S: RESP-CODES\n    S: LOGIN-DELAY 900") +
        "S: -ERR [LOGIN-DELAY] minimum time between mail checks violation\n")
    account.ask()
    sync = eventually(lambda: (s := account.sync)["state"] == "unreachable" and s, pause=0.1)
    assert sync, account.sync
    assert "minimum time" in sync["error"]
    assert seconds_until_next(account) > 600


def test_the_polling_interval_is_the_accounts(scripted):
    account = scripted(SIGNED_IN + listing() + QUIT)
    account.set(pollSeconds=7200)
    account.check_now()
    assert 5000 < seconds_until_next(account) <= 7200


@pytest.mark.parametrize("told, days, words", [
    ("EXPIRE 0", 0, "deletes messages by itself as soon as they were fetched"),
    ("EXPIRE 30", 30, "deletes messages by itself 30 days after they were fetched"),
    ("EXPIRE NEVER", None, None)])
def test_what_the_server_throws_away_by_itself_is_told(restante, scripted, told, days, words):
    account = scripted(capable("UIDL", "TOP", told) + listing() + QUIT, pop3Policy="leave")
    account.check_now()
    assert account._get().get("pop3ExpireDays") == days
    page = restante.sign_in(account.login, "a local password").get(f"//accounts/{account.id}").text
    assert words in page if words else "by itself" not in page


def test_what_the_server_is_about_to_throw_away_comes_whole(scripted):
    """RFC 2449 section 6.7: EXPIRE 0 leaves no time to ask for the rest."""
    account = scripted(
        capable("UIDL", "TOP", "EXPIRE 0") + sized((1, "a", 90000)) + message("RETR 1", "large") + QUIT,
        pop3Policy="leave", pop3MaxBytes=1000)
    account.check_now()
    assert account.subjects() == ["large"]
    check_met(account)


# --- more than can be taken ----------------------------------------------------------------------------

PAD = "x" * 998
ENDLESS = f"C: RETR 1\nS: +OK\nS: Subject: endless\nS:\nS* 200000: {PAD}\nclose\n"


def test_a_message_that_does_not_end_is_in_nobodys_way(scripted):
    both = listing((1, "a"), (2, "b"))
    account = scripted(SIGNED_IN + both + ENDLESS,
                       SIGNED_IN + both + message("RETR 2", "two") + "C: DELE 2\nS: +OK\n" + QUIT,
                       SIGNED_IN + listing((1, "a")) + QUIT)
    account.ask()
    assert eventually(lambda: account.subjects() == ["endless", "two"], patience=60, pause=0.3)
    account.settled()
    account.check_now()
    assert account.subjects() == ["endless", "two"]  # not removed, and not asked for again
    endless = next(email for email in account.emails() if email["subject"] == "endless")
    raw = account.api.get(f"/accounts/{account.id}/emails/{endless['id']}/raw")
    assert raw.is_problem and "larger than is taken here" in raw.json["detail"]


# --- more than a session should take --------------------------------------------------------------------

@pytest.fixture
def hurried(mailserver, state_folder):
    """A service of its own whose POP3 sessions last a second."""
    with harness.Restante(state_folder / "hurried", domains={}, ca_file=mailserver.ca_file,
                          pop3_session=1) as service:
        yield service


def slow(number, subject):
    return message(f"RETR {number}", subject).replace("S:\n", "wait 1.2\nS:\n", 1)


def test_a_server_that_drips_messages_has_a_session_for_each_and_none_comes_twice(hurried, mailserver):
    """The second one is not even asked for once the time is over."""
    maildrop = [(1, "a", 40), (2, "b", 50), (3, "c", 60)]
    sessions = [SIGNED_IN + sized(*maildrop[number - 1:]) + slow(number, subject) +
                f"C: DELE {number}\nS: +OK\n" + QUIT
                for number, subject in enumerate(("one", "two", "three"), 1)]
    sessions.append(SIGNED_IN + sized() + QUIT)  # a look whose time has come meanwhile
    with ScriptedServer(FIRST + "\n---\n".join(sessions), mailserver.authority) as server:
        account = Account(hurried, server.port, f"dripping{next(_serial)}@example.org")
        account.ask()
        assert eventually(lambda: account.subjects() == ["one", "three", "two"], patience=60, pause=0.3)
        eventually(lambda: account.sync["state"] == "current", patience=60, pause=0.3)
        assert server.problems == []


def test_a_message_larger_than_listed_is_cut_and_the_session_goes_on(scripted):
    account = scripted(
        SIGNED_IN + listing((1, "a"), (2, "b")) +
        f"C: RETR 1\nS: +OK\nS: Subject: liar\nS:\nS* 3000: {PAD}\nS: .\n" + message("RETR 2", "two") +
        "C: DELE 2\nS: +OK\n" + QUIT)
    account.check_now()
    assert account.subjects() == ["liar", "two"]
    check_met(account)


def test_a_message_listed_as_larger_than_is_taken_comes_with_its_beginning(restante, scripted):
    account = scripted(
        SIGNED_IN + sized((1, "a", 300_000_000), (2, "b", 40)) +
        "C: TOP 1 40\nS: +OK\nS: Subject: giant\nS: From: jack@example.org\nS:\nS: its beginning\nS: .\n" +
        message("RETR 2", "two") + "C: DELE 2\nS: +OK\n" + QUIT,
        SIGNED_IN + sized((1, "a", 300_000_000)) + QUIT)
    account.check_now()
    assert account.subjects() == ["giant", "two"]
    account.check_now()
    check_met(account)
    giant = next(email for email in account.emails() if email["subject"] == "giant")
    inbox = next(box["id"] for box in account._get("/mailboxes")["mailboxes"] if box["role"] == "inbox")
    browser = restante.sign_in(account.login, "a local password")
    page = browser.get(f"//mail/{account.id}/{inbox}/{giant['id']}").text
    assert "Only the beginning of this message is here." in page and "its beginning" in page
    assert "Download the rest" not in page


# --- who they are -------------------------------------------------------------------------------------

STLS = """
    S: +OK ready
    C: CAPA
    S: +OK
    S: STLS
    S: .
    C: STLS
"""


def refused(api, server, tls):
    """What is said of an account there; the password must not have gone over the wire."""
    answer = api.post("/accounts", {
        "email": "ada@example.org", "password": PASSWORD, "kind": "pop3", "pop3Policy": "leave",
        "incoming": {"host": "127.0.0.1", "port": server.port, "tls": tls}})
    assert answer.status in (422, 502, 503, 504) and answer.is_problem, answer.text
    assert PASSWORD not in str(server.transcripts)
    return answer.json["detail"].lower()


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("kind", ["expired", "self-signed", "wrong-host"])
def test_a_bad_certificate_gets_no_password(api, mailserver, kind, tls):
    begin = f"{STLS}S: +OK go\n" if tls == "starttls" else ""
    with ScriptedServer(f"{begin}tls {kind}\nS: +OK ready\nC: ...", mailserver.authority) as server:
        assert "certificate" in refused(api, server, tls)


@pytest.mark.parametrize("script", [
    "S: HTTP/1.1 400 Bad Request\nclose", "S: \\x00\\xff\\xfe\nclose", "S: -ERR go away\nclose",
    "S: +OK\nclose", "S: +OK\nC: CAPA\nS: +OK\nS: USER\nS: .\nC: ...\nS: -ERR\nclose",
    f"{STLS}S: -ERR no\nC: ...\nclose", f"{STLS}S: +OK go\\r\\n+OK injected\ntls\nC: ..."])
def test_a_server_that_speaks_nonsense_gets_no_password(api, mailserver, script):
    with ScriptedServer(script, mailserver.authority) as server:
        assert refused(api, server, "starttls")


# --- SCRAM (RFC 5802, 7677), as RFC 5034 has it in POP3 --------------------------------------------------

_serial = itertools.count(1)


class ScramMaildrop(socketserver.StreamRequestHandler):
    """An empty maildrop that knows no other way in than SCRAM-SHA-256."""

    def line(self):
        return self.rfile.readline().decode().rstrip("\r\n")

    def say(self, text):
        self.server.said.append(text)
        self.wfile.write(f"{text}\r\n".encode())

    def challenge(self, text):
        self.say("+ " + base64.b64encode(text.encode()).decode())
        return base64.b64decode(self.line()).decode()

    def scram(self, first):
        password, salt, rounds = self.server.password, b"salt of this test", 4096
        bare = base64.b64decode(first).decode().removeprefix("n,,")
        nonce = dict(part.split("=", 1) for part in bare.split(","))["r"] + "server"
        server_first = f"r={nonce},s={base64.b64encode(salt).decode()},i={rounds}"
        final = self.challenge(server_first)
        without_proof, proof = final.rsplit(",p=", 1)
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
        mac = lambda key, text: hmac.digest(key, text.encode(), "sha256")  # noqa: E731
        client_key, said = mac(salted, "Client Key"), f"{bare},{server_first},{without_proof}"
        signature = mac(hashlib.sha256(client_key).digest(), said)
        expected = bytes(a ^ b for a, b in zip(client_key, signature))
        if base64.b64decode(proof) != expected or f"r={nonce}" not in without_proof:
            return False
        shown = mac(mac(salted, "Server Key"), said + self.server.lie)
        return self.challenge("v=" + base64.b64encode(shown).decode()) == ""

    def handle(self):
        answers = {"STAT": "+OK 0 0", "LIST": "+OK\r\n.", "UIDL": "+OK\r\n.", "NOOP": "+OK",
                   "CAPA": "+OK\r\nUIDL\r\nSASL SCRAM-SHA-256\r\n."}
        self.say("+OK ready")
        while command := self.line():
            self.server.asked.append(command)
            verb, *words = command.split()
            if verb == "AUTH":
                is_known = words[0] == "SCRAM-SHA-256" and self.scram(words[1])
                self.say("+OK" if is_known else "-ERR [AUTH] no")
            elif verb == "QUIT":
                return self.say("+OK")
            else:
                self.say(answers.get(verb, "-ERR"))


@pytest.fixture
def scram(mailserver):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", ports.free()[0]), ScramMaildrop)
    server.daemon_threads = True
    server.asked, server.said, server.password, server.lie = [], [], PASSWORD, ""
    with serving(server, mailserver.authority.certificate("good")):
        yield server


def test_scram_signs_in_without_telling_the_password(restante, scram):
    account = Account(restante, scram.server_address[1], f"scram{next(_serial)}@example.org")
    account.check_now()
    assert [line.split()[1] for line in scram.asked if line.startswith("AUTH")][:2] == \
        ["SCRAM-SHA-256"] * 2
    told = " ".join(scram.asked)
    assert PASSWORD not in told and base64.b64encode(PASSWORD.encode()).decode() not in told


@pytest.mark.parametrize("wrong", [{"password": "another"}, {"lie": "x"}],
                         ids=["the password is wrong", "the server does not know it"])
def test_scram_proves_both_sides(restante, scram, wrong):
    """A server that cannot show that it knows the password is not believed, though it says +OK."""
    for name, value in wrong.items():
        setattr(scram, name, value)
    with pytest.raises(AssertionError) as refused:
        Account(restante, scram.server_address[1], f"scram{next(_serial)}@example.org")
    assert "STAT" not in scram.asked
    assert '"status":422' in str(refused.value) and "ncoming server, sign" in str(refused.value)
