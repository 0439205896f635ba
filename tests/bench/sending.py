"""A thousand messages that wait to be sent, beside smtplib and the same server; and the memory of each
process while 25 MB are attached, sent, filed and read again."""

import http.client
import os
import smtplib
import ssl
import statistics
import time

from tests import harness, memory
from tests.bench.common import PASSWORD, Database, Owner, say, until

COUNT, FILE_BYTES = 1000, 25_000_000
LATER = "2099-01-01T00:00:00Z"


class Peak(memory.Peak):
    """Of all processes of a service but PostgreSQL's."""

    def __init__(self, service):
        self._roles = {}
        for pid, command in service.children().items():
            if "postgres" not in command:
                self._roles[pid] = "parsers" if "parser" in command else next(
                    (role for role in ("web", "sync") if service.pid_of(role) == pid), "serve")
        super().__init__(*self._roles)

    def megabytes(self):
        most = {}
        for role, kilobytes in zip(self._roles.values(), self.grown_kb()):
            most[role] = max(most.get(role, 0), kilobytes / 1000)
        return most


def _told(most):
    return ", ".join(f"{role} {value:.1f}" for role, value in sorted(most.items()) if role != "serve")


def _smtplib(mail, count):
    """The same server, one connection, nothing else: what it takes at the least."""
    context = ssl.create_default_context(cafile=mail.ca_file)
    message = b"From: a@example.org\r\nTo: b@outside.example\r\nSubject: floor\r\n\r\nhello\r\n"
    with smtplib.SMTP_SSL("localhost", mail.ports["submissions"], context=context) as link:
        link.login(*mail_login(mail))
        begin = time.monotonic()
        for _ in range(count):
            link.sendmail("a@example.org", ["b@outside.example"], message)
        return time.monotonic() - begin


def mail_login(mail):
    user = next(iter(mail.users.values()))
    return user.address, user.password


class Program:
    """The API over one connection, so that the client costs little."""

    def __init__(self, service, token):
        self.link = http.client.HTTPConnection("127.0.0.1", service.port)
        self.headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method, path, body, kind="application/json", expected=201):
        self.link.request(method, f"/api/v1{path}", body=body, headers=self.headers | {"Content-Type": kind})
        answer = self.link.getresponse()
        text = answer.read()
        assert answer.status == expected, text
        return harness.json.loads(text)


def _queue(program, base, count):
    """Messages for later; seconds of accepting each."""
    times = []
    for number in range(count):
        draft = program.ask("POST", f"{base}/drafts", harness.json.dumps(
            {"to": [{"email": "b@outside.example"}], "subject": f"message {number}", "text": "hello"}))
        begin = time.monotonic()
        program.ask("POST", f"{base}/submissions",
                    harness.json.dumps({"draftId": draft["id"], "sendAt": LATER}))
        times.append(time.monotonic() - begin)
    return times


def measure(mail, folder, table):
    address = f"sender{time.time_ns() % 10**9}@example.org"
    mail.add_user(address, PASSWORD)
    floor = _smtplib(mail, COUNT)
    mail.smtp.reset()
    with harness.Restante(folder / "sending", ca_file=mail.ca_file,
                          domains={"example.org": harness.domain("imap", mail)}) as service, \
            Database(service) as database:
        owner = Owner(service, address)
        owner.account_id = owner.account()["id"]
        until(owner.inbox, 0.02, "the inbox")
        owner.await_current()
        program, base = Program(service, owner.token()), f"/accounts/{owner.account_id}"
        say(f"sending: {COUNT} messages to the outbox ...")
        times = _queue(program, base, COUNT)
        table.add("accepting a message to send: p50", f"{statistics.median(times) * 1000:.1f} ms", "",
                  "<= 2 ms")
        begin = time.monotonic()
        database.run("UPDATE submission SET send_at = now(), not_before = now()")
        database.run(f"SELECT pg_notify('restante', 'send {owner.account_id}') \\g /dev/null")
        until(lambda: len(mail.smtp.accepted) >= COUNT, 0.01, "the messages", 600)
        took = time.monotonic() - begin
        table.add(f"{COUNT:,} queued messages sent", f"{took:.1f} s",
                  f"{took / floor:.1f} x smtplib's {floor:.1f} s",
                  f"{len(mail.smtp.transcripts)} connections")
        until(lambda: database.value("SELECT count(*) FROM submission WHERE phase <> 'filed'") == "0",
              0.1, "the copies in Sent", 600)
        table.add("... and filed in Sent", f"{time.monotonic() - begin:.1f} s")
        mail.smtp.reset()
        _large(mail, service, Program(service, owner.token()), base, table)


def _large(mail, service, program, base, table):
    with Peak(service) as peak:
        draft = program.ask("POST", f"{base}/drafts", harness.json.dumps(
            {"to": [{"email": "b@outside.example"}], "subject": "large", "text": "with a file"}))
        program.ask("POST", f"{base}/drafts/{draft['id']}/attachments?name=file.bin",
                    os.urandom(FILE_BYTES), "application/octet-stream")
        sent = program.ask("POST", f"{base}/submissions",
                           harness.json.dumps({"draftId": draft["id"], "delaySeconds": 0}))
        until(lambda: program.ask("GET", f"{base}/submissions/{sent['id']}", None, expected=200)["phase"] ==
              "filed", 0.1, "the large message", 300)
        assert len(mail.smtp.accepted) == 1
    most = peak.megabytes()
    table.add("25 MB attached, sent, filed: more MB", f"{max(most.values()):.1f}", _told(most), "< 16")
    with Peak(service) as peak:
        boxes = program.ask("GET", f"{base}/mailboxes", None, expected=200)["mailboxes"]
        box = next(each for each in boxes if each["role"] == "sent")["id"]
        def found():
            emails = program.ask("GET", f"{base}/mailboxes/{box}/emails", None, expected=200)["emails"]
            return next((each for each in emails if each["subject"] == "large"), None)
        email = until(found, 0.1, "the copy in Sent")
        whole = program.ask("GET", f"{base}/emails/{email['id']}", None, expected=200)
        part = next(each for each in whole["attachments"])
        program.link.request("GET", f"/api/v1{base}/emails/{email['id']}/parts/{part['partId']}",
                             headers=program.headers)
        answer, length = program.link.getresponse(), 0
        while piece := answer.read(1 << 16):
            length += len(piece)
        assert length == FILE_BYTES, length
    most = peak.megabytes()
    table.add("... the attachment read: more MB", f"{max(most.values()):.1f}", _told(most), "< 8")
