"""Mail as files: what is exported is read by Python's own mailbox and zipfile, and what those wrote is
imported, byte for byte; hostile files are bounded."""

import io
import itertools
import mailbox
import os
import random
import re
import struct
import zipfile
import zlib

import pytest

from tests.harness import eventually
from tests.mailserver import faults
from tests.memory import Peak

PASSWORD = "correct horse"
_serial = itertools.count(1)


def letter(n, body="Hello.\r\n", message_id=True):
    identity = f"Message-ID: <archive-{n}@example.org>\r\n" if message_id else ""
    return (f"From: Jack <jack@example.org>\r\nTo: ada@example.org\r\nSubject: Letter {n}\r\n"
            f"{identity}Date: Fri, 2 Jan 2026 15:04:{n % 60:02d} +0000\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n\r\n" + body).encode()


TRICKY = [
    letter(1, "From me to you\r\n>From you to me\r\n>>From both\r\n\r\nFrom ada Mon Jan  5 10:00:00 2026\r\n"),
    letter(2, ""),
    letter(3, "no end of line"),
    letter(4, "\r\n\r\n\r\n"),
    letter(5, "Grüße, 日本語, \U0001f600\r\n"),
    letter(6, "x" * 1200000 + "\r\n"),  # more than one chunk, and one line
    letter(7, "From \r\n" * 50000),
    letter(8, "without an id\r\n", message_id=False),
]


class Account:
    """An account of a local user, POP3 or IMAP, on the real server."""

    def __init__(self, restante, mailserver, person, kind, port=None):
        login = restante.add_user(f"archive{next(_serial)}")
        self.restante, self.kind = restante, kind
        self.api = restante.client(restante.token(login))
        made = self.api.post("/accounts", {
            "email": person.address, "password": PASSWORD, "kind": kind,
            "incoming": {"host": "localhost", "port": port or mailserver.ports[kind + "s"],
                         "tls": "implicit", "username": person.address}})
        assert made.status == 201, made.text
        self.login, self.id = login, made.json["id"]
        assert eventually(lambda: self.get()["sync"]["state"] == "current"), self.get()

    def get(self, path=""):
        answer = self.api.get(f"/accounts/{self.id}{path}")
        assert answer.status == 200, answer.text
        return answer.json

    def folders(self):
        return {box["name"]: box for box in self.get("/mailboxes")["mailboxes"]}

    def inbox(self):
        return next(box for box in self.get("/mailboxes")["mailboxes"] if box["role"] == "inbox")

    def export(self, form, folder=None):
        where = f"&mailbox={folder}" if folder else ""
        answer = self.api.get(f"/accounts/{self.id}/export?format={form}{where}")
        assert answer.status == 200, answer.text
        assert answer.headers["Content-Type"] == "application/zip"
        return zipfile.ZipFile(io.BytesIO(answer.content))

    def begin(self, content, name="mail", seen=True):
        return self.api.post(
            f"/accounts/{self.id}/imports?mailbox={self.inbox()['id']}&name={name}"
            f"&seen={'true' if seen else 'false'}", body=content,
            headers={"Content-Type": "application/octet-stream"})

    def ended(self, answer):
        assert answer.status == 202, answer.text
        path = answer.headers["Location"].split(f"/accounts/{self.id}")[1]
        assert eventually(lambda: self.get(path)["state"] != "running", patience=120), self.get(path)
        return self.get(path)

    def bring(self, content, **options):
        return self.ended(self.begin(content, **options))

    def total(self):
        return self.inbox()["totalEmails"]


@pytest.fixture
def pop3(restante, mailserver, new_person):
    return Account(restante, mailserver, new_person(), "pop3")


@pytest.fixture
def imap(restante, mailserver, new_person):
    return Account(restante, mailserver, new_person(), "imap")


def zipped(messages, method=zipfile.ZIP_DEFLATED, name="In/{}.eml"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for n, message in enumerate(messages):
            archive.writestr(name.format(n), message)
    return out.getvalue()


def boxed(messages, folder):
    """What Python's mailbox writes, unquoted lines and all, as LF."""
    path = folder / f"python{next(_serial)}.mbox"
    box = mailbox.mbox(path)
    for message in messages:
        box.add(message.replace(b"\r\n", b"\n"))
    box.close()
    return path.read_bytes()


def messages_of(archive):
    return sorted(archive.read(name) for name in archive.namelist() if name.endswith(".eml"))


def unbox(content, folder):
    """Messages as Python's mailbox reads them, quoting undone, lines ended by CRLF."""
    path = folder / f"restante{next(_serial)}.mbox"
    path.write_bytes(content)
    box = mailbox.mbox(path, create=False)
    found = []
    for key in box.keys():
        text = re.sub(rb"(?m)^>(>*From )", rb"\1", box.get_bytes(key))
        found.append(text.replace(b"\n", b"\r\n"))
    box.close()
    return sorted(found)


def test_messages_of_a_zip_come_back_byte_for_byte(pop3):
    assert pop3.bring(zipped(TRICKY))["imported"] == len(TRICKY)
    archive = pop3.export("zip")
    assert archive.testzip() is None
    assert messages_of(archive) == sorted(TRICKY)
    assert "Nothing is missing." in archive.read("README.txt").decode()


def test_an_export_as_mbox_is_read_by_another_program(pop3, tmp_path):
    pop3.bring(zipped(TRICKY))
    archive = pop3.export("mbox")
    assert archive.testzip() is None
    inbox = next(name for name in archive.namelist() if name.lower() == "inbox.mbox")
    wanted = sorted(m if m.endswith(b"\r\n") else m + b"\r\n" for m in TRICKY)
    assert unbox(archive.read(inbox), tmp_path) == wanted


def test_a_mailbox_file_of_another_program_comes_in(pop3, tmp_path):
    plain = [m for m in TRICKY if b">From" not in m and m.endswith(b"\r\n")]
    result = pop3.bring(boxed(plain, tmp_path), name="old%20mail.mbox")
    assert (result["imported"], result["name"]) == (len(plain), "old mail.mbox")
    assert messages_of(pop3.export("zip")) == sorted(plain)


def test_our_own_export_as_mbox_can_be_imported(pop3, restante, mailserver, new_person):
    whole = [m for m in TRICKY if m.endswith(b"\r\n")]
    pop3.bring(zipped(whole))
    other = Account(restante, mailserver, new_person(), "pop3")
    answer = pop3.api.get(f"/accounts/{pop3.id}/export?format=mbox")
    result = other.bring(answer.content)
    assert (result["imported"], result["otherFiles"]) == (len(whole), 1)
    assert messages_of(other.export("zip")) == sorted(whole)


@pytest.mark.parametrize("kind", ["pop3", "imap"])
def test_what_is_here_already_is_left_out_and_counted(kind, request):
    account = request.getfixturevalue(kind)
    first = account.bring(zipped([letter(1), letter(2), letter(2)]))
    assert (first["imported"], first["duplicates"]) == (2, 1)
    assert eventually(lambda: account.total() == 2)
    again = account.bring(zipped([letter(1), letter(2), letter(3)]))
    assert (again["imported"], again["duplicates"]) == (1, 2)
    # the same Message-ID, other bytes: another message
    other = account.bring(zipped([letter(1, "Hullo, there is more.\r\n")]))
    assert other["imported"] == 1


def test_messages_go_up_to_an_imap_server_once_and_are_seen(imap):
    result = imap.bring(zipped([m for m in TRICKY if m.endswith(b"\r\n")]))
    count = result["imported"]
    assert (count, result["refused"]) == (7, 0)
    assert eventually(lambda: imap.total() == count), imap.inbox()
    assert imap.inbox()["unreadEmails"] == 0


def test_a_sync_process_that_dies_imports_nothing_twice(imap):
    messages = [letter(n, "x" * 3000 + "\r\n") for n in range(1000)]
    answer = imap.begin(zipped(messages))
    path = answer.headers["Location"].split(f"/accounts/{imap.id}")[1]
    for _ in range(3):
        before = imap.get(path)["imported"]
        eventually(lambda: imap.get(path)["imported"] > before or
                   imap.get(path)["state"] != "running", patience=60)
        imap.restante.kill("sync")
        eventually(lambda: imap.restante.pid_of("sync") in imap.restante.children())
    result = imap.ended(answer)
    assert (result["imported"], result["duplicates"], result["refused"]) == (1000, 0, 0)
    assert eventually(lambda: imap.total() == 1000, patience=60), imap.inbox()


@pytest.mark.parametrize("count", [1, 5, 450])
def test_an_answer_that_never_comes_doubles_nothing(restante, mailserver, new_person, count):
    """The server has taken the messages, the connection breaks before it can say so."""
    with faults.Proxy(mailserver.ports["imap"],
                      tls=mailserver.authority.certificate("good")) as proxy:
        account = Account(restante, mailserver, new_person(), "imap", port=proxy.port)
        proxy.faults = [faults.CutAt(b"APPENDUID")]
        restante.kill("sync")  # its connection has no faults yet
        answer = account.begin(zipped([letter(n) for n in range(count)]))
        path = answer.headers["Location"].split(f"/accounts/{account.id}")[1]
        assert eventually(lambda: "error" in account.get(path))
        proxy.faults = []
        account.api.post(f"/accounts/{account.id}/sync")
        result = account.ended(answer)
        assert (result["imported"], result["duplicates"], result["refused"]) == (count, 0, 0)
        assert eventually(lambda: account.total() == count), account.inbox()


def test_what_is_not_here_is_told_and_can_be_fetched(restante, mailserver, new_person):
    person = new_person()
    sent = [letter(n) for n in range(30)]
    for message in sent:
        person.receive(message)
    account = Account(restante, mailserver, person, "imap")
    assert eventually(lambda: account.total() == len(sent))
    assert account.get("/export/summary")["emails"] == len(sent)
    readme = account.export("zip").read("README.txt").decode()
    assert f"NOT in this archive are {len(sent)} messages" in readme and "Letter 7" in readme
    result = account.ended(account.api.post(f"/accounts/{account.id}/export/complete"))
    assert (result["state"], result["fetched"]) == ("done", len(sent))
    archive = account.export("zip")
    assert "Nothing is missing." in archive.read("README.txt").decode()
    subjects = [re.search(rb"Subject: (.*)\r", m)[1] for m in messages_of(archive)]
    assert sorted(subjects) == sorted(b"Letter %d" % n for n in range(len(sent)))


def test_two_thousand_messages_pass_without_memory(pop3, restante):
    """More than 100 MB, of which the web process holds a few at a time."""
    noise = random.Random(7)
    line = bytes(noise.choice(b"abcdefghijklmnopqrstuvwxyz0123456789+/") for _ in range(76)) + b"\r\n"
    messages = [letter(n) + line * (700 if n % 100 else 30000) for n in range(2000)]
    for part in range(0, len(messages), 500):
        result = pop3.bring(zipped(messages[part:part + 500]))
        assert result["imported"] == 500, result
    with Peak(restante.pid_of("web")) as peak:
        archive = pop3.export("zip")
    grown = max(peak.grown_kb())
    assert sum(item.file_size for item in archive.infolist()) > 100_000_000
    # AddressSanitizer keeps what was freed for a while
    if not restante.is_sanitized:
        assert grown < 24_000, f"the web process grew by {grown} kB"
    assert messages_of(archive) == sorted(messages)


def test_an_administrator_takes_mail_out_and_brings_it_in_by_command(restante, mailserver, new_person, pop3,
                                                                     tmp_path):
    whole = [m for m in TRICKY if m.endswith(b"\r\n")]  # mbox ends each with a line's end
    pop3.bring(zipped(whole))
    other = Account(restante, mailserver, new_person(), "pop3")
    for form in ("zip", "mbox"):
        path = tmp_path / f"out.{form}"
        restante.command("account", "export", str(pop3.id), "--format", form, "--output", str(path))
        assert path.stat().st_mode & 0o777 == 0o600
        said = restante.command("account", "import", str(other.id), str(path), "--folder", "Archive", "--seen")
        assert said.stdout.startswith(f"{len(whole)} imported, 0 left out" if form == "zip" else "0 imported,")
    assert messages_of(other.export("zip")) == sorted(whole)
    assert other.folders()["Archive"]["totalEmails"] == len(whole)
    one = restante.command("account", "export", str(pop3.id), "--output", str(tmp_path / "one.zip"), "--folder",
                           "Inbox")
    assert one.stdout == ""
    assert "Inbox.mbox" in zipfile.ZipFile(tmp_path / "one.zip").namelist()
    again = restante.command("account", "export", str(pop3.id), "--output", str(tmp_path / "one.zip"), check=False)
    assert again.returncode != 0 and "exists" in again.stderr  # it is not written over


@pytest.mark.parametrize("words, why", [
    (("export", "1", "--format", "tar"), "formats are"), (("export", "987654"), "account"),
    (("export", "x"), "must be a number"), (("import", "{id}", "/nowhere"), "nowhere"),
    (("import", "{id}", "/etc/hostname"), "neither a mailbox file"),
    (("import", "{id}", "/etc/hostname", "--folder", "None"), "no folder")])
def test_the_commands_say_what_is_wrong(restante, pop3, words, why):
    said = restante.command("account", *(word.format(id=pop3.id) for word in words), check=False)
    assert said.returncode != 0 and why in said.stderr and said.stdout == ""


def test_a_file_may_be_larger_than_other_uploads(pop3, tmp_path):
    noise = random.Random(1)
    line = bytes(noise.choice(b"abcdefghijklmnopqrstuvwxyz") for _ in range(70)) + b"\r\n"
    messages = [letter(n) + line * 14000 for n in range(60)]
    content = boxed(messages, tmp_path)
    assert len(content) > 52_428_800
    assert pop3.bring(content)["imported"] == 60
    assert messages_of(pop3.export("zip")) == sorted(messages)


def large(kind):
    """A file of 300 MB whose mail stands at both ends, and something else between."""
    middle = b"\0" * 300_000_000
    if kind == "mbox":
        begin = b"From a@example.org Mon Jan  5 10:00:00 2026\n"
        return b"%s%s\n%s\n%s\n\n%s%s" % (begin, letter(1), begin, middle, begin, letter(2))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("1.eml", letter(1))
        archive.writestr("holiday.mov", middle)
        archive.writestr("2.eml", letter(2))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["mbox", "zip"])
def test_a_file_of_mail_may_be_larger_than_memory_grows(pop3, restante, kind):
    with Peak(restante.pid_of("web"), restante.pid_of("sync")) as peak:
        result = pop3.bring(large(kind))
    assert result["imported"] == 2
    assert (result["refused"], result["otherFiles"]) == ((1, 0) if kind == "mbox" else (0, 1))
    if not restante.is_sanitized:
        assert max(peak.grown_kb()) < 32_000, peak.grown_kb()


@pytest.mark.parametrize("content, words", [
    (b"", "empty"),
    (b"\x89PNG\r\n\x1a\n" * 100, "neither"),
])
def test_a_file_that_holds_no_mail_is_refused_at_once(pop3, content, words):
    answer = pop3.begin(content)
    assert answer.status in (400, 422) and words in answer.text


def bomb():
    """Ten thousand entries that are the same 20 MB of one letter: 200 GB."""
    body = letter(1)[:-8] + b"x" * 20_000_000
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(body) + packer.flush()
    name = b"a.eml"
    out = struct.pack("<4sHHHLLLLHH", b"PK\3\4", 20, 0, 8, 0, zlib.crc32(body), len(packed),
                      len(body), len(name), 0) + name + packed
    start = len(out)
    record = struct.pack("<4sHHHHLLLLHHHHHLL", b"PK\1\2", 20, 20, 0, 8, 0, zlib.crc32(body),
                         len(packed), len(body), len(name), 0, 0, 0, 0, 0, 0) + name
    out += record * 10000
    return out + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 10000, 10000, len(record) * 10000, start, 0)


def test_a_bomb_is_given_up(pop3):
    result = pop3.bring(bomb())
    assert result["state"] == "failed" and "far more than mail" in result["error"]
    assert result["imported"] == 1


def test_names_in_an_archive_are_no_paths_and_other_files_are_counted(pop3):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../../../tmp/evil.eml", letter(1))
        archive.writestr("/etc/passwd.eml", letter(2))
        archive.writestr("picture.png", b"x")
        archive.writestr("__MACOSX/._a.eml", b"x")
        archive.writestr("folder/", b"")
    result = pop3.bring(out.getvalue())
    assert (result["imported"], result["otherFiles"]) == (2, 1)
    assert not os.path.exists("/tmp/evil.eml")


def test_damage_costs_the_damaged_message_alone(pop3):
    content = bytearray(zipped([letter(n) for n in range(3)], zipfile.ZIP_STORED))
    content[content.index(b"Letter 1")] ^= 1
    result = pop3.bring(bytes(content))
    assert (result["imported"], result["refused"]) == (2, 1)


@pytest.mark.parametrize("cut", [10, 400])
def test_an_archive_that_is_cut_says_so(pop3, cut):
    result = pop3.bring(zipped([letter(n) for n in range(20)])[:-cut])
    assert result["state"] == "failed" and "damaged" in result["error"]


def test_a_hundred_thousand_names_are_walked_in_bounds(pop3):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(100_000):
            archive.writestr(f"{n}.txt", b"")
        archive.writestr("last.eml", letter(1))
    result = pop3.bring(out.getvalue())
    assert (result["state"], result["imported"], result["otherFiles"]) == ("done", 1, 100_000)


def test_an_import_can_be_stopped(pop3):
    answer = pop3.begin(zipped([letter(n) for n in range(5000)]))
    path = answer.headers["Location"].split(f"/accounts/{pop3.id}")[1]
    stopped = pop3.api.post(f"/accounts/{pop3.id}{path}/cancel")
    if stopped.status == 200:
        assert stopped.json["state"] == "cancelled"
        again = pop3.api.post(f"/accounts/{pop3.id}{path}/cancel")
        assert again.status == 409
    else:
        assert stopped.status == 409  # it was done already


def test_another_persons_account_is_none(pop3, imap):
    for path in ("/export?format=zip", "/transfers", "/export/summary"):
        assert imap.api.get(f"/accounts/{pop3.id}{path}").status == 404
    assert imap.api.post(f"/accounts/{pop3.id}/export/complete").status == 404
    assert imap.api.post(f"/accounts/{pop3.id}/imports?mailbox=1", body=zipped([letter(1)])).status == 404
    assert pop3.api.get(f"/accounts/{pop3.id}/export?format=tar").status == 400


def test_the_page_takes_a_file_and_tells_how_it_goes(pop3, restante):
    person = restante.sign_in(pop3.login, "a local password")
    page = f"//accounts/{pop3.id}/archive"
    assert "Take your mail out" in person.get(page).text and ">Inbox</option>" in person.get(page).text
    boundary = "frontier"
    fields = {"csrf": person.form_token(page), "mailbox": pop3.inbox()["id"], "seen": "1"}

    def send(content):
        body = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                       for name, value in fields.items()).encode()
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="old.zip"\r\n'
                 "Content-Type: application/zip\r\n\r\n").encode() + content
        body += f"\r\n--{boundary}--\r\n".encode()
        return person.post(f"//accounts/{pop3.id}/import", body=body,
                           headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})

    assert send(zipped([letter(1), letter(2)])).status == 303
    assert eventually(lambda: "2 imported" in person.get(page).text), person.get(page).text
    refused = send(b"nothing of the kind")
    assert refused.status in (400, 422) and "neither a mailbox file" in refused.text
