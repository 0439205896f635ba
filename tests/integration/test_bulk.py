"""Acting on everything that a search or a folder has: accepted as one row, carried out in the
background in batches, each message once, whatever dies meanwhile."""

import html
import re

import pytest

from tests import harness
from tests.harness import eventually
from tests.integration.test_reading import visible
from tests.integration.test_truth import PASSWORD, Here, Other
from tests.mailserver.mailserver import MailServer

COUNT = 2400  # more than two batches
BULK = "/bulk/"


class House:
    """Somebody with many messages: every third is about lamps, and half of all are read."""

    def __init__(self, folder, count=COUNT):
        self.folder, self.count = folder, count

    def __enter__(self):
        self.server = MailServer().__enter__()
        user = self.server.add_user("ada@example.org", PASSWORD)
        writer = self.server.writer(user.address)
        for n in range(self.count):
            about = "lamps" if n % 3 == 0 else "beds"
            writer.add(f"From: Ben <ben@example.org>\nSubject: {about} {n}\n"
                       f"Message-ID: <{n}@example.org>\n\nHello.\n"
                       .replace("\n", "\r\n").encode(), flags=("\\Seen",) if n % 2 else ())
        self.restante = harness.Restante(
            self.folder / "service", ca_file=self.server.ca_file,
            domains={"example.org": harness.domain("imap", self.server),
                     "example.net": harness.domain("pop3", self.server)}).start()
        self.browser = self.restante.sign_in(user.address, PASSWORD)
        self.client = self.restante.client(self.restante.token(user.address))
        self.here = Here(self.client)
        assert eventually(lambda: "INBOX" in self.here.mailboxes()
                          and self.box("INBOX")["totalEmails"] == self.count, patience=120, pause=0.2)
        return self

    def __exit__(self, *exception):
        self.restante.stop()
        self.server.__exit__(*exception)

    def box(self, path):
        return self.here.mailboxes()[path]

    def act(self, key=None, **body):
        answer = self.client.post(self.here.path("/actions"), body,
                                  headers={"Idempotency-Key": key} if key else {})
        assert answer.status == 202, answer.text
        return answer.json

    def bulk(self, made):
        return self.client.get(self.here.path(BULK + made["id"])).json

    def finish(self, made, state="done"):
        assert eventually(lambda: self.bulk(made)["state"] == state, patience=120, pause=0.1), \
            (self.bulk(made), self.log())
        return self.bulk(made)

    def log(self):
        lines = self.restante.log.read_text().splitlines()
        return [line for line in lines if "route=" not in line][-40:]

    def upstream(self, folder):
        """A connection of its own: the server is stopped now and then. A new folder is there later."""
        other = Other(self.server, "ada@example.org")
        return len(other.uids(folder)) if folder in other.folders() else 0

    def is_upstream(self, folder, count):
        return eventually(lambda: self.upstream(folder) == count, patience=120, pause=0.3)


@pytest.fixture(scope="module")
def house(state_folder):
    with House(state_folder / "bulk") as made:
        yield made


def test_everything_that_a_search_finds_is_moved_once_though_the_process_is_killed(house):
    inbox, archive = house.box("INBOX"), house.box("Archive")
    made = house.act(action="move", toId=archive["id"],
                     filter={"query": "lamps", "mailboxId": inbox["id"]})
    assert made["state"] == "running" and made["total"] is None
    house.restante.kill("sync")
    ended = house.finish(made)
    assert (ended["total"], ended["done"], ended["changed"]) == (800, 800, 800)
    assert house.box("INBOX")["totalEmails"] == COUNT - 800
    assert house.box("Archive")["totalEmails"] == 800
    assert house.is_upstream("Archive", 800) and house.upstream("INBOX") == COUNT - 800

    back = house.client.post(house.here.path(f"{BULK}{made['id']}/undo"))
    assert back.status == 202, back.text
    house.finish(back.json)
    assert house.box("INBOX")["totalEmails"] == COUNT
    assert house.is_upstream("Archive", 0) and house.upstream("INBOX") == COUNT


def test_a_folder_is_marked_and_what_was_done_since_stands(house):
    inbox = house.box("INBOX")
    first = house.here.emails(inbox["id"])[0]
    made = house.act(action="keywords", keywords={"$flagged": True, "errand": True},
                     filter={"mailboxId": inbox["id"]})
    ended = house.finish(made)
    assert ended["total"] == COUNT and ended["changed"] == COUNT
    found = house.client.get(house.here.path("/search?q=is:starred+label:errand&limit=100"))
    assert len(found.json["emails"]) == 100
    house.here.act(action="keywords", emailIds=[first["id"]], keywords={"$flagged": False})
    assert house.box("INBOX")["totalEmails"] == COUNT


def test_a_repeated_request_is_the_same_one(house):
    inbox = house.box("INBOX")
    body = {"action": "keywords", "keywords": {"$seen": True},
            "filter": {"query": "is:unread", "mailboxId": inbox["id"]}}
    made = house.act("again", **body)
    assert house.act("again", **body)["id"] == made["id"]
    ended = house.finish(made)
    assert ended["changed"] == COUNT // 2
    assert house.box("INBOX")["unreadEmails"] == 0


def test_with_the_mail_server_away_it_is_seen_here_and_waits(house):
    inbox, trash = house.box("INBOX"), house.box("Trash")
    house.server.dovecot.stop()
    made = house.act(action="trash", filter={"query": "beds", "mailboxId": inbox["id"]})
    house.finish(made)
    assert house.box("Trash")["totalEmails"] == 1600 and house.box("INBOX")["totalEmails"] == 800
    house.server.dovecot.start()
    house.here.check_now()
    assert house.is_upstream("Trash", 1600) and house.upstream("INBOX") == 800
    assert trash["totalEmails"] == 0


def test_what_cannot_be_is_said(house):
    def refused(status, **body):
        answer = house.client.post(house.here.path("/actions"), body)
        assert answer.status == status and answer.is_problem, answer.text
        return answer.json["detail"]

    assert "no folder" in refused(400, action="trash", filter={"query": "in:nowhere"})
    refused(400, action="trash", filter={})
    refused(400, action="trash", filter={"query": "lamps"}, emailIds=["1"])
    refused(404, action="trash", filter={"mailboxId": "99999999"})
    refused(404, action="move", toId="99999999", filter={"query": "lamps"})
    destroyed = house.act(action="destroy", filter={"query": "lamps 3"})
    house.finish(destroyed)
    answer = house.client.post(house.here.path(f"{BULK}{destroyed['id']}/undo"))
    assert answer.status == 409 and "cannot come back" in answer.json["detail"]
    answer = house.client.post(house.here.path(f"{BULK}{destroyed['id']}/cancel"))
    assert answer.status == 409


def follow(house, answer):
    while answer.status in (302, 303):
        answer = house.browser.get("/" + answer.headers["Location"].split("#")[0])
    return answer


def press(house, page, action, **fields):
    """Sends the form of a page that leads to `action`, as a browser without scripts does."""
    form = page.text.split(f'action="{action}')[1]
    rest, form = form.split('"', 1)
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.split("</form>")[0])
    sent = {name: html.unescape(value) for name, value in hidden} | fields
    return follow(house, house.browser.post("/" + action + html.unescape(rest), form=sent))


def test_pages_act_on_everything_tell_how_far_it_is_and_take_it_back(house):
    box = house.box("INBOX")
    path = f"/mail/{house.here.account}/{box['id']}"
    page = house.browser.get("/" + path)
    assert f"All {box['totalEmails']} in Inbox" in visible(page)
    page = press(house, page, path + "/act", do="unread", all="1")
    assert "arking as unread" in visible(page) or "messages marked as unread" in visible(page)

    def told():
        fresh = house.browser.get("/" + path)
        return "messages marked as unread." in visible(fresh) and fresh

    page = eventually(told, patience=60, pause=0.3)
    assert house.box("INBOX")["unreadEmails"] == box["totalEmails"]
    undo = re.search(rf'action="(/mail/{house.here.account}/bulk/\d+/undo)', page.text).group(1)
    press(house, page, undo)
    assert eventually(lambda: house.box("INBOX")["unreadEmails"] == 0, patience=60, pause=0.3)
    assert "Taken back." in visible(house.browser.get("/" + path))


def test_a_search_page_acts_on_what_is_chosen_and_on_all_it_finds(house):
    page = house.browser.get("//search?q=lamps")
    first = re.search(r'name="email" value="(\d+\.\d+)"', page.text).group(1)
    page = press(house, page, "/search/act", do="archive", email=first)
    assert "1 message archived." in visible(page), visible(page)
    assert house.box("Archive")["totalEmails"] == 1
    page = press(house, page, "/search/undo")
    assert "Taken back." in visible(page)
    assert house.box("Archive")["totalEmails"] == 0
    page = press(house, page, "/search/act", do="archive", all="1")
    assert "bulk=1" in page.url and "Moving to Archive" in visible(page) or "moved" in visible(page)
    count = house.box("INBOX")["totalEmails"]
    assert eventually(lambda: house.box("Archive")["totalEmails"] == count, patience=60, pause=0.3)
