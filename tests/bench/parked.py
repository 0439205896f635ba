"""Ten thousand accounts at rest in one process: what each costs in memory, what all cost in processor
time. parked_server.py stands in for their mail servers, on some addresses of loopback."""

import base64
import ctypes
import ctypes.util
import hashlib
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests import harness
from tests.bench.common import Database, processor_seconds, say, until
from tests.mailserver import ports, unprivileged

HOSTS = [f"127.0.1.{number}" for number in range(1, 41)]  # as many mail servers
REST_S = 30


class Sealer:
    """server/base/seal.c's seal_secret, so that 10,000 accounts need no 10,000 trials."""

    def __init__(self, service):
        place = Path(service.options["state_directory"]) / "keys"
        public = next(each for each in place.iterdir() if "pub" in each.name)
        self.key = base64.b64decode(public.read_text().strip() + "==")
        self.id = hashlib.blake2b(self.key, digest_size=32).digest()[:8]
        self.sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
        self.sodium.sodium_init()

    def seal(self, binding, secret):
        plain = f"{len(binding)}:{binding}{secret}".encode()
        box = ctypes.create_string_buffer(len(plain) + 48)
        self.sodium.crypto_box_seal(box, plain, ctypes.c_ulonglong(len(plain)), self.key)
        return self.id + box.raw


def add_accounts(service, database, port, count):
    sealer = Sealer(service)
    database.run("INSERT INTO \"user\" (id, login) SELECT n, 'parked' || n FROM "
                 f"generate_series(1000, {999 + count}) AS n")
    for first in range(0, count, 500):
        rows = ", ".join(
            f"({number}, {number}, 'a{number}', 'a{number}@example.org', 'imap', "
            f"'{HOSTS[number % len(HOSTS)]}', {port}, 'implicit', 'a{number}', "
            f"'\\x{sealer.seal(f'account:{number}', 'any').hex()}', 900)"
            for number in range(1000 + first, 1000 + min(first + 500, count)))
        database.run("INSERT INTO account (id, user_id, name, email, kind, host, port, tls, username, "
                     f"secret, poll_seconds) VALUES {rows}")


def memory_kb(pid):
    """Proportional: what is shared with others counts once."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def measure(mail, folder, count, table):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < count + 1000:
        count = hard - 1000
        say(f"parked: only {count}, for ulimit -Hn is {hard}")
    certificate = mail.authority.issue("parked", *HOSTS)
    port = ports.free()[0]
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("parked_server.py")), certificate.certificate,
         certificate.key, str(port), *HOSTS], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n"
        with harness.Restante(folder / "parked", ca_file=mail.ca_file, domains={}) as service, \
                Database(service) as database:
            _measure(service, database, port, count, table)
    finally:
        unprivileged.stop(server)


def _measure(service, database, port, count, table):
    sync = service.pid_of("sync")
    empty = memory_kb(sync)
    begin, used = time.monotonic(), processor_seconds([sync])
    add_accounts(service, database, port, count)
    current = "SELECT count(*) FROM account WHERE sync_state = 'current'"
    until(lambda: int(database.value(current)) >= count, 1, "all accounts", 600)
    took, used = time.monotonic() - begin, processor_seconds([sync]) - used
    time.sleep(5)  # the last ones park
    sockets = sum(1 for each in os.listdir(f"/proc/{sync}/fd"))
    each = (memory_kb(sync) - empty) / count
    before, begin = processor_seconds([sync]), time.monotonic()
    time.sleep(REST_S)
    share = (processor_seconds([sync]) - before) / (time.monotonic() - begin)
    table.add(f"{count:,} accounts parked: each", f"{each:.1f} kB", f"{sockets:,} descriptors",
              "<= 40 kB")
    table.add("... at rest, of one core", f"{share * 100:.1f} %", f"{REST_S} s", "< 2 %")
    table.add("... until all were up to date", f"{took:.0f} s", f"{used / count * 1000:.1f} ms each")
