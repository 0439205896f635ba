"""Whole messages: 10,000 of them, 214 MB, into PostgreSQL by IMAP and POP3, beside mbsync and mpop,
which write the same mail into Maildirs of files, both with their own fsync."""

import base64
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import time

from tests.bench.common import PASSWORD, Database, Owner, say, service_seconds, until
from tests.mailserver import maildir, sample, sample_texts, unprivileged

COUNT, BYTES = 10_000, 214_000_000
SOURCE = "bodies@example.org"


# --- the mail ------------------------------------------------------------------------------------

def _newsletter(rng, size):
    text = "<!DOCTYPE html><html><body><table>\r\n"
    while len(text) < size:
        words = " ".join(rng.choice(_WORDS) for _ in range(18))
        text += (f'<tr><td style="padding:12px;color:#333"><a href="https://news.example.com/'
                 f'{rng.getrandbits(60):x}">{words[:40]}</a><p>{words}</p></td></tr>\r\n')
    return text + "</table></body></html>\r\n"


_WORDS = [f"{head}{tail}" for head in ("lamp", "stair", "harbour", "fog", "signal", "keeper", "glass",
                                       "tide", "rope", "engine", "lens", "gull", "storm", "ledger")
          for tail in ("", "s", "light", "house", "master", "ward", "less", "work", "side", "book")]


def _message(rng, number):
    """Half are a note of text, a third newsletters, the others carry a file. About 21 kB a piece."""
    kind = number % 6
    head = (f"Return-Path: <k{number % 97}@example.net>\r\nReceived: from a.example.net by "
            f"mail.example.org;\r\n\tTue, 02 Jun 2026 12:00:00 +0000\r\nFrom: Keeper {number % 97} "
            f"<k{number % 97}@example.net>\r\nTo: bodies@example.org\r\nSubject: "
            f"{' '.join(rng.choice(_WORDS) for _ in range(5))}\r\nDate: Tue, 02 Jun 2026 12:00:00 "
            f"+0000\r\nMessage-ID: <{number}.{rng.getrandbits(64):x}@example.net>\r\n"
            f"MIME-Version: 1.0\r\n")
    note = "".join(" ".join(rng.choice(_WORDS) for _ in range(10)) + "\r\n" for _ in range(30))
    if kind < 3:
        return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{note}".encode()
    boundary = f"=_{number:x}"
    if kind < 5:
        return (f'{head}Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
                f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{note}\r\n"
                f"--{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
                f"{_newsletter(rng, 23_800)}\r\n--{boundary}--\r\n").encode()
    content = base64.encodebytes(rng.randbytes(44_500)).decode().replace("\n", "\r\n")
    return (f'{head}Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'
            f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{note}\r\n"
            f"--{boundary}\r\nContent-Type: image/jpeg; name=\"lamp {number}.jpg\"\r\n"
            f"Content-Disposition: attachment; filename=\"lamp {number}.jpg\"\r\n"
            f"Content-Transfer-Encoding: base64\r\n\r\n{content}--{boundary}--\r\n").encode()


def fill(mail):
    """The mail once; kept with the folder."""
    if SOURCE in mail.users:
        return
    say(f"Writing {COUNT} whole messages ...")
    mail.add_user(SOURCE, PASSWORD)
    writer, rng, total = mail.writer(SOURCE), random.Random(7), 0
    for number in range(COUNT):
        message = _message(rng, number)
        total += len(message)
        writer.add(message, (), sample.DEFAULT_UNTIL - 60 * (COUNT - number))
    say(f"... {total / 1e6:.0f} MB")


def copy_for(mail, address):
    """The same mail for somebody nobody has seen yet; Dovecot's index of it is warm."""
    if address in mail.users:
        return
    mail.add_user(address, PASSWORD)
    source, target = mail.dovecot.home(SOURCE) / "Maildir", mail.dovecot.home(address) / "Maildir"
    shutil.rmtree(target)
    subprocess.run(["cp", "-al", source, target], check=True)
    for index in target.glob("dovecot*"):  # these are written to: not shared
        content, stat = index.read_bytes(), index.stat()
        index.unlink()
        index.write_bytes(content)
        os.chmod(index, stat.st_mode)
    mail.dovecot.own_home(address)


# --- what the others need ------------------------------------------------------------------------

def pour(mail, address):
    """Seconds in which Dovecot tells all bodies by IMAP to a reader that looks at nothing."""
    with socket.create_connection((mail.host, mail.ports["imap"])) as link:
        def ask(line):
            link.sendall(f"floor {line}\r\n".encode())
            tail = b""
            while b"\r\nfloor OK" not in tail and not tail.startswith(b"floor OK"):
                piece = link.recv(1 << 20)
                assert piece, "Dovecot closed the connection"
                tail = (tail + piece)[-4096:]
        link.recv(4096)
        ask(f'LOGIN {address} "{PASSWORD}"')
        ask("SELECT INBOX")
        begin = time.monotonic()
        ask("UID FETCH 1:* (UID BODY.PEEK[])")
        return time.monotonic() - begin


def _timed(command):
    """Wall and processor seconds of a command."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run = subprocess.run(command, capture_output=True, text=True)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode != 0:
        raise RuntimeError(f"{command[0]}: {run.stderr[-500:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _count_files(folder):
    return sum(len(list((folder / part).iterdir())) for part in ("new", "cur"))


def mbsync(mail, address, folder):
    folder.mkdir()
    (folder / "near").mkdir()
    config = folder / "mbsyncrc"
    config.write_text(
        f"IMAPAccount far\nHost localhost\nPort {mail.ports['imaps']}\nUser {address}\n"
        f"Pass {PASSWORD}\nSSLType IMAPS\nCertificateFile {mail.ca_file}\n\nIMAPStore far\n"
        f"Account far\n\nMaildirStore near\nPath {folder}/near/\nInbox {folder}/near/INBOX\n\n"
        f"Channel all\nFar :far:\nNear :near:\nPattern INBOX\nSync Pull\nCreate Near\n"
        f"SyncState {folder}/state/\n")
    (folder / "state").mkdir()
    took = _timed(["mbsync", "-q", "-c", str(config), "all"])
    assert _count_files(folder / "near/INBOX") == COUNT
    return took


def mpop(mail, address, folder):
    folder.mkdir()
    maildir.make(folder / "near")
    config = folder / "mpoprc"
    config.write_text(
        f"account far\nhost localhost\nport {mail.ports['pop3s']}\nuser {address}\n"
        f"password {PASSWORD}\ntls on\ntls_starttls off\ntls_trust_file {mail.ca_file}\nkeep on\n"
        f"uidls_file {folder}/uidls\ndelivery maildir {folder}/near\n")
    config.chmod(0o600)
    took = _timed(["mpop", "-q", "-C", str(config), "far"])
    assert _count_files(folder / "near") == COUNT
    return took


# --- what we need --------------------------------------------------------------------------------

def imap(service, address, database):
    """Seconds for the metadata of all (under the policy "headers"), then for all bodies from the
    moment that the person asks for everything; and the processor's in the second."""
    owner = Owner(service, address)
    owner.account_id = owner.account()["id"]
    begin = time.monotonic()
    path = f"/accounts/{owner.account_id}"
    program = service.client(owner.token())
    assert program.patch(path, {"prefetch": "headers"}).status == 200
    until(lambda: (box := owner.inbox()) and box["totalEmails"] >= COUNT and box["isComplete"], 0.02,
          "the metadata")
    owner.await_current()
    headers = time.monotonic() - begin
    before, begin = service_seconds(service), time.monotonic()
    assert program.patch(path, {"prefetch": "all"}).status == 200
    _await_blobs(database, owner.account_id)
    return headers, time.monotonic() - begin, service_seconds(service) - before


def _await_blobs(database, account_id):
    """Not the words of all, which follow."""
    count = f"SELECT count(*) FROM email WHERE account_id = {account_id} AND blob_id IS NOT NULL"
    until(lambda: int(database.value(count)) >= COUNT, 0.1, "the bodies", 300)


def pop3(service, address, database):
    """Seconds from the sign-in until all is durable, and the processor's."""
    before = service_seconds(service)
    owner = Owner(service, address)
    begin = owner.signed_in
    _await_blobs(database, owner.account()["id"])
    return time.monotonic() - begin, service_seconds(service) - before


# --- all of it -----------------------------------------------------------------------------------

class Result:
    def __init__(self):
        self.pour, self.mbsync, self.mpop, self.headers, self.imap, self.pop3 = ([] for _ in range(6))


def measure(mail, start_service, folder, turns, table):
    """`start_service(kind)` gives a fresh service for the accounts of that kind, as a context."""
    missing = [name for name in ("mbsync", "mpop") if not shutil.which(name)]
    if missing:
        raise SystemExit(f"The comparison needs {' and '.join(missing)}: apt-get install isync mpop")
    fill(mail)
    pour(mail, SOURCE)  # Dovecot's own first look
    result = Result()
    for turn in range(turns):
        say(f"bodies: turn {turn + 1} of {turns} ...")
        address = f"bodies{turn}-{time.time_ns() % 10**9}@example.org"
        copy_for(mail, address)
        result.pour.append(pour(mail, address))
        place = folder / f"others{turn}"
        place.mkdir()
        result.mbsync.append(mbsync(mail, address, place / "mbsync"))
        result.mpop.append(mpop(mail, address, place / "mpop"))
        shutil.rmtree(place)
        with start_service("imap") as service, Database(service) as database:
            result.imap.append(imap(service, address, database))
        with start_service("pop3") as service, Database(service) as database:
            result.pop3.append(pop3(service, address, database))
    report(result, table)


def report(result, table):
    def median(list_, place):
        return statistics.median(each[place] for each in list_)
    floor = statistics.median(result.pour)
    table.add("10k bodies, 214 MB: Dovecot's pour", f"{floor:.1f} s")
    for name, ours, wall, other, others in (
            ("IMAP", result.imap, 1, "mbsync", result.mbsync), ("POP3", result.pop3, 0, "mpop", result.mpop)):
        took, theirs = median(ours, wall), median(others, 0)
        table.add(f"all bodies by {name}, durable", f"{took:.1f} s",
                  f"{took / theirs:.2f} of {other}'s {theirs:.1f} s", "<= 2.5 s; <= 0.5")
        table.add("... processor time, all processes", f"{median(ours, wall + 1):.1f} s",
                  f"{other} {median(others, 1):.1f} s")
    table.add("metadata of the 10k before", f"{median(result.imap, 0):.1f} s")
