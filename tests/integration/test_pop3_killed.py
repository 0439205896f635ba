"""The sync process, or PostgreSQL, killed between any two statements of a POP3 pass: each message is
then upstream or here, and in the end here once. And a maildrop of ten thousand."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.integration.test_pop3 import Account, Maildrop, account, maildrop  # noqa: F401
from tests.mailserver import faults, maildir

# What a pass writes, in its order: the table, the statement, and which of them of that kind.
STEPS = [("email", "INSERT", 1), ("blob", "INSERT", 1), ("pop3_uidl", "INSERT", 1), ("change", "INSERT", 1),
         ("pop3_uidl", "UPDATE", 1),   # before DELE
         ("pop3_uidl", "UPDATE", 2)]   # after QUIT was answered
LOCK = 4711


class Database:
    """PostgreSQL of the running service, where a statement can be held."""

    def __init__(self, restante):
        self.psql = [sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1], "-X", "-q", "-A", "-t", "-h",
                     restante.folder / "state/postgresql", "-U", "restante", "-d", "restante",
                     "-v", "ON_ERROR_STOP=1"]
        self.holder = None

    def run(self, statement):
        run = subprocess.run([*self.psql, "-c", statement], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        return run.stdout.strip()

    def hold(self, table, statement, nth, account_id):
        """The nth such statement on the account's rows waits, before it does anything, until release()."""
        self.run(f"""
            DROP SEQUENCE IF EXISTS held_count; CREATE SEQUENCE held_count;
            GRANT ALL ON SEQUENCE held_count TO PUBLIC;
            CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('held_count') = {nth} THEN PERFORM pg_advisory_lock_shared({LOCK});
                END IF; RETURN NEW; END $$;
            CREATE TRIGGER hold BEFORE {statement} ON {table} FOR EACH ROW
                WHEN (NEW.{'id' if table == 'account' else 'account_id'} = {account_id})
                EXECUTE FUNCTION hold();
            ALTER TABLE {table} ENABLE ALWAYS TRIGGER hold;  -- batches switch off the others""")
        self.holder = subprocess.Popen([*self.psql, "-c", f"SELECT pg_advisory_lock({LOCK}), pg_sleep(600)"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.table = table

    def is_holding(self):
        return self.run(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {LOCK}"
                        " AND NOT granted") != "0"

    def release(self):
        if not self.holder:
            return
        try:  # the statement that is held shall not be carried out after all
            self.run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
                     f" AND objid = {LOCK} AND NOT granted")
        except AssertionError:
            pass  # PostgreSQL itself was killed
        self.holder.kill()
        self.holder.wait()
        self.holder = None
        eventually(lambda: self._tidy() is None, patience=60, pause=0.3)

    def _tidy(self):
        try:
            self.run(f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                     f" AND objid = {LOCK} AND granted")
            self.run(f"DROP TRIGGER IF EXISTS hold ON {self.table}")
        except AssertionError as why:  # PostgreSQL comes back in a moment
            return str(why)

    def whole(self, account_id):
        """How many messages of the account are here for good."""
        return int(self.run(f"SELECT count(*) FROM email e JOIN blob b ON b.account_id = e.account_id"
                            f" AND b.email_id = e.id AND b.part = '' WHERE e.account_id = {account_id}"))


@pytest.fixture
def database(restante):
    made = Database(restante)
    yield made
    made.release()


@pytest.mark.parametrize("what, step", [("sync", step) for step in STEPS] +
                         [("postgres", step) for step in (STEPS[1], STEPS[4], STEPS[5])],
                         ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value)))
def test_killed_at_a_statement_nothing_is_lost_or_doubled(restante, account, maildrop, database, what,
                                                          step):
    names = [f"{what}-{number}" for number in range(6)]
    maildrop.receive(*names)
    database.hold(*step, account.id)
    account.ask()
    assert eventually(database.is_holding, patience=60, pause=0.05)
    restante.kill(what)
    maildrop.proxy.cut_all(reset=True)
    database.release()
    upstream = maildrop.count()
    here = eventually(lambda: [database.whole(account.id)], pause=0.3)[0]
    assert upstream + here >= len(names), "something is neither there nor here"
    restante.wait_ready()
    assert eventually(lambda: account.ask() or maildrop.count() == 0, patience=90, pause=0.5)
    account.settled()
    assert account.subjects() == names
    account.check_now()
    assert account.subjects() == names and database.whole(account.id) == len(names)


# --- ten thousand --------------------------------------------------------------------------------------

MANY = 10_000


def fill(person, count):
    """Small messages, written where the server reads them."""
    writer = maildir.Writer(person.maildir)
    now = time.time()
    for number in range(count):
        writer.add(f"From: jack@example.org\r\nTo: ada@example.org\r\nSubject: many-{number:05}\r\n"
                   f"Message-ID: <many-{number}@example.org>\r\n\r\nNumber {number}.\r\n".encode(),
                   arrived=now - count + number)


def all_subjects(account, database):
    return database.run(f"SELECT subject FROM email WHERE account_id = {account.id} ORDER BY 1").split("\n")


def test_ten_thousand_come_once_through_cuts_a_kill_and_another_client(restante, account, maildrop, database):
    fill(maildrop.person, MANY)
    other = maildrop.client()  # it came first and sees them all
    assert other.stat()[0] == MANY
    maildrop.proxy.faults = [faults.Cut(after=900_000)]
    before = maildrop.proxy.connections
    account.ask()
    assert eventually(lambda: maildrop.proxy.connections > before and maildrop.proxy.open_count == 0,
                      patience=60, pause=0.05)
    got = eventually(lambda: database.whole(account.id), patience=60, pause=0.1)
    assert 0 < got < MANY and maildrop.count() == MANY
    maildrop.proxy.faults = [faults.StallAt(b"RETR 5000\r", faults.SERVER)]
    assert eventually(lambda: account.ask() or maildrop.proxy.held, patience=60, pause=0.5)
    restante.kill("sync")
    maildrop.proxy.faults = []
    maildrop.proxy.cut_all(reset=True)
    assert maildrop.count() == MANY
    for number in range(1, 21):  # what it removes is here already
        other.dele(number)
    other.quit()
    assert eventually(lambda: account.ask() or maildrop.count() == 0, patience=240, pause=1)
    account.settled()
    assert all_subjects(account, database) == [f"many-{number:05}" for number in range(MANY)]
    inbox = next(box for box in account._get("/mailboxes")["mailboxes"] if box["role"] == "inbox")
    assert inbox["totalEmails"] == MANY


def test_a_large_message_passes_without_memory(restante, account, maildrop):
    """50 MB: the sync role holds pieces of it, and the file it waits in is no memory."""
    size = 50_000_000
    line = b"x" * 74 + b"\r\n"
    message = b"From: a@example.org\r\nSubject: heavy\r\n\r\n" + line * (size // len(line))
    maildir.Writer(maildrop.person.maildir).add(message)
    sync = restante.pid_of("sync")

    def private_kb():
        status = Path(f"/proc/{sync}/status").read_text()
        return sum(int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("RssAnon", "RssShmem"))

    def memory_files():
        """What of the message lies in memory files; root alone sees a process that no core may show (PR_SET_DUMPABLE)."""
        found = [0]
        for link in Path(f"/proc/{sync}/fd").iterdir() if os.geteuid() == 0 else ():
            try:
                if "memfd:messages" in str(link.readlink()):
                    found.append(link.stat().st_size)
            except OSError:
                pass  # closed meanwhile
        return max(found)

    before, highest, largest_file = private_kb(), 0, 0
    account.ask()
    end = time.monotonic() + 120
    while not account.emails() and time.monotonic() < end:
        highest = max(highest, private_kb() - before)
        largest_file = max(largest_file, memory_files())
        time.sleep(0.01)
    (email,) = account.emails()
    assert largest_file < 25_000_000
    if not restante.is_sanitized:
        assert highest < 25_000, f"the sync process grew by {highest} kB"
    assert account.raw(email) == message
    assert eventually(lambda: account.ask() or maildrop.count() == 0, pause=0.5)
