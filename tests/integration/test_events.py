"""The stream of events: new mail, what another program changed, coming back without missing anything;
and never a word of somebody else's mail."""

import http.client
import imaplib
import json
import queue
import socket
import ssl
import threading

import pytest

from tests.harness import eventually, metric
from tests.integration.test_signing_in import move_on

PATIENCE = 60


class Stream:
    """Reads .../events on a thread of its own."""

    def __init__(self, service, token, account, last_id=None):
        self.events, self.ids = queue.Queue(), []
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {token}"}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        self.connection.request("GET", f"/api/v1/accounts/{account}/events", headers=headers)
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        if self.status == 200:
            assert self.answer.getheader("Content-Type") == "text/event-stream"
            threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        event = {}
        try:
            for line in self.answer:
                name, _, value = line.decode().rstrip("\n").partition(":")
                if name:
                    event[name] = value.strip()
                elif event:
                    if "data" in event:
                        if event.get("id"):
                            self.ids.append(int(event["id"]))
                        self.events.put((event["event"], json.loads(event["data"])))
                    event = {}
        except (OSError, ValueError, AttributeError):
            pass  # closed by the test

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # ends the thread's reading
        except OSError:
            pass  # it has ended
        self.connection.close()

    def until(self, wanted):
        """The first event that `wanted` takes."""
        while True:
            name, data = self.events.get(timeout=PATIENCE)
            if wanted(name, data):
                return data


def created(name, data):
    return name == "change" and data["type"] == "Email" and data.get("created")


class Reader:
    def __init__(self, restante, person):
        self.person = person
        restante.sign_in(person.address, person.password)
        self.token = restante.token(person.address)
        self.api = restante.client(self.token)
        assert eventually(lambda: [each for each in self.api.get("/accounts").json["accounts"]
                                   if each["sync"]["state"] == "current"], patience=PATIENCE)
        self.account = self.api.get("/accounts").json["accounts"][0]["id"]

    def email(self, id):
        return self.api.get(f"/accounts/{self.account}/emails/{id}").json

    def state(self):
        return self.api.get(f"/accounts/{self.account}").json["state"]


def letter(subject):
    return (f"From: Ada <ada@example.org>\r\nSubject: {subject}\r\n"
            f"Message-ID: <{subject}@example.org>\r\n\r\nhello\r\n").encode()


@pytest.fixture
def reader(restante, new_person):
    return Reader(restante, new_person())


@pytest.fixture
def stream(restante, reader):
    stream = Stream(restante, reader.token, reader.account)
    yield stream
    stream.close()


def test_new_mail_and_flags_set_elsewhere_are_told(reader, stream, mailserver):
    reader.person.receive(letter("one"))
    id = stream.until(created)["created"][0]
    assert reader.email(id)["subject"] == "one"
    # what the event speaks of is there when it comes, and its flag is that of the other program
    other = imaplib.IMAP4_SSL("localhost", mailserver.ports["imaps"], ssl_context=
                              ssl.create_default_context(cafile=mailserver.ca_file))
    other.login(reader.person.address, reader.person.password)
    other.select("INBOX")
    other.store("1", "+FLAGS", "\\Flagged")
    other.logout()
    stream.until(lambda name, data: name == "change" and data["type"] == "Email" and
                 id in data.get("updated", []) and "$flagged" in reader.email(id)["keywords"])
    assert stream.ids == sorted(set(stream.ids))


def test_who_comes_back_misses_nothing_and_hears_nothing_twice(restante, reader, stream):
    reader.person.receive(letter("one"))
    first = stream.until(created)["created"]
    assert eventually(lambda: stream.ids)
    last = stream.ids[-1]
    stream.close()
    reader.person.receive(letter("two"))
    assert eventually(lambda: reader.state() > last, patience=PATIENCE)
    again = Stream(restante, reader.token, reader.account, last_id=last)
    told = again.until(created)["created"]
    assert [reader.email(id)["subject"] for id in told] == ["two"] and not set(first) & set(told)
    assert min(again.ids) > last
    again.close()


def test_open_streams_are_told_to_administrators(restante, stream):
    assert stream.status == 200
    assert eventually(lambda: metric(restante, "http_streams") >= 1)
    assert metric(restante, "http_connections") >= 2  # it, and who asks
    assert metric(restante, "http_waiting") >= 0


def test_an_id_that_is_too_old_says_begin_anew(restante, reader):
    assert Stream(restante, reader.token, reader.account, last_id="yesterday").status == 400
    move_on(restante, f"DELETE FROM change WHERE account_id = {reader.account} "
                      f"AND modseq < {reader.state()}")
    late = Stream(restante, reader.token, reader.account, last_id=0)
    assert late.until(lambda name, data: name == "reset") == {}
    late.close()


def test_nobody_hears_of_others_mail(restante, reader, stream, new_person):
    other = Reader(restante, new_person())
    assert Stream(restante, other.token, reader.account).status == 404
    theirs = Stream(restante, other.token, other.account)
    other.person.receive(letter("theirs"))
    assert theirs.until(created)
    reader.person.receive(letter("mine"))
    assert [reader.email(id)["subject"] for id in stream.until(created)["created"]] == ["mine"]
    theirs.close()


def test_a_revoked_token_opens_no_stream(restante, reader):
    assert Stream(restante, "not a token", reader.account).status == 401
