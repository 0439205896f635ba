"""What the parts of the bench share: somebody signed in, waiting, processor time, the table."""

import os
import subprocess
import sys
import time
from pathlib import Path

PASSWORD = "lighthouse"


def say(text):
    print(text, file=sys.stderr, flush=True)


def until(check, pause, what, patience=120):
    end = time.monotonic() + patience
    while not (result := check()):
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {patience} s")
        time.sleep(pause)
    return result


class Owner:
    """Somebody signed in: where their account and inbox are."""

    def __init__(self, service, address):
        self.address, self.service = address, service
        self.began = time.monotonic()
        self.client = service.sign_in(address, PASSWORD)
        self.signed_in = time.monotonic()

    def account(self):
        return self.client.get("/accounts").json["accounts"][0]

    def inbox(self):
        listed = self.client.get(f"/accounts/{self.account_id}/mailboxes").json["mailboxes"]
        return next((box for box in listed if box["role"] == "inbox"), None)

    def emails(self):
        return self.client.get(f"{self.place}/emails").json["emails"]

    def await_first_page(self):
        self.account_id = self.account()["id"]
        box = until(self.inbox, 0.003, "the inbox")
        self.place = f"/accounts/{self.account_id}/mailboxes/{box['id']}"
        self.page = f"/mail/{self.account_id}/{box['id']}"
        until(lambda: len(self.emails()) == 50, 0.003, "the first page")
        return time.monotonic() - self.signed_in

    def await_all(self, count):
        def is_whole():
            box = self.inbox()
            return box["totalEmails"] >= count and box["isComplete"]
        until(is_whole, 0.05, f"{count} messages")
        return time.monotonic() - self.began

    def await_current(self):
        until(lambda: self.account()["sync"]["state"] == "current", 0.002, "the end of the sync")

    def resync(self, database):
        """Seconds from asking for a look until all is known to be up to date: when the sync role
        wrote that down, not when somebody gets to see it."""
        mark = f"SELECT extract(epoch FROM synced_at) FROM account WHERE id = {self.account_id}"
        before = database.value(mark)
        program = self.service.client(self.token())
        begin = time.time()
        answer = program.post(f"/accounts/{self.account_id}/sync", {})
        assert answer.status < 300, answer.text
        until(lambda: database.value(mark) != before, 0.002, "another look")
        return float(database.value(mark)) - begin

    def cookie(self):
        return "; ".join(f"{each.name}={each.value}" for each in self.client.cookies)

    def token(self):
        return self.service.token(self.address)


class Table:
    def __init__(self):
        print(f"| {'what':36} | {'measured':>12} | {'beside':>24} | wanted |")
        print(f"|{'-' * 38}|{'-' * 14}|{'-' * 26}|--------|")

    @staticmethod
    def add(what, measured, beside="", wanted=""):
        print(f"| {what:36} | {measured:>12} | {beside:>24} | {wanted} |", flush=True)


class Database:
    """Questions to a service's private PostgreSQL, over one connection."""

    def __init__(self, service):
        psql = sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1]
        self._psql = subprocess.Popen(
            [psql, "-XqAt", "-h", Path(service.options["state_directory"]) / "postgresql", "-U",
             "restante", "-d", "restante"], text=True, bufsize=1, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def value(self, statement):
        """The one value of one row."""
        self._psql.stdin.write(statement + ";\n")
        return self._psql.stdout.readline().rstrip("\n")

    def run(self, statement):
        """One that returns no rows; the next question waits for it."""
        self._psql.stdin.write(statement + ";\n")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._psql.stdin.close()
        self._psql.wait()


_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def processor_seconds(pids):
    """Processor time that these processes and their ended children have used so far."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        total += sum(map(int, fields[11:15]))
    return total * _TICK_S


def service_seconds(service):
    """The same of all processes of a service, its PostgreSQL included."""
    return processor_seconds([service.process.pid, *service.children()])
