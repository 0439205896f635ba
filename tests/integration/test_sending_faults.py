"""Sending when things go wrong: at each step of SMTP an answer that is lost, and kill -9 in each
phase. No message is sent twice, none vanishes, and the person is told the truth."""

import html
import re

import pytest

from tests import harness
from tests.integration.test_reading import visible
from tests.integration.test_sending import Writer, awaited, received
from tests.mailserver import maildir
from tests.mailserver.faults import CutAt, Proxy, StallAt
from tests.mailserver.scripted import ScriptedServer


@pytest.fixture
def rules(mailserver):
    """What the submission server does, without BDAT so that DATA is a step of its own."""
    rules = mailserver.smtp.rules
    extensions = list(rules.extensions)
    rules.extensions.remove("CHUNKING")
    yield rules
    rules.extensions[:] = extensions
    rules.replies.clear()
    rules.recipients.clear()


@pytest.fixture
def writer(restante, person):
    return Writer(restante, person)


@pytest.mark.parametrize("verb", ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."])
def test_refused_for_now_it_waits_and_goes_later(writer, new_person, mailserver, rules, verb):
    reader = new_person()
    rules.replies[verb] = "451 4.3.0 not now"
    sent = writer.send(writer.draft(to=reader.address, subject=f"later {verb}", text="x"))
    waiting = awaited(lambda: (now := writer.submission(sent)).get("error") and now)
    assert waiting["phase"] == "queued" and waiting["attempts"] >= 1
    assert "not now" in waiting["error"] and waiting["nextTryAt"]
    assert received(mailserver, reader) == []
    rules.replies.clear()
    assert writer.api.post(f"{writer.base}/submissions/{sent['id']}/send-now",
                           json_body={}).status == 200
    writer.until(sent, "filed")
    assert len(received(mailserver, reader)) == 1


def test_a_refused_password_is_told_and_the_new_one_sends_at_once(writer, restante, new_person,
                                                                  mailserver, rules):
    reader = new_person()
    rules.replies["AUTH"] = "535 5.7.8 no such password"
    sent = writer.send(writer.draft(to=reader.address, subject="shut out", text="x"))

    def sending():
        return writer.api.get(writer.base).json["sending"]

    told = awaited(lambda: (now := sending())["state"] == "refused" and now)
    assert "refuses the password" in told["error"] and "no such password" in told["error"]
    assert "sent at once" in told["hint"]
    awaited(lambda: writer.submission(sent)["attempts"] == 1)
    assert writer.submission(sent)["phase"] == "queued" and received(mailserver, reader) == []
    for page in ("outbox", awaited(lambda: writer.mailbox("inbox"))["id"]):
        shown = visible(writer.api.get(f"//mail/{writer.account}/{page}"))
        assert "Nothing can be sent." in shown and "refuses the password" in shown, page
        assert "Change servers or password" in shown, page
    assert "Nothing can be sent." in visible(writer.api.get("//accounts"))
    assert "Nothing can be sent." in restante.command("account", "list", writer.person.address).stdout

    # the person gives the password that is right by now, and does nothing else
    rules.replies.clear()
    form = writer.api.get(f"//accounts/{writer.account}/servers").text
    fields = {name: html.unescape(value) for name, value in re.findall(
        r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', form) if name != "kind"}
    fields |= {name: re.search(rf'name="{name}".*?<option value="(\w+)" selected', form, re.S).group(1)
               for name in ("tls", "smtpTls")}
    fields |= {"kind": "imap", "password": writer.person.password}
    answer = writer.api.post(f"//accounts/{writer.account}/servers", form=fields)
    assert answer.status == 303, visible(answer)
    writer.until(sent, "filed")
    assert len(received(mailserver, reader)) == 1 and sending() == {"state": "ready"}


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA", "BDAT", "."])
def test_refused_for_good_the_draft_is_back(writer, new_person, mailserver, rules, verb):
    reader, other = new_person(), new_person()
    rules.replies[verb] = "550 5.7.1 we do not like it"
    rules.replies["HELO"] = rules.replies["EHLO"] if verb == "EHLO" else None
    if verb == "BDAT":
        rules.extensions.append("CHUNKING")
    sent = writer.send(writer.draft(to=f"{reader.address}, {other.address}", subject=f"never {verb}",
                                    text="x"))
    done = writer.until(sent, "failed")
    assert "do not like it" in done["error"]
    for recipient in done["recipients"]:
        assert recipient["state"] == "refused" and "do not like it" in recipient["reply"]
    draft, = awaited(lambda: writer.emails("drafts"))
    assert draft["subject"] == f"never {verb}"
    rules.replies.clear()
    writer.until(writer.send(draft), "filed")  # the person sends it again
    assert len(received(mailserver, reader)) == 1
    assert writer.emails("drafts") == []


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
def test_a_refusal_in_latin1_is_told_like_any(writer, new_person, rules, verb):
    reader = new_person()
    rules.replies[verb] = b"550 5.1.1 Empf\xe4nger unbekannt".decode(errors="surrogateescape")
    done = writer.until(writer.send(writer.draft(to=reader.address, subject="x", text="x")), "failed")
    assert "Empf\ufffdnger unbekannt" in done["error"]
    assert "Empf\ufffdnger unbekannt" in done["recipients"][0]["reply"]


@pytest.mark.parametrize("verb", ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"])
def test_a_connection_lost_before_the_end_is_tried_again(writer, new_person, mailserver, rules, verb):
    reader = new_person()
    rules.replies[verb] = "close"
    sent = writer.send(writer.draft(to=reader.address, subject=f"lost {verb}", text="x"))
    awaited(lambda: writer.submission(sent)["attempts"] >= 1)
    rules.replies.clear()
    writer.api.post(f"{writer.base}/submissions/{sent['id']}/send-now", json_body={})
    writer.until(sent, "filed")
    assert len(received(mailserver, reader)) == 1


@pytest.mark.parametrize("rule, delivered", [("close", 0), ("deliver-close", 1)])
def test_an_answer_lost_after_the_end_is_told_and_never_repeated(
        writer, new_person, mailserver, rules, rule, delivered):
    reader = new_person()
    rules.replies["."] = rule
    sent = writer.send(writer.draft(to=reader.address, subject="perhaps", text="x"))
    done = writer.until(sent, "unknown")
    assert "may have been sent" in done["error"]
    assert [e["subject"] for e in writer.emails("drafts")] == ["perhaps"]
    rules.replies.clear()
    # something else of the account goes out, so whatever would be sent again had its time
    writer.until(writer.send(writer.draft(to=reader.address, subject="other", text="x")), "filed")
    assert writer.submission(sent)["phase"] == "unknown"
    subjects = [message["Subject"] for message in received(mailserver, reader)]
    assert subjects.count("perhaps") == delivered
    # the person has asked the recipient: it is settled like any that was sent
    where = f"{writer.base}/submissions/{sent['id']}/arrived"
    assert writer.api.post(where, json_body={}).status == 200
    writer.until(sent, "filed")
    assert writer.emails("drafts") == []
    awaited(lambda: "perhaps" in [e["subject"] for e in writer.emails("sent")])
    assert writer.api.post(where, json_body={}).status == 409
    subjects = [message["Subject"] for message in received(mailserver, reader)]
    assert subjects.count("perhaps") == delivered


def test_each_recipient_has_its_own_result(writer, new_person, mailserver, rules):
    good, bad = new_person(), new_person()
    rules.recipients[bad.address] = "550 5.1.1 no such person"
    sent = writer.send(writer.draft(to=f"{good.address}, {bad.address}", subject="two", text="x"))
    done = writer.until(sent, "filed")
    states = {r["email"]: r["state"] for r in done["recipients"]}
    assert states == {good.address: "accepted", bad.address: "refused"}
    assert bad.address in done["error"]
    draft, = awaited(lambda: writer.emails("drafts"))
    assert writer.api.get(f"{writer.base}/drafts/{draft['id']}").json["to"] == bad.address
    assert len(received(mailserver, good)) == 1 and received(mailserver, bad) == []


def test_a_recipient_refused_for_now_gets_it_later_and_the_others_once(
        writer, new_person, mailserver, rules):
    good, slow = new_person(), new_person()
    rules.recipients[slow.address] = "450 4.2.1 busy"
    sent = writer.send(writer.draft(to=f"{good.address}, {slow.address}", subject="two", text="x"))
    awaited(lambda: len(received(mailserver, good)) == 1)
    awaited(lambda: writer.submission(sent)["phase"] == "queued"
            and writer.submission(sent)["attempts"] == 1)
    assert writer.api.post(f"{writer.base}/submissions/{sent['id']}/cancel",
                           json_body={}).status == 409  # it has left, in part
    rules.recipients.clear()
    writer.api.post(f"{writer.base}/submissions/{sent['id']}/send-now", json_body={})
    writer.until(sent, "filed")
    assert len(received(mailserver, good)) == 1 and len(received(mailserver, slow)) == 1


# --- kill -9 -------------------------------------------------------------------------------------

HELLO = """
S: 220 ready
C: EHLO ...
S: 250-mail
S: 250 AUTH PLAIN
C: AUTH PLAIN ...
S: 235 ok
"""
ENVELOPE = HELLO + """
C: MAIL FROM:...
S: 250 ok
C: RCPT TO:...
S: 250 ok
"""
TAKEN = ENVELOPE + """
C: DATA
S: 354 go
""" + "C: ...\n" * 11 + """
C: .
S: 250 taken
C: QUIT
S: 221 bye
"""


class Mine:
    """An instance of one's own, whose submission server follows a script."""

    def __init__(self, state_folder, mailserver, person, script, imap_port=None):
        # the first to connect is the trial of the settings
        self.smtp = ScriptedServer(HELLO + "C: QUIT\nS: 221 bye\n--- then\n" + script)
        imap = {"port": imap_port} if imap_port else {}
        domains = {"example.org": harness.domain("imap", mailserver) | imap | {
            "smtp_host": "127.0.0.1", "smtp_port": self.smtp.port, "smtp_tls": "none"}}
        self.service = harness.Restante(
            state_folder / f"mine{self.smtp.port}", domains=domains, ca_file=mailserver.ca_file,
            allow_plaintext=True)
        self.person, self.is_down = person, False

    def take_down(self):
        self.smtp.stop()
        self.is_down = True

    def __enter__(self):
        self.service.start()
        self.writer = Writer(self.service, self.person)
        return self

    def __exit__(self, *exception):
        self.service.stop()
        if not self.is_down:
            self.smtp.stop()


@pytest.mark.parametrize("before", [HELLO + "C: MAIL ...\nstall", ENVELOPE + "C: DATA\nstall"],
                         ids=["envelope", "data"])
def test_killed_before_the_end_it_is_sent_by_the_next_life(state_folder, mailserver, person, before):
    with Mine(state_folder, mailserver, person, before + "\n--- then\n" + TAKEN) as mine:
        sent = mine.writer.send(mine.writer.draft(to="b@example.org", subject="killed", text="x"))
        awaited(lambda: any("MAIL" in line for lines in mine.smtp.transcripts for line in lines))
        mine.service.kill("sync")
        mine.writer.until(sent, "filed")
        assert not mine.smtp.problems


def test_killed_after_the_end_it_is_unknown_and_stays_so(state_folder, mailserver, person):
    lost = TAKEN.replace("S: 250 taken\nC: QUIT\nS: 221 bye", "stall")
    with Mine(state_folder, mailserver, person, lost + "\n--- then\n" + TAKEN) as mine:
        sent = mine.writer.send(mine.writer.draft(to="b@example.org", subject="killed", text="x"))
        mine.writer.until(sent, "transmitting")
        mine.service.kill("sync")
        done = mine.writer.until(sent, "unknown")
        assert "may have been sent" in done["error"]
        awaited(lambda: [e["subject"] for e in mine.writer.emails("drafts")] == ["killed"])


def test_all_servers_down_all_waits_and_goes_once(state_folder, mailserver, person):
    with Mine(state_folder, mailserver, person, TAKEN) as mine:
        mine.take_down()
        sent = mine.writer.send(mine.writer.draft(to="b@example.org", subject="down", text="x"))
        waiting = awaited(lambda: (now := mine.writer.submission(sent)).get("error") and now)
        assert waiting["phase"] == "queued"
        mine.service.kill("web")
        awaited(lambda: mine.writer.api.get("/session").status == 200)
        assert mine.writer.submission(sent)["phase"] == "queued"


def test_killed_database_and_all_the_answer_is_written_down(state_folder, mailserver, person):
    """PostgreSQL dies while the server thinks about the final dot."""
    slow = TAKEN.replace("S: 250 taken", "wait 2\nS: 250 taken")
    with Mine(state_folder, mailserver, person, slow) as mine:
        sent = mine.writer.send(mine.writer.draft(to="b@example.org", subject="db", text="x"))
        mine.writer.until(sent, "transmitting")
        mine.service.kill("postgres")
        awaited(lambda: mine.writer.api.get("/session").status == 200)
        mine.writer.until(sent, "filed", patience=60)
        assert len(mine.smtp.transcripts) == 2  # the trial, and this message once


@pytest.mark.parametrize("is_killed", [False, True], ids=["lost", "killed"])
def test_the_copy_in_sent_is_filed_once(state_folder, mailserver, person, is_killed):
    """The answer to APPEND is lost, or the process dies waiting for it; the copy is there."""
    fault = StallAt(b"APPENDUID") if is_killed else CutAt(b"APPENDUID")
    with Proxy(mailserver.ports["imap"], tls=mailserver.authority.certificate("good")) as proxy, \
            Mine(state_folder, mailserver, person, TAKEN, proxy.port) as mine:
        awaited(lambda: mine.writer.mailbox("inbox"))
        proxy.faults = [fault]
        proxy.cut_all()
        sent = mine.writer.send(mine.writer.draft(to="b@example.org", subject="copy", text="x"))
        mine.writer.until(sent, "accepted")
        copies = lambda: maildir.contents(person.maildir / ".Sent")  # noqa: E731
        awaited(copies)
        if is_killed:
            mine.service.kill("sync")
        proxy.faults = []
        proxy.release()
        mine.writer.until(sent, "filed", patience=60)
        assert len(copies()) == 1
        copy, = awaited(lambda: mine.writer.emails("sent"))
        assert copy["subject"] == "copy"


def test_a_draft_from_before_the_folders_were_known_comes_into_the_servers_folder(state_folder, mailserver,
                                                                                person):
    with Proxy(mailserver.ports["imap"], tls=mailserver.authority.certificate("good")) as proxy:
        proxy.faults = [StallAt(b" LIST ", towards="server")]
        with Mine(state_folder, mailserver, person, TAKEN, proxy.port) as mine:
            mine.writer.draft(to="b@example.org", subject="early", text="x")
            assert mine.writer.mailbox("drafts")["isLocal"]
            proxy.faults = []
            proxy.release()
            awaited(lambda: not mine.writer.mailbox("drafts")["isLocal"])
            boxes = awaited(lambda: (now := mine.writer.api.get(f"{mine.writer.base}/mailboxes").json[
                "mailboxes"]) and [box["role"] for box in now].count("drafts") == 1 and now)
            assert [box["totalEmails"] for box in boxes if box["role"] == "drafts"] == [1]
            assert [e["subject"] for e in mine.writer.emails("drafts")] == ["early"]
