"""Reading and sending do not wait for each other: one account's mail goes out while its IMAP server says
nothing, and comes in while its SMTP server does. And what SMTP servers get of many accounts: how many
connections, who tries one that is down, that "too many" is heeded."""

import pytest

from tests import harness
from tests.integration.test_hosts import House
from tests.integration.test_sending import Writer, awaited
from tests.integration.test_sending_faults import ENVELOPE, HELLO, TAKEN, Mine
from tests.mailserver import maildir
from tests.mailserver.fakeimap import FakeImap
from tests.mailserver.faults import Proxy, StallAt
from tests.mailserver.smtp import SubmissionServer

LETTER = "From: x@example.org\nSubject: {0}\nMessage-ID: <{0}@example.org>\n\nhello\n"


def subjects(writer, role):
    return [email["subject"] for email in writer.emails(role)]


@pytest.mark.parametrize("is_killed", [False, True], ids=["on", "killed"])
def test_mail_goes_out_while_imap_hangs(state_folder, mailserver, person, is_killed):
    with Proxy(mailserver.ports["imap"], tls=mailserver.authority.certificate("good")) as proxy, \
            Mine(state_folder, mailserver, person, TAKEN, proxy.port) as mine:
        awaited(lambda: mine.writer.mailbox("sent"))
        proxy.faults = [StallAt(b" LIST ", towards="server")]
        proxy.cut_all()
        awaited(lambda: proxy.held)
        sent = mine.writer.send(mine.writer.draft(to="b@example.org", subject="out", text="x"))
        mine.writer.until(sent, "accepted")
        if is_killed:
            held = proxy.held
            mine.service.kill("sync")
            awaited(lambda: proxy.held > held)
            assert mine.writer.submission(sent)["phase"] == "accepted"
        proxy.faults = []
        proxy.release()
        mine.writer.until(sent, "filed")
        awaited(lambda: subjects(mine.writer, "sent") == ["out"])
        assert len(mine.smtp.transcripts) == 2 and not mine.smtp.problems  # the trial, and once


@pytest.mark.parametrize("script", [HELLO + "C: MAIL ...\nstall", ENVELOPE + "C: DATA\nstall"],
                         ids=["envelope", "data"])
def test_mail_comes_in_while_smtp_hangs(state_folder, mailserver, person, script):
    with Mine(state_folder, mailserver, person, script + "\n--- then\n" + TAKEN) as mine:
        awaited(lambda: mine.writer.mailbox("sent"))
        sent = mine.writer.send(mine.writer.draft(to="b@example.org", subject="slow", text="x"))
        awaited(lambda: any("MAIL" in line for lines in mine.smtp.transcripts for line in lines))
        person.receive(LETTER.format("in"))
        awaited(lambda: subjects(mine.writer, "inbox") == ["in"])
        arrived = mine.writer.emails("inbox")[0]["id"]
        mine.writer.api.patch(f"{mine.writer.base}/emails/{arrived}", {"keywords": {"$flagged": True}})
        awaited(lambda: any("F" in flags for content, flags in maildir.contents(person.maildir)))
        assert mine.writer.submission(sent)["phase"] == "queued"
        mine.service.kill("sync")
        mine.writer.until(sent, "filed")
        assert not mine.smtp.problems


# --- many accounts of one SMTP server ----------------------------------------------------------------

ACCOUNTS = 6


class Counting(SubmissionServer):
    """Knows how many were connected at once; `greeting` and `limit` (messages of a connection) may be a
    test's."""

    def __init__(self, authority):
        super().__init__(authority, check_password=lambda user, password: True)
        self.rules.auth_without_tls = True
        self.most_open = 0

    def _serve(self, session):
        with self._lock:
            is_open = [each for each in self._sessions if not each.is_leaving]
            self.most_open = max(self.most_open, len(is_open))
        super()._serve(session)


@pytest.fixture
def smtp(mailserver):
    server = Counting(mailserver.authority).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def service(mailserver, state_folder):
    with harness.Restante(state_folder / "lanes", domains={}, ca_file=mailserver.ca_file,
                          allow_plaintext=True, host_connections=2) as restante:
        yield restante


class Senders(House):
    """A person with accounts that read at a server in memory and send through `smtp`."""

    def __init__(self, service, login, fake, smtp, count=ACCOUNTS):
        super().__init__(service, login)
        for number in range(count):
            service.command("account", "add", login, "--email", f"s{number}@example.org", "--kind", "imap",
                            "--host", "127.0.0.1", "--port", str(fake.port), "--tls", "none",
                            "--smtp-host", "127.0.0.1", "--smtp-port", str(smtp.ports["submission"]),
                            "--smtp-tls", "none", "--untested", password="any")
        assert self.all_are("current")
        self.ids = [each["id"] for each in self.accounts()]

    def send(self, account, subject):
        base = f"/accounts/{account}"
        draft = self.client.post(f"{base}/drafts", {"to": "b@outside.example", "subject": subject,
                                                    "text": "x"})
        assert draft.status == 201, draft.text
        sent = self.client.post(f"{base}/submissions", {"draftId": draft.json["id"], "delaySeconds": 0})
        assert sent.status == 201, sent.text
        return f"{base}/submissions/{sent.json['id']}"

    def all(self, paths):
        return [self.client.get(path).json for path in paths]


@pytest.fixture
def senders(service, smtp, request):
    with FakeImap() as fake:
        senders = Senders(service, service.add_user(request.node.name), fake, smtp)
        yield senders
        service.command("user", "delete", senders.login)


def arrived(smtp):
    return sorted(line.split(b": ", 1)[1].decode() for message in smtp.accepted
                  for line in message.content.splitlines() if line.startswith(b"Subject: "))


def test_a_server_gets_no_more_connections_than_the_budget(senders, smtp):
    smtp.rules.seconds = 0.3
    expected = []
    for number in range(2):
        for account in senders.ids:
            expected.append(f"m{account}-{number}")
            senders.send(account, expected[-1])
    awaited(lambda: arrived(smtp) == sorted(expected), patience=90)
    assert smtp.most_open == 2


@pytest.mark.parametrize("rule", ["421 4.7.0 too many connections", "close"], ids=["told", "closed"])
def test_a_server_that_takes_nobody_is_tried_by_one(senders, smtp, rule):
    smtp.rules.replies["EHLO"] = rule
    paths = [senders.send(account, f"m{account}") for account in senders.ids]
    waiting = awaited(lambda: (now := senders.all(paths)) and all(each.get("error") for each in now) and now)
    assert {each["phase"] for each in waiting} == {"queued"}
    assert all(each["attempts"] == 0 or each["nextTryAt"] for each in waiting)
    # those under way when it said so, then people's clicks, which try no more often than every 3 s
    assert sum(each["attempts"] > 0 for each in waiting) < ACCOUNTS
    smtp.rules.replies.clear()
    # whoever finds it well again makes it so for all, their own times to wait or not
    senders.client.post(paths[0] + "/send-now", {})
    awaited(lambda: arrived(smtp) == sorted(f"m{account}" for account in senders.ids), patience=90)


def test_what_is_too_much_in_a_session_ends_it_and_all_wait(senders, smtp):
    smtp.rules.replies["MAIL"] = "450 4.7.1 too much mail from you"
    one = senders.ids[0]
    paths = [senders.send(one, "first"), senders.send(one, "second")]
    awaited(lambda: all("too much" in each.get("error", "") for each in senders.all(paths)))
    sessions = len(smtp.transcripts)
    third = senders.send(one, "third")
    awaited(lambda: "too much" in senders.all([third])[0].get("error", ""))
    assert len(smtp.transcripts) - sessions <= 1
    smtp.rules.replies.clear()
    senders.client.post(third + "/send-now", {})
    awaited(lambda: "third" in arrived(smtp), patience=60)
    senders.client.post(paths[0] + "/send-now", {})
    senders.client.post(paths[1] + "/send-now", {})
    awaited(lambda: arrived(smtp) == ["first", "second", "third"], patience=60)


@pytest.mark.parametrize("end", ["421 4.7.0 too many messages in this connection", "close"],
                         ids=["told", "closed"])
def test_a_server_that_takes_few_messages_a_connection_gets_more_connections(senders, smtp, end):
    smtp.rules.messages, smtp.rules.replies["limit"] = 3, end
    one, expected = senders.ids[0], [f"m{number}" for number in range(8)]
    paths = [senders.send(one, subject) for subject in expected]
    awaited(lambda: len(smtp.accepted) == len(expected), patience=60)
    assert arrived(smtp) == expected
    awaited(lambda: {each["phase"] for each in senders.all(paths)} <= {"accepted", "filed"})
