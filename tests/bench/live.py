"""What a person waits for while an account is at rest: a flag on its way upstream, new mail on its way
to the browser; and the bytes that a sync of the headers takes beside what the items alone take."""

import os
import queue
import re
import socket
import statistics
import time
from pathlib import Path

from tests import harness
from tests.bench.common import PASSWORD, Database, Owner, say, until
from tests.integration.test_events import Stream
from tests.integration.test_round_trips import flights
from tests.mailserver import sample, sample_texts
from tests.mailserver.faults import CLIENT, SERVER, Proxy

COUNT, TIMES = 1000, 40
SOURCE = Path(__file__).resolve().parents[2] / "server/sync/imap_fetch.c"


class Watcher(socket.socket):
    """Another mail program: what the server tells it in IDLE."""

    def __init__(self, mail, address):
        super().__init__()
        self.connect((mail.host, mail.ports["imap"]))
        self.ask(f'a LOGIN {address} "{PASSWORD}"', b"a OK")
        self.ask("b SELECT INBOX", b"b OK")

    def ask(self, line, end):
        """All that comes until `end` begins a line."""
        self.sendall(line.encode() + b"\r\n")
        return self.hear(end)

    def hear(self, end):
        told = b""
        while b"\r\n" + end not in b"\r\n" + told or not told.endswith(b"\n"):
            piece = self.recv(1 << 20)
            assert piece, "Dovecot closed the connection"
            told += piece
        return told


def _items():
    """The very items that sync/imap_fetch.c asks Dovecot for."""
    text = SOURCE.read_text()
    fields = "".join(re.findall(r'"(.*?)"', text[text.index("header_fields[]"):text.index("struct told")]))
    return ("UID FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE MODSEQ X-GUID " if "X-GUID" in fields else
            "UID FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE MODSEQ ") + f"BODY.PEEK[{fields}]"


def _flag_times(mail, owner, address):
    """From the click to the server's file with the flag in its name."""
    program = owner.service.client(owner.token())
    folder = mail.dovecot.maildir_of(address) / "cur"
    times = []
    for each in owner.emails()[:TIMES]:
        before = sum(name.endswith("F") or "F" in name.rpartition(",")[2] for name in os.listdir(folder))
        begin = time.monotonic()
        answer = program.post(f"/accounts/{owner.account_id}/actions",
                              {"action": "keywords", "emailIds": [each["id"]],
                               "keywords": {"$flagged": not each["keywords"].get("$flagged")}})
        assert answer.status == 200, answer.text
        accepted = time.monotonic() - begin
        until(lambda: sum("F" in name.rpartition(",")[2] for name in os.listdir(folder)) != before,
              0.001, "the flag upstream")
        times.append((accepted, time.monotonic() - begin))
        time.sleep(0.2)
    return times


def _mail_times(mail, owner, address):
    """From the delivery, and from the server's word of it to another program, to the event."""
    stream = Stream(owner.service, owner.token(), owner.account_id)
    watcher = Watcher(mail, address)
    watcher.ask("c IDLE", b"+")
    times = []
    for number in range(TIMES):
        time.sleep(0.3)
        while not stream.events.empty():
            stream.events.get()
        begin = time.monotonic()
        mail.deliver(address, f"From: a@b.example\r\nSubject: new {number}\r\n\r\nhello\r\n".encode())
        watcher.hear(b"*")
        told = time.monotonic()
        try:
            while True:
                event = stream.events.get(timeout=30)
                if "Email" in str(event) or "email" in str(event):
                    break
        except queue.Empty as error:
            raise RuntimeError("no event of new mail") from error
        now = time.monotonic()
        times.append((now - begin, max(0.0, now - told)))
    stream.close()
    watcher.close()
    return times


def _p95(values):
    return sorted(values)[max(0, int(len(values) * 0.95) - 1)]


def measure(mail, folder, table):
    address = f"live{time.time_ns() % 10**9}@example.org"
    say(f"live: {COUNT} messages for {address} ...")
    mail.add_user(address, PASSWORD)
    sample.fill(mail.dovecot.home(address) / "Maildir", sample_texts.ADA, COUNT, mailbox="INBOX")
    mail.dovecot.own_home(address)
    watcher = Watcher(mail, address)
    watcher.ask(f"d UID FETCH 1:* ({_items()})", b"d OK")  # into Dovecot's cache
    needed = len(watcher.ask(f"d UID FETCH 1:* ({_items()})", b"d OK"))
    watcher.close()
    with Proxy(mail.ports["imap"]) as proxy:
        domain = harness.domain("imap", mail) | {"port": proxy.port, "tls": "none"}
        with harness.Restante(folder / "live", ca_file=mail.ca_file, allow_plaintext=True,
                              domains={"example.org": domain}) as service:
            owner = Owner(service, address)
            owner.await_first_page()
            owner.await_all(COUNT)
            owner.await_current()
            time.sleep(2)
            took = proxy.bytes_passed[CLIENT]
            table.add(f"headers of {COUNT}: bytes on the wire", f"{took:,}",
                      f"{took / needed:.3f} of the items' {needed:,}", "<= 1.1")
            before, proxy.transcript = dict(proxy.bytes_passed), []
            with Database(service) as database:
                owner.resync(database)
            time.sleep(1)
            sent, told = (proxy.bytes_passed[way] - before[way] for way in (SERVER, CLIENT))
            questions = [each for each in flights(proxy.transcript) if not each.endswith(b" IDLE\r\n")]
            table.add("nothing changed: bytes", f"{sent} + {told}", "asked + told")
            table.add("... round trips", f"{len(questions)}", "and IDLE again behind it", "1")
            proxy.transcript = None
            flags = _flag_times(mail, owner, address)
            table.add("accepting a flag: p50", f"{statistics.median(a for a, _ in flags) * 1000:.1f} ms",
                      "HTTP client in Python", "<= 2 ms")
            table.add("a flag upstream: p50", f"{statistics.median(b for _, b in flags) * 1000:.0f} ms",
                      f"p95 {_p95([b for _, b in flags]) * 1000:.0f} ms", "<= 50 ms")
            news = _mail_times(mail, owner, address)
            table.add("new mail, told, to event: p95", f"{_p95([b for _, b in news]) * 1000:.0f} ms",
                      f"p50 {statistics.median(b for _, b in news) * 1000:.0f} ms", "<= 100 ms")
            table.add("... since its delivery: p50", f"{statistics.median(a for a, _ in news) * 1000:.0f} ms",
                      "Dovecot waits 0.5 s itself")
