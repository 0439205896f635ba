"""What is killed comes back, and what was accepted is there: kill -9 of each part while requests run,
orderly ends, full and read-only disks, no more file descriptors. Each test has an instance of its own."""

import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests import harness
from tests.harness import eventually
from tests.mailserver import ports, unprivileged


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="restante-life-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def service(folder, mailserver):
    if not harness.BINARY.exists():
        pytest.skip(f"{harness.BINARY} is not built")
    with harness.Restante(folder / "service", ca_file=mailserver.ca_file,
                          domains={"example.org": harness.domain("imap", mailserver)}) as started:
        yield started


def is_ready(service):
    try:
        return service.client().get("//readyz", timeout=10).status == 200
    except OSError:
        return False


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Writers:
    """Threads that write contacts: small things that are accepted (201) or not."""

    def __init__(self, service, token, count=4):
        self.accepted, self.statuses = set(), set()
        self._service, self._token, self._lock = service, token, threading.Lock()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(count)]

    def _run(self, n):
        serial = 0
        while not self._end.is_set():
            serial += 1
            try:
                answer = self._service.client(self._token).post(
                    "/contacts", {"name": f"{n}-{serial}"}, timeout=30)
            except OSError:
                continue  # cut off: it may be there or not
            with self._lock:
                self.statuses.add(answer.status)
                if answer.status == 201:
                    self.accepted.add(answer.json["id"])

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._end.set()
        for thread in self._threads:
            thread.join()


def all_contacts(client):
    """The ids of all pages."""
    ids, after = set(), ""
    while after is not None:
        page = client.get("/contacts" + (f"?after={after}" if after else "")).json
        ids |= {each["id"] for each in page["contacts"]}
        after = page["next"]
    return ids


@pytest.mark.parametrize("what", ["web", "sync", "postgres"])
def test_nothing_accepted_is_lost_when_a_part_is_killed(service, what):
    """Three times at a random moment, while four clients write."""
    chance = random.Random(what)
    token = service.token(service.add_user("ada"))
    with Writers(service, token) as writers:
        for _ in range(3):
            before = len(writers.accepted)
            assert eventually(lambda: len(writers.accepted) > before + 5)
            time.sleep(chance.random() / 5)  # a moment like any other
            dead = service.kill(what)
            assert eventually(lambda: service.pid_of(what) != dead and is_alive(service.pid_of(what)))
            assert eventually(lambda: is_ready(service))
        before = len(writers.accepted)
        assert eventually(lambda: len(writers.accepted) > before + 5)
    assert service.process.poll() is None
    # what was not accepted was said to be unavailable, and nothing else
    assert writers.statuses <= {201, 503}, writers.statuses
    assert writers.accepted <= all_contacts(service.client(token))


def test_the_first_sync_goes_on_where_it_was_killed(service, mailserver):
    user = mailserver.add_user("replica@example.org", "correct horse")
    try:
        writer = mailserver.writer(user.address)
        for number in range(1500):
            writer.add(f"Subject: letter {number}\r\n\r\nhello {number}\r\n".encode())
        client = service.sign_in(user.address, user.password)
        account = client.get("/accounts").json["accounts"][0]["id"]

        def inbox():
            found = [box for box in client.get(f"/accounts/{account}/mailboxes").json["mailboxes"]
                     if box["role"] == "inbox"]
            return found[0] if found else {"totalEmails": 0, "isComplete": False}

        for what in ("sync", "postgres", "sync"):
            before = inbox()["totalEmails"]
            eventually(lambda: inbox()["totalEmails"] > before, patience=10)
            dead = service.kill(what)
            assert eventually(lambda: service.pid_of(what) != dead and is_ready(service))
        assert eventually(lambda: inbox()["totalEmails"] == 1500 and inbox()["isComplete"], patience=90), \
            (inbox(), service.log_tail())
        seen, cursor = set(), ""
        while cursor is not None:
            page = client.get(f"/accounts/{account}/mailboxes/{inbox()['id']}/emails?limit=200"
                              + (f"&after={cursor}" if cursor else "")).json
            seen |= {email["subject"] for email in page["emails"]}
            cursor = page["next"]
        assert seen == {f"letter {number}" for number in range(1500)}
    finally:
        mailserver.delete_user(user.address)


def test_a_sign_in_under_way_when_the_sync_role_dies_ends(service, mailserver, person):
    results = []

    def sign_in():
        results.append(service.client().post("/session", {"username": person.address,
                                                          "password": person.password}).status)

    thread = threading.Thread(target=sign_in)
    thread.start()
    service.kill("sync")
    thread.join(timeout=60)
    assert results and results[0] in (204, 503)
    assert eventually(lambda: service.client().sign_in(person.address, person.password).status == 303)


def test_a_stop_ends_every_process_and_frees_the_port(service):
    pids = list(service.children())
    assert len(pids) >= 4  # web, sync, PostgreSQL with its own, parsers
    status = unprivileged.stop(service.process, patience=60)
    assert status == 0
    assert eventually(lambda: not any(map(is_alive, pids))), [pid for pid in pids if is_alive(pid)]
    assert ports.is_free(service.port)
    assert not (service.folder / "state/postgresql/data/postmaster.pid").exists()
    service.process = None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_stops_in_order(service, number):
    service.process.send_signal(number)
    assert service.process.wait(timeout=60) == 0
    log = service.log.read_text()
    assert "event=serve.stopping" in log and "signal=9" not in log
    service.process = None


def test_nothing_is_left_when_the_supervisor_is_killed_and_it_starts_again(service):
    login = service.add_user("ada")
    token = service.token(login)
    pids = list(service.children())
    service.process.kill()
    service.process.wait()
    service.process = None
    assert eventually(lambda: not any(map(is_alive, pids)), patience=60), \
        {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids if is_alive(pid)}
    service.start()
    assert service.client(token).get("/session").json["username"] == "ada"


def test_it_starts_again_at_once_though_the_old_postgresql_still_runs(service):
    """The supervisor is killed; another starts without waiting for what is left to end."""
    service.add_user("ada")
    service.process.kill()
    service.process.wait()
    service.process = None
    service.port = ports.free()[0]
    service.url = f"http://127.0.0.1:{service.port}"
    service.options |= {"listen": [f"127.0.0.1:{service.port}"], "public_url": service.url}
    service.start()
    assert "ada" in service.command("user", "list").stdout


def test_a_second_start_keeps_everything_and_makes_nothing(service):
    service.add_user("ada")
    service.stop()
    before = service.log.read_text()
    service.start()
    said = service.log.read_text()[len(before):]
    assert "cluster.create" not in said and "migrate.apply" not in said and "serve.keys" not in said
    service.sign_in("ada", "a local password")


def test_its_sockets_are_the_service_users_for_its_group_to_connect_to(service, folder):
    service.stop()
    at = folder / "http.sock"
    service.options["listen"].append(f"unix:{at}")
    service.start()
    spool = (Path(service.options["state_directory"]) / "spool").stat()
    assert (at.stat().st_uid, at.stat().st_gid) == (spool.st_uid, spool.st_gid)
    assert at.stat().st_mode & 0o777 == 0o660


def test_a_second_service_on_the_same_port_says_so_and_harms_nothing(service, folder, mailserver):
    other = harness.Restante(folder / "other", domains={}, ca_file=mailserver.ca_file, port=service.port)
    other.folder.mkdir()
    harness.write_config(other.config, other.options, {})
    told = subprocess.run([str(other.binary), "serve", "--config", str(other.config)],
                          capture_output=True, text=True, timeout=60)
    assert told.returncode == 1 and "Address already in use" in told.stderr
    assert f"127.0.0.1:{service.port}" in told.stderr
    assert is_ready(service)


def test_a_role_that_cannot_start_is_tried_ever_more_slowly(folder, mailserver):
    """Its configuration names a file that is not there: the other role serves meanwhile."""
    service = harness.Restante(folder / "half", domains={}, ca_file="/nonexistent/ca.pem")
    with service:
        assert eventually(lambda: service.log.read_text().count("event=serve.ended what=sync") >= 3)
        assert is_ready(service)
        waits = [int(line.rpartition("again_in_ms=")[2].split()[0])
                 for line in service.log.read_text().splitlines() if "event=serve.ended what=sync" in line]
        assert waits == sorted(waits) and waits[-1] > waits[0]
        assert "/nonexistent/ca.pem" in service.log.read_text()


# --- disks ----------------------------------------------------------------------------------------------------

def mounted(folder, options):
    """A small disk of its own there; None where we may not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"mode=755,{options}", "restante-test", str(folder)],
            capture_output=True).returncode != 0:
        return None
    return folder


def test_a_state_directory_that_cannot_be_written_is_said(folder, mailserver):
    disk = mounted(folder / "disk", "size=1m,ro")
    if not disk:
        pytest.skip("only root may mount a disk")
    try:
        service = harness.Restante(folder / "service", domains={}, ca_file=mailserver.ca_file,
                                   state_directory=disk / "state")
        with pytest.raises(RuntimeError, match=f"{disk}/state.*Read-only file system"):
            service.start()
        service.options["state_directory"] = disk
        harness.write_config(service.config, service.options, {})
        told = service.command("doctor", check=False).stdout
        assert "BAD  state directory" in told and "cannot be written" in told
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full_while_it_runs_loses_nothing_and_recovers(folder, mailserver):
    disk = mounted(folder / "disk", "size=400m")
    if not disk:
        pytest.skip("only root may mount a disk")
    try:
        with harness.Restante(folder / "service", domains={}, ca_file=mailserver.ca_file,
                              state_directory=disk / "state") as service:
            token = service.token(service.add_user("ada"))
            api = service.client(token)
            before = [api.post("/tokens", {"name": f"before {n}"}).json["id"] for n in range(5)]
            with open(disk / "ballast", "wb") as ballast:
                try:
                    while True:
                        ballast.write(b"\0" * 65536)
                        ballast.flush()
                except OSError:
                    pass
            # reading goes on, or is refused for now; writing is refused for now or fits the last page
            statuses, accepted = set(), []
            for n in range(40):
                try:
                    answer = service.client(token).post("/tokens", {"name": "x" * 200}, timeout=30)
                except OSError:
                    continue
                statuses.add(answer.status)
                if answer.status == 201:
                    accepted.append(answer.json["id"])
            assert statuses <= {201, 503}, statuses
            (disk / "ballast").unlink()
            assert eventually(lambda: is_ready(service), patience=90), service.log_tail()
            assert eventually(lambda: service.client(token).post("/tokens", {"name": "after"}).status == 201)
            kept = {each["id"] for each in service.client(token).get("/tokens").json["tokens"]}
            assert set(before + accepted) <= kept
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# --- file descriptors --------------------------------------------------------------------------------------------

DESCRIPTORS = 120  # of each process: PostgreSQL needs about half of that


@pytest.fixture
def cramped(folder, mailserver):
    """A service whose processes may open few files."""
    if not harness.BINARY.exists():
        pytest.skip(f"{harness.BINARY} is not built")
    wrapper = folder / "restante"
    wrapper.write_text(f'#!/bin/sh\nulimit -n {DESCRIPTORS}\nexec "{harness.BINARY}" "$@"\n')
    wrapper.chmod(0o755)
    with harness.Restante(folder / "service", domains={}, ca_file=mailserver.ca_file,
                          binary=wrapper) as started:
        yield started


class Crowd:
    """More clients than the service has descriptors for, who say nothing."""

    def __init__(self, service):
        self._service, self._connections = service, []

    def __enter__(self):
        for _ in range(DESCRIPTORS + 20):
            try:
                self._connections.append(
                    socket.create_connection(("127.0.0.1", self._service.port), timeout=3))
            except OSError:
                break  # neither served nor queued
        return self

    def __exit__(self, *exception):
        for connection in self._connections:
            connection.close()


def test_without_file_descriptors_it_refuses_and_recovers(cramped):
    token = cramped.token(cramped.add_user("ada"))
    pid = cramped.pid_of("web")
    for _ in range(3):
        with Crowd(cramped):
            # who comes now is answered, told to come back, or waits in the kernel's queue
            try:
                status = cramped.client(token).get("/session", timeout=3).status
            except OSError:
                status = None
            assert status in (200, 503, None)
        assert eventually(lambda: is_ready(cramped))
        assert cramped.client(token).get("/session").status == 200
    assert cramped.pid_of("web") == pid and cramped.process.poll() is None


def test_a_large_upload_without_descriptors_is_refused_for_now(cramped):
    """Its body needs a file, and none can be opened."""
    token = cramped.token(cramped.add_user("ada"))
    assert cramped.client(token).get("/session").status == 200
    body = b'{"name": "' + b"x" * 900_000 + b'"}'
    connection = http.client.HTTPConnection("127.0.0.1", cramped.port, timeout=20)

    def upload():
        connection.request("POST", "/api/v1/tokens", body, {
            "Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    assert upload() == 400  # it is read, and the name is too long
    with Crowd(cramped):
        try:
            refused = upload()
        except OSError:
            refused = None
    connection.close()
    assert refused in (503, None)
    assert eventually(lambda: is_ready(cramped))
    assert upload() == 400
    connection.close()
