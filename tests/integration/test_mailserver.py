"""The servers that all other tests stand on, tried with Python's own clients."""

import email
import email.policy
import imaplib
import json
import os
import poplib
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.mailserver import faults, sample, sample_texts
from tests.mailserver.certificates import Authority
from tests.mailserver.mailserver import MailServer
from tests.mailserver.scripted import ScriptedServer

LETTER = (b"From: Ada <ada@example.org>\r\nTo: ben@example.org\r\nSubject: lamp oil\r\n"
          b"Message-ID: <oil@example.org>\r\n\r\nWe are out.\r\n.\r\n..and of wicks\r\n")


@pytest.fixture
def trust(mailserver):
    return ssl.create_default_context(cafile=mailserver.ca_file)


def imap_of(mailserver, person, trust, port=None):
    client = imaplib.IMAP4_SSL("localhost", port or mailserver.ports["imaps"], ssl_context=trust)
    client.login(person.address, person.password)
    return client


# --- Dovecot -------------------------------------------------------------------------------------

def test_imap_over_tls_shows_what_was_delivered(mailserver, person, trust):
    person.receive(LETTER, flags=["\\Seen", "\\Flagged"], arrived=1_000_000_000)
    imap = imap_of(mailserver, person, trust)
    assert imap.select() == ("OK", [b"1"])
    _, [answer, *_] = imap.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])")
    assert answer[1] == LETTER
    assert b"\\Seen" in answer[0] and b"\\Flagged" in answer[0]
    assert b"09-Sep-2001 01:46:40 +0000" in answer[0]


def test_imap_takes_starttls(mailserver, person, trust):
    imap = imaplib.IMAP4("localhost", mailserver.ports["imap"])
    imap.starttls(trust)
    assert imap.login(person.address, person.password)[0] == "OK"


def test_a_wrong_password_is_refused(mailserver, person, trust):
    imap = imaplib.IMAP4_SSL("localhost", mailserver.ports["imaps"], ssl_context=trust)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap.login(person.address, "battery staple")


@pytest.mark.parametrize("is_tls", [True, False])
def test_pop3_serves_and_deletes(mailserver, person, trust, is_tls):
    def open_session():
        if is_tls:
            pop = poplib.POP3_SSL("localhost", mailserver.ports["pop3s"], context=trust)
        else:
            pop = poplib.POP3("localhost", mailserver.ports["pop3"])
            pop.stls(trust)
        pop.user(person.address)
        pop.pass_(person.password)
        return pop

    person.receive(LETTER)
    pop = open_session()
    assert b"\r\n".join(pop.retr(1)[1]) + b"\r\n" == LETTER
    pop.dele(1)
    pop.quit()
    assert open_session().stat() == (0, 0)


def test_new_mail_ends_an_idle(mailserver, person, trust):
    imap = imap_of(mailserver, person, trust)
    imap.select()
    imap.send(b"x IDLE\r\n")
    assert imap.readline().startswith(b"+")
    person.receive(LETTER)
    imap.sock.settimeout(30)
    assert b"EXISTS" in imap.readline()


def test_folders_have_their_roles(mailserver, person, trust):
    _, lines = imap_of(mailserver, person, trust).list()
    for role in (b"\\Drafts", b"\\Sent", b"\\Trash", b"\\Junk", b"\\Archive"):
        assert any(role in line for line in lines)


def test_a_hidden_capability_is_not_offered(tmp_path):
    with MailServer(hide=["QRESYNC", "CONDSTORE"]) as server:
        server.add_user("ada@example.org")
        trust = ssl.create_default_context(cafile=server.ca_file)
        imap = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=trust)
        imap.login("ada@example.org", "correct horse")
        offered = imap.capability()[1][0].split()
        assert b"QRESYNC" not in offered and b"CONDSTORE" not in offered and b"MOVE" in offered


def test_mail_users_and_ports_survive_a_restart(tmp_path):
    with MailServer() as keeper:  # only for a folder that its servers may enter
        folder = keeper.folder / "again"
        with MailServer(folder) as first:
            first.add_user("ada@example.org", "kept")
            first.deliver("ada@example.org", LETTER)
            ports = first.ports
        with MailServer(folder, port_of=ports) as second:
            assert second.ports == ports
            trust = ssl.create_default_context(cafile=second.ca_file)
            imap = imaplib.IMAP4_SSL("localhost", ports["imaps"], ssl_context=trust)
            imap.login("ada@example.org", "kept")
            assert imap.select() == ("OK", [b"1"])


def test_the_command_ends_with_its_servers_and_leaves_nothing():
    command = [sys.executable, str(Path(__file__).parents[1] / "mailserver/mailserver.py"), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        told = ""
        while not told.endswith("}\n"):
            told += run.stdout.readline()
        port, folder = json.loads(told)["ports"]["imaps"], Path(json.loads(told)["folder"])
        link, = (each for each in folder.rglob("*") if each.is_symlink() and
                 str(each.readlink()).startswith("/tmp/dovecot-"))
        made = [folder, link.readlink()]
        assert all(each.is_dir() for each in made)
        socket.create_connection(("127.0.0.1", port)).close()
        run.terminate()
        assert run.wait(30) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert not [each for each in made if each.exists()]


def test_dovecot_dies_with_a_killed_parent():
    command = [sys.executable, str(Path(__file__).parents[1] / "mailserver/mailserver.py"), "run"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    told = ""
    for line in run.stdout:
        told += line
        if line.startswith("}"):
            break
    description = json.loads(told)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()

    def is_gone():
        try:
            socket.create_connection(("127.0.0.1", description["ports"]["imaps"]), 1).close()
        except ConnectionRefusedError:
            return True

    assert eventually(is_gone)
    folder = Path(description["folder"])
    shutil.rmtree((folder / "dovecot/run").readlink(), ignore_errors=True)
    shutil.rmtree(folder)


# --- submission -----------------------------------------------------------------------------------

@pytest.mark.parametrize("is_tls", [True, False])
def test_submitted_mail_reaches_the_mailbox(mailserver, new_person, trust, is_tls):
    ada, ben = new_person(), new_person()
    if is_tls:
        smtp = smtplib.SMTP_SSL("localhost", mailserver.ports["submissions"], context=trust)
    else:
        smtp = smtplib.SMTP("localhost", mailserver.ports["submission"])
        smtp.starttls(context=trust)
    smtp.login(ada.address, ada.password)
    smtp.sendmail(ada.address, [ben.address, "someone@elsewhere.example"], LETTER)
    smtp.quit()
    imap = imap_of(mailserver, ben, trust)
    imap.select()
    _, [answer, *_] = imap.fetch("1", "(BODY.PEEK[])")
    assert answer[1].endswith(LETTER)
    assert mailserver.smtp.outside[-1].recipients == [ben.address, "someone@elsewhere.example"]


def test_submission_needs_tls_and_a_password(mailserver, person, trust):
    smtp = smtplib.SMTP("localhost", mailserver.ports["submission"])
    smtp.ehlo()
    assert not smtp.has_extn("auth")
    assert smtp.docmd("AUTH", "PLAIN AAAA")[0] == 538
    assert smtp.mail(person.address)[0] == 530
    smtp.starttls(context=trust)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        smtp.login(person.address, "battery staple")


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_both_mechanisms_sign_in(mailserver, person, trust, mechanism):
    smtp = smtplib.SMTP_SSL("localhost", mailserver.ports["submissions"], context=trust)
    smtp.ehlo()
    smtp.user, smtp.password = person.address, person.password
    name = mechanism.removeprefix("auth_").upper()
    assert smtp.auth(name, getattr(smtp, mechanism))[0] == 235


def test_a_bare_line_feed_ends_neither_line_nor_message(mailserver, person, trust):
    smtp = smtplib.SMTP_SSL("localhost", mailserver.ports["submissions"], context=trust)
    smtp.login(person.address, person.password)
    smtp.mail(person.address)
    smtp.rcpt("someone@elsewhere.example")
    smtp.docmd("DATA")
    smtp.send(b"Subject: one\r\n\r\nfirst\n.\nMAIL FROM:<x@x.example>\r\n.\r\n")
    assert smtp.getreply()[0] == 250
    assert b"\n.\nMAIL FROM" in mailserver.smtp.outside[-1].content
    assert smtp.noop()[0] == 250


def test_rules_make_the_server_refuse_and_vanish(person, mailserver, trust):
    with MailServer() as server:
        server.add_user("ada@example.org", "x")
        smtp = smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=ssl.
                                create_default_context(cafile=server.ca_file))
        smtp.login("ada@example.org", "x")
        server.smtp.rules.recipients["no@elsewhere.example"] = "550 5.1.1 nobody"
        assert smtp.sendmail("ada@example.org", ["no@elsewhere.example", "yes@elsewhere.example"],
                             LETTER) == {"no@elsewhere.example": (550, b"5.1.1 nobody")}
        server.smtp.rules.replies["."] = "deliver-close"
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.sendmail("ada@example.org", ["yes@elsewhere.example"], LETTER)
        assert len(server.smtp.accepted) == 2


# --- certificates and faults --------------------------------------------------------------------------

@pytest.mark.parametrize("kind, complaint", [
    ("expired", "certificate has expired"), ("self-signed", "self-signed certificate"),
    ("wrong-host", "Hostname mismatch")])
def test_bad_certificates_are_bad_in_their_way(mailserver, trust, kind, complaint):
    shown = mailserver.authority.certificate(kind)
    with faults.Proxy(mailserver.ports["imap"], tls=shown) as proxy:
        with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
            imaplib.IMAP4_SSL("localhost", proxy.port, ssl_context=trust)


def test_a_proxy_passes_all_on_byte_by_byte(mailserver, person, trust):
    person.receive(LETTER)
    with faults.Proxy(mailserver.ports["imaps"], faults=[faults.Split(1)]) as proxy:
        imap = imap_of(mailserver, person, trust, proxy.port)
        imap.select()
        assert imap.fetch("1", "(BODY.PEEK[])")[1][0][1] == LETTER


def test_a_proxy_cuts_where_told(mailserver):
    with faults.Proxy(mailserver.ports["imap"], faults=[faults.Cut(after=4)]) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            assert client.makefile("rb").read() == b"* OK"
    with faults.Proxy(mailserver.ports["imap"], faults=[faults.CutAt(b" [CAPABILITY")]) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            assert client.makefile("rb").read() == b"* OK"


def test_a_stalled_proxy_goes_on_when_released(mailserver):
    with faults.Proxy(mailserver.ports["imap"], faults=[faults.Stall(after=4)]) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            assert client.recv(100) == b"* OK"
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(100)
            client.settimeout(30)
            proxy.release()
            assert client.recv(100).startswith(b" [CAPABILITY")


def test_a_refusing_proxy_closes_at_once(mailserver):
    with faults.Proxy(mailserver.ports["imap"], faults=[faults.Refuse()]) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            assert client.recv(100) == b""


# --- the scripted server --------------------------------------------------------------------------------

def test_a_script_is_followed(mailserver):
    script = """
        S: * OK ready
        C: {tag} LOGIN {name} ...
        S: {tag} OK welcome, {name}\\x21
        split 1
        C: {tag} APPEND INBOX {{size}}
        S: + go on
        C~: {size}
        C: 
        S* 3: * {i} EXISTS
        S: {tag} OK done
        close
    """
    with ScriptedServer(script) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            wire = client.makefile("rwb")

            def say(line):
                wire.write(line)
                wire.flush()

            assert wire.readline() == b"* OK ready\r\n"
            say(b"a1 login ada secret\r\n")
            assert wire.readline() == b"a1 OK welcome, ada!\r\n"
            say(b"a2 APPEND INBOX {5}\r\n")
            assert wire.readline() == b"+ go on\r\n"
            say(b"hello\r\n")
            assert wire.read() == b"* 1 EXISTS\r\n* 2 EXISTS\r\n* 3 EXISTS\r\na2 OK done\r\n"
        assert server.problems == []


def test_a_script_tells_what_was_unexpected():
    with ScriptedServer("S: +OK\nC: USER ...\nS: +OK\n--- again\nS: -ERR busy\n") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"QUIT\r\n")
            client.makefile("rb").read()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            assert client.makefile("rb").read() == b"-ERR busy\r\n"
        assert server.problems == ["line 2: expected 'USER ...', got 'QUIT'"]


def test_a_script_starts_tls_with_the_certificate_it_names(tmp_path):
    authority = Authority(tmp_path)
    trust = ssl.create_default_context(cafile=authority.file)
    script = "S: * OK ready\nC: {t} CAPABILITY\nS: * CAPABILITY IMAP4rev1 STARTTLS\nS: {t} OK so\n" \
             "C: {t} STARTTLS\nS: {t} OK now\ntls expired\nC: {t} ..."
    with ScriptedServer(script, authority) as server:
        imap = imaplib.IMAP4("localhost", server.port)
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            imap.starttls(trust)


# --- the sample mail --------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def letters():
    return list(sample.Generator(sample_texts.ADA, seed=7).messages(1500))


def test_the_same_seed_makes_the_same_mail(letters):
    assert list(sample.Generator(sample_texts.ADA, seed=7).messages(1500)) == letters
    assert list(sample.Generator(sample_texts.ADA, seed=8).messages(1500)) != letters


def test_sample_mail_has_no_defects(letters):
    for letter in letters:
        assert letter.content.count(b"\n") == letter.content.count(b"\r\n")
        assert max(map(len, letter.content.split(b"\r\n"))) <= 998
        message = email.message_from_bytes(letter.content, policy=email.policy.default)
        for part in message.walk():
            assert not part.defects
            assert not any(value.defects for value in part.values())
            if part.get_content_maintype() == "text":
                part.get_content()  # decodes


def test_foreign_letters_read_as_they_were_written(letters):
    written = {subject: text.replace("\n", "") for *_, subject, text in sample_texts.FOREIGN}
    read = {}
    for letter in letters:
        message = email.message_from_bytes(letter.content, policy=email.policy.default)
        if message["Subject"] in written:
            read[str(message["Subject"])] = message.get_content().replace("\r\n", "").replace("\n", "")
    assert read == written


def test_sample_mail_has_one_of_each_kind_and_threads(letters):
    messages = [email.message_from_bytes(letter.content) for letter in letters]
    kinds = {part.get_content_type() for message in messages for part in message.walk()}
    assert kinds >= {"text/plain", "text/html", "text/calendar", "text/csv", "image/png",
                     "application/pdf", "application/zip", "message/delivery-status",
                     "multipart/related", "multipart/alternative", "multipart/mixed"}
    assert {letter.mailbox for letter in letters} >= {"INBOX", "Sent", "Drafts", "Trash", "Junk",
                                                      "Lists/Keepers", sample.FOREIGN_MAILBOX}
    ids = {message["Message-ID"] for message in messages}
    assert len(ids) == len(messages)
    replies = [message for message in messages if message["In-Reply-To"]]
    assert len(replies) > 100 and all(message["In-Reply-To"] in ids for message in replies)


def test_dovecot_lists_what_sample_wrote(mailserver, person, trust):
    counts = sample.fill(person.maildir, (person.address, person.address), 200)
    mailserver.dovecot.own_home(person.address)
    imap = imap_of(mailserver, person, trust)
    for mailbox, count in counts.items():
        wire = '"' + sample.maildir.utf7(mailbox) + '"'
        assert int(imap.select(wire, readonly=True)[1][0]) == count
    # Files came and went under Dovecot's own watch while they were made: that is all it may say.
    gone = ("No such file or directory", "Mailbox was deleted under us")
    assert not [line for line in mailserver.dovecot.log_tail(50).splitlines()
                if "Error" in line and person.address in line and not line.endswith(gone)]
