"""Many accounts of one mail server: how many connections it gets, how fast they come back, who tries it
while it is down, that no account waits for the others' history; and that people are told how it is, on the
page, in JSON and on the command line."""

import html
import re
import time

import pytest

from tests import harness
from tests.harness import eventually
from tests.mailserver.fakeimap import FakeImap

ACCOUNTS = 9


def letter(number):
    return (f"From: ada@example.org\r\nSubject: m{number}\r\nMessage-ID: <{number}@x>\r\n\r\n"
            f"letter {number}\r\n").encode()


class House:
    """One person with many accounts at a server in memory."""

    def __init__(self, restante, login):
        self.restante, self.login = restante, login
        self.client = restante.client(restante.token(login))

    def add(self, count, fake, name="a"):
        for number in range(count):
            self.restante.command("account", "add", self.login, "--email",
                                  f"{name}{number}@example.org", "--kind", "imap", "--host",
                                  "127.0.0.1", "--port", str(fake.port), "--tls", "none",
                                  "--untested", password="any")

    def accounts(self):
        return self.client.get("/accounts").json["accounts"]

    def page(self, account):
        """What the page shows of an account to the person."""
        browser = self.restante.sign_in(self.login, "a local password")
        answer = browser.get(f"//mail/{account['id']}")
        if answer.status == 303:
            answer = browser.get("/" + answer.headers["Location"])
        return " ".join(re.sub(r"<[^>]*>", " ", html.unescape(answer.text)).split())

    def listed(self):
        return self.restante.command("account", "list", self.login).stdout

    def states(self):
        return [each["sync"]["state"] for each in self.accounts()]

    def all_are(self, state):
        return eventually(lambda: set(self.states()) == {state}, patience=90, pause=0.1)

    def ask_all(self):
        for each in self.accounts():
            self.client.post(f"/accounts/{each['id']}/sync")

    def subjects(self, account):
        boxes = self.client.get(f"/accounts/{account}/mailboxes").json["mailboxes"]
        found = []
        for box in boxes:
            found += [each["subject"] for each in self.client.get(
                f"/accounts/{account}/mailboxes/{box['id']}/emails").json["emails"]]
        return sorted(found)


@pytest.fixture
def fake():
    with FakeImap() as server:
        server.folders["INBOX"].add(letter(1))
        yield server


@pytest.fixture(scope="module")
def service(mailserver, state_folder):
    with harness.Restante(state_folder / "hosts", domains={}, ca_file=mailserver.ca_file,
                          allow_plaintext=True, sync_workers=2, host_connections=5,
                          host_connects_per_second=4) as restante:
        yield restante


@pytest.fixture
def house(fake, service, request):
    house = House(service, service.add_user(request.node.name))
    yield house
    service.command("user", "delete", house.login)


def test_accounts_come_back_one_after_the_other_and_take_turns(fake, house):
    house.add(ACCOUNTS, fake)
    assert house.all_are("current")
    assert "Up to date since " in house.page(house.accounts()[0])
    assert all(each["sync"]["syncedAt"] and each["sync"]["since"] for each in house.accounts())
    assert len(re.findall(r"up to date since \S+Z, looked at \S+Z", house.listed())) == ACCOUNTS
    house.restante.stop()
    before = len(fake.moments)
    with fake.lock:
        fake.most_open = 0
    fake.folders["INBOX"].add(letter(2))
    house.restante.start()
    assert eventually(lambda: all(house.subjects(each["id"]) == ["m1", "m2"]
                                  for each in house.accounts()), patience=90, pause=0.2)
    assert fake.most_open <= 5
    moments = fake.moments[before:]
    assert len(moments) >= ACCOUNTS
    # four are saved up; each of the others costs a quarter of a second
    assert moments[ACCOUNTS - 1] - moments[0] > (ACCOUNTS - 4) * 0.25 * 0.9


def test_a_host_that_is_down_is_tried_by_one_account(fake, house):
    house.add(ACCOUNTS, fake)
    assert house.all_are("current")
    fake.is_down = True
    before = len(fake.moments)
    fake.cut()
    house.ask_all()
    assert house.all_are("unreachable")
    # those under way when it went down, then one at a time; each account by itself makes nine and more
    assert len(fake.moments) - before < ACCOUNTS
    told = house.accounts()
    assert all(each["sync"]["error"] and each["sync"]["hint"] and each["sync"]["nextAt"]
               for each in told)
    since = [each["sync"]["since"] for each in told]
    tries = len(fake.moments)
    assert eventually(lambda: len(fake.moments) > tries, patience=60)
    assert [each["sync"]["since"] for each in house.accounts()] == since  # another try changes nothing
    assert len(re.findall(r"unreachable since \S+Z\n .* Tried again at \S+Z\.",
                          house.listed())) == ACCOUNTS
    page = house.page(told[0])
    assert re.search(r"Server unreachable since \d\d:\d\d; (tried again at \d\d:\d\d|being tried again)",
                     page)
    assert told[0]["sync"]["error"] in page
    fake.is_down = False
    assert house.all_are("current")


def test_a_refused_password_is_the_accounts_own(fake, house):
    house.add(5, fake)
    assert house.all_are("current")
    first = []

    def refuses_one(session, words):
        if not first:
            first.append(session)
        return ["{tag} NO [AUTHENTICATIONFAILED] no"] if session in first else None

    fake.answers["AUTHENTICATE"] = refuses_one
    fake.cut()
    house.ask_all()
    assert eventually(lambda: sorted(house.states()) ==
                      ["current"] * 4 + ["refused"], patience=60, pause=0.1)
    refused = next(each for each in house.accounts() if each["sync"]["state"] == "refused")
    assert "name and the password" in refused["sync"]["hint"]
    page = house.page(refused)
    assert "Stopped: it needs your help." in page and refused["sync"]["hint"] in page
    assert "Check servers and password" in page
    assert re.search(r"refused since \S+Z\n", house.listed()) and \
        refused["sync"]["hint"] in house.listed()


class Slow(FakeImap):
    """A server that takes its time for each piece of history, and knows how many wait for one."""

    def __init__(self):
        super().__init__()
        self.at_once, self.most_at_once, self.pieces = 0, 0, {}
        self.answers["UID FETCH"] = self.take_time
        for number in range(8000):
            self.folders["INBOX"].add(letter(number))

    def take_time(self, session, words):
        with self.lock:
            self.pieces[session] = self.pieces.get(session, 0) + 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.5)
        with self.lock:
            self.at_once -= 1


def test_history_of_large_accounts_does_not_keep_small_ones_waiting(fake, house):
    with Slow() as slow:
        house.add(4, slow, "large")
        large = eventually(lambda: next((each for each in house.accounts()
                                         if 0 < each["sync"]["done"] < each["sync"]["total"]), None),
                           patience=90)
        assert large["sync"]["state"] == "syncing" and large["sync"]["total"] == 8000
        assert re.search(r"Syncing [\d,]+ of 8,000", house.page(large))
        assert re.search(r"syncing since \S+Z, \d+ of 8000 messages", house.listed())
        # each has had its first slice, with its newest mail; what follows is history
        assert eventually(lambda: len(slow.pieces) == 4 and min(slow.pieces.values()) > 5, patience=90)
        house.add(1, fake, "small")
        with slow.lock:
            slow.most_at_once, before = 0, dict(slow.pieces)
        small = next(each for each in house.accounts() if each["email"] == "small0@example.org")
        for number in range(2, 5):
            fake.folders["INBOX"].add(letter(number))
            house.client.post(f"/accounts/{small['id']}/sync")
            assert eventually(lambda: f"m{number}" in house.subjects(small["id"]), patience=60)
        assert eventually(lambda: all(slow.pieces[each] > before[each] for each in before), patience=60)
        # of the two workers one is never theirs
        assert slow.most_at_once == 1
