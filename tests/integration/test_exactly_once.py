"""Each operation is carried out upstream once, wherever the connection is cut and whenever the sync
process is killed: nothing is doubled, nothing is lost."""

import re

import pytest

from tests import harness
from tests.harness import eventually
from tests.integration.test_truth import PASSWORD, Here, Other, sync_log
from tests.mailserver.faults import CLIENT, SERVER, CutAt, Delay, Proxy
from tests.mailserver.mailserver import MailServer

SERVERS = {"plain": [], "old": ["MOVE", "QRESYNC", "CONDSTORE", "NOTIFY"]}


class House:
    """A mail server of its own behind a proxy that sees the commands in plain text."""

    def __init__(self, folder, hide):
        self.folder, self.hide = folder, hide
        self.serial = 0

    def __enter__(self):
        self.server = MailServer(hide=self.hide).__enter__()
        user = self.server.add_user("ada@example.org", PASSWORD)
        self.proxy = Proxy(self.server.ports["imap"], tls=self.server.authority.certificate("good"))
        domain = harness.domain("imap", self.server) | {"port": self.proxy.port}
        self.restante = harness.Restante(self.folder / "service", domains={"example.org": domain},
                                         ca_file=self.server.ca_file).start()
        self.restante.sign_in(user.address, PASSWORD)
        self.here = Here(self.restante.client(self.restante.token(user.address)))
        self.other = Other(self.server, user.address)
        assert eventually(self.here.mailboxes)
        return self

    def __exit__(self, *exception):
        self.restante.stop()
        self.proxy.stop()
        self.server.__exit__(*exception)

    def sync_log(self):
        return sync_log(self.restante)

    def letter(self):
        """A new message in the inbox: its subject, and its id here."""
        self.other.append("INBOX")
        subject = f"m{self.other.serial}"

        def found():
            self.here.check_now()
            return [each["id"] for each in self.here.emails(self.box("INBOX"))
                    if each["subject"] == subject]

        return subject, eventually(found, pause=0.2)[0]

    def box(self, path):
        return self.here.mailboxes()[path]["id"]

    def fail_at(self, *faults):
        """The connection, made anew, has these faults until it is cut."""
        self.proxy.faults = list(faults)
        before = self.proxy.connections
        self.proxy.cut_all()
        self.here.check_now()
        assert eventually(lambda: self.proxy.connections > before and self.proxy.open_count)
        self.settled()

    def settled(self):
        eventually(lambda: self.here.client.get("/accounts").json["accounts"][0]["sync"]["state"]
                   == "current")

    def await_cut(self):
        assert eventually(lambda: self.proxy.open_count == 0, pause=0.005), self.sync_log()
        self.proxy.faults = []

    def finish(self, operations):
        def over():
            self.here.check_now()
            return all(map(self.here.is_over, operations))

        assert eventually(over, patience=60, pause=0.3), self.sync_log()

    def places(self, subject):
        """Where a message lies upstream, with its keywords."""
        return sorted((folder, words) for folder, emails in self.other.listing().items()
                      for each, words in emails if each == subject)

    def is_true(self):
        def same():
            self.here.check_now()
            return self.here.listing() == self.other.listing()

        return eventually(same, patience=30, pause=0.3)


@pytest.fixture(scope="module", params=SERVERS)
def house(request, state_folder):
    with House(state_folder / f"once-{request.param}", SERVERS[request.param]) as made:
        yield made


# What is asked here, what of it goes over the wire, and where the message is in the end.
ACTIONS = {
    "mark": ({"action": "keywords", "keywords": {"$flagged": True}}, [b"UID STORE"],
             [("INBOX", ("$flagged",))]),
    "move": ({"action": "move", "to": "Archive"}, [b"UID MOVE", b"UID COPY", b"UID STORE",
                                                   b"UID EXPUNGE"], [("Archive", ())]),
    "copy": ({"action": "copy", "to": "Archive"}, [b"UID COPY"], [("Archive", ()), ("INBOX", ())]),
    "trash": ({"action": "trash"}, [b"UID MOVE", b"UID COPY"], [("Trash", ())]),
    "destroy": ({"action": "destroy"}, [b"UID STORE", b"UID EXPUNGE"], []),
}
CASES = [(name, command) for name, (_, commands, _) in ACTIONS.items() for command in commands]


def act(house, name, email):
    body = dict(ACTIONS[name][0])
    if "to" in body:
        body["toId"] = house.box(body.pop("to"))
    return house.here.act(emailIds=[email], mailboxId=house.box("INBOX"), **body)


def skip_unless_used(house, name, command):
    if b"MOVE" in command and "MOVE" in house.hide or \
            name in ("move", "trash") and b"MOVE" not in command and "MOVE" not in house.hide:
        pytest.skip("this server is not asked that")


def answer_to(command):
    """What Dovecot says when it is done."""
    return {b"UID STORE": b"Store completed", b"UID MOVE": b"Move completed",
            b"UID COPY": b"OK [COPYUID", b"UID EXPUNGE": b"Expunge completed"}[command]


@pytest.mark.parametrize("name,command", CASES)
@pytest.mark.parametrize("where", ["before", "after"])
def test_a_cut_connection_does_it_once(house, name, command, where):
    skip_unless_used(house, name, command)
    subject, email = house.letter()
    house.fail_at(CutAt(command, SERVER) if where == "before" else
                  CutAt(answer_to(command), CLIENT))
    operations = act(house, name, email)
    house.await_cut()
    house.finish(operations)
    assert house.places(subject) == ACTIONS[name][2], house.sync_log()
    assert house.is_true(), (house.here.listing(), house.other.listing(), house.sync_log())


@pytest.mark.parametrize("what", ["sync", "postgres"])
@pytest.mark.parametrize("name", ACTIONS)
def test_a_killed_process_does_it_once(house, name, what):
    """Or a killed database, which cannot write down what the mail server has answered."""
    subject, email = house.letter()
    house.fail_at(Delay(0.3))
    operations = act(house, name, email)
    # at some time between the command and its answer
    eventually(lambda: not all(map(house.here.is_over, operations)), patience=0.4)
    killed = house.restante.kill(what)
    house.proxy.faults = []
    assert eventually(lambda: house.restante.pid_of(what) != killed)
    house.restante.wait_ready()
    house.finish(operations)
    assert house.places(subject) == ACTIONS[name][2], house.sync_log()
    assert house.is_true(), (house.here.listing(), house.other.listing(), house.sync_log())


def test_a_parked_account_outlives_the_database(house):
    """PostgreSQL is killed while all is parked, and mail comes while it is away."""
    house.letter()
    house.settled()
    connections = house.proxy.connections
    killed = house.restante.kill("postgres")
    house.other.append("INBOX", "\\Flagged")
    assert eventually(lambda: house.restante.pid_of("postgres") != killed)
    house.restante.wait_ready()
    assert house.is_true(), (house.here.listing(), house.other.listing(), house.sync_log())
    assert house.proxy.connections <= connections + 1, "no storm of connections"


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("what", ["CREATE", "RENAME", "DELETE"])
def test_folders_come_and_go_once(house, what, where):
    house.serial += 1
    name = f"folder{house.serial}"
    if what != "CREATE":
        assert house.other.imap.create(name)[0] == "OK"
        house.here.check_now()
        assert eventually(lambda: house.here.check_now() or name in house.here.mailboxes(), pause=0.2)
    answer = f"{what.capitalize()} completed".encode()
    house.fail_at(CutAt(what.encode(), SERVER) if where == "before" else CutAt(answer, CLIENT))
    client, path = house.here.client, house.here.path
    if what == "CREATE":
        reply = client.request("POST", path("/mailboxes"), json_body={"name": name})
    elif what == "RENAME":
        reply = client.request("PATCH", path(f"/mailboxes/{house.box(name)}"),
                               json_body={"name": name + "x"})
    else:
        reply = client.request("DELETE", path(f"/mailboxes/{house.box(name)}"))
    house.proxy.faults = []
    assert reply.status in (200, 202), reply.text
    house.finish(reply.json["operations"])
    expected = {"CREATE": [name], "RENAME": [name + "x"], "DELETE": []}[what]
    assert [each for each in house.other.folders() if re.fullmatch(name + "x?", each)] == expected
    assert house.is_true(), (house.here.listing(), house.other.listing(), house.sync_log())


def test_what_the_server_refuses_is_undone_and_told(house):
    subject, email = house.letter()
    house.other.must(house.other.imap.create("doomed"))
    assert eventually(lambda: house.here.check_now() or "doomed" in house.here.mailboxes(), pause=0.2)
    house.fail_at(Delay(0.2))
    target = house.box("doomed")
    house.other.imap.select("INBOX")
    house.other.must(house.other.imap.delete("doomed"))
    operations = house.here.act(action="move", emailIds=[email], mailboxId=house.box("INBOX"),
                                toId=target)
    house.proxy.faults = []
    if operations:  # the folder was still known here
        house.finish(operations)
        told = house.here.client.get(house.here.path(f"/operations/{operations[0]}")).json
        assert told["state"] == "failed" and told["error"]
    assert house.places(subject) == [("INBOX", ())]
    assert house.is_true()
