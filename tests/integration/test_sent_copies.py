"""Mail servers that put what was submitted into Sent by themselves, as Gmail and Microsoft do: there
is one copy, theirs if it comes, else ours; and what may have been sent is looked for there."""

import copy
from contextlib import contextmanager
from types import SimpleNamespace

from tests import harness
from tests.integration.test_sending import Writer, awaited
from tests.integration.test_sending_faults import HELLO, TAKEN
from tests.mailserver.fakeimap import FakeImap, Folder
from tests.mailserver.scripted import ScriptedServer

LOST = TAKEN.replace("S: 250 taken\nC: QUIT\nS: 221 bye", "close")


@contextmanager
def service(greeting, script, mailserver, folder):
    """Somebody who writes at a server with that greeting, and whose letters go by that script."""
    smtp = ScriptedServer("--- then\n".join([HELLO + "C: QUIT\nS: 221 bye\n", *script]))
    with FakeImap() as fake:
        fake.greeting = greeting
        fake.folders["Sent"] = Folder(2)
        domain = {"kind": "imap", "host": "127.0.0.1", "port": fake.port, "tls": "none",
                  "smtp_host": "127.0.0.1", "smtp_port": smtp.port, "smtp_tls": "none"}
        with harness.Restante(folder, domains={"example.org": domain}, ca_file=mailserver.ca_file,
                              allow_plaintext=True) as restante:
            writer = Writer(restante, SimpleNamespace(address="ada@example.org", password="any"))
            assert awaited(lambda: (box := writer.mailbox("sent")) and not box["isLocal"])
            yield fake, smtp, writer
    smtp.stop()


def message_id_of(transcript):
    return next(line.split("<")[1].split(">")[0] for line in transcript
                if "message-id:" in line.lower())


def test_there_is_one_copy_whoever_files_it(mailserver, state_folder):
    """Three letters: the server files the first, never the second, and the third though its answer
    was lost."""
    with service("* OK Gimap ready for requests", [TAKEN, TAKEN, LOST], mailserver,
                 state_folder / "sent-copies") as (fake, smtp, writer):

        def send(subject, phase):
            sent = writer.send(writer.draft(to="b@example.org", subject=subject, text="x"))
            writer.until(sent, phase)
            return sent, message_id_of(smtp.transcripts[-1])

        first, first_id = send("first", "accepted")
        second, second_id = send("second", "accepted")
        third, third_id = send("third", "unknown")
        assert not [each for each in fake.commands if " APPEND " in each]  # it gets the time
        for subject, message_id in (("first", first_id), ("third", third_id)):
            fake.folders["Sent"].add(f"From: ada@example.org\r\nSubject: {subject}\r\n"
                                     f"Message-ID: <{message_id}>\r\n\r\nx\r\n".encode())
        writer.until(first, "filed", patience=60)
        assert not writer.until(third, "filed", patience=60).get("error")
        writer.until(second, "filed", patience=90)
        appended, = [each for each in fake.commands if " APPEND " in each]
        assert second_id in appended
        assert len(fake.folders["Sent"].messages) == 3
        assert awaited(lambda: sorted(each["subject"] for each in writer.emails("sent")) ==
                       ["first", "second", "third"])
        assert len(smtp.transcripts) == 4 and not smtp.problems, smtp.problems


def test_23_a_copy_is_seen_where_it_shows_only_after_select(mailserver, state_folder):
    """Courier. The first APPEND is refused, so that Sent is open when the second one is tried."""
    with service("* OK Courier-IMAP ready", [TAKEN], mailserver,
                 state_folder / "courier") as (fake, _, writer):

        def select(session, words):
            session.folder = copy.deepcopy(fake.folders[words.strip('"')])
            return [f"* {len(session.folder.messages)} EXISTS",
                    f"* OK [UIDVALIDITY {session.folder.uidvalidity}] v",
                    f"* OK [UIDNEXT {session.folder.uidnext}] n", "{tag} OK selected"]

        def refuse_once(*_):
            del fake.answers["APPEND"]
            return ["{tag} NO not now"]

        fake.answers |= {"SELECT": select, "APPEND": refuse_once}
        sent = writer.send(writer.draft(to="b@example.org", subject="late", text="x"))
        writer.until(sent, "filed", patience=60)
        assert awaited(lambda: [each["subject"] for each in writer.emails("sent")] == ["late"])
