"""Messages out of the way until a time: from folders, conversations and searches, in IMAP and POP3
accounts, taken back, and back by themselves with the server away too."""

import datetime
import re

import pytest

from tests.harness import eventually
from tests.integration.test_bulk import PASSWORD, House, press
from tests.integration.test_organising import Mail
from tests.integration.test_reading import email_links, inbox, visible
from tests.integration.test_truth import Other

LAMPS = 3  # of all that are there at first


@pytest.fixture(scope="module")
def house(state_folder):
    with House(state_folder / "snoozing", 3 * LAMPS) as made:
        yield made


def snoozed(house):
    """Where each comes back to, by its id."""
    listed = house.client.get(house.here.path("/snoozed")).json["snoozed"]
    return {each["emailId"]: each["mailboxId"] for each in listed}


def in_folder(house, path):
    return {each["id"] for each in house.here.emails(house.box(path)["id"])}


def test_what_a_search_finds_is_snoozed_and_taken_back(house):
    page = house.browser.get("//search?q=lamps")
    first = re.search(r'name="email" value="(\d+\.\d+)"', page.text).group(1)
    _, email = first.split(".")
    page = press(house, page, "/search/act", do="snooze", email=first, until="own", at="2020-01-01T08:00")
    assert "Choose a time that lies ahead." in visible(page) and not snoozed(house)
    page = press(house, page, "/search/act", do="snooze", email=first, until="tomorrow")
    assert "1 message snoozed." in visible(page)
    assert snoozed(house) == {email: house.box("INBOX")["id"]}
    page = press(house, page, "/search/act", do="snooze", email=first, until="week")
    assert "Snoozed until another time now." in visible(page)
    assert snoozed(house) == {email: house.box("INBOX")["id"]}
    page = press(house, house.browser.get(f"//mail/{house.here.account}/snoozed"),
                 f"/mail/{house.here.account}/snoozed/{email}/end")
    assert eventually(lambda: not snoozed(house), patience=60, pause=0.2)


def test_everything_that_a_search_finds_comes_back_to_where_each_lay(house):
    lamps = {each["id"] for each in house.client.get(house.here.path("/search?q=lamps")).json["emails"]}
    assert len(lamps) == LAMPS
    away = sorted(lamps)[0]
    house.here.act(action="move", emailIds=[away], mailboxId=house.box("INBOX")["id"],
                   toId=house.box("Archive")["id"])
    page = house.browser.get("//search?q=lamps")
    page = press(house, page, "/search/act", do="snooze", all="1", until="tomorrow")
    shown = "/" + page.url.removeprefix(house.restante.url)

    def told():
        fresh = house.browser.get(shown)
        return f"{LAMPS} messages snoozed." in visible(fresh) and fresh

    page = eventually(told, patience=60, pause=0.2)
    assert page, (house.client.get(house.here.path("/bulk")).json, house.log())
    assert in_folder(house, "Snoozed") == lamps
    places = snoozed(house)
    assert {each for each, box in places.items() if box == house.box("Archive")["id"]} == {away}
    assert {each for each, box in places.items() if box == house.box("INBOX")["id"]} == lamps - {away}

    # taken back it lies where it lay, and nothing is snoozed any more
    undo = re.search(r'action="(/mail/\d+/bulk/\d+/undo)', page.text).group(1)
    press(house, page, undo)
    assert eventually(lambda: in_folder(house, "Archive") == {away}, patience=60, pause=0.2)
    assert eventually(lambda: lamps - {away} < in_folder(house, "INBOX"), patience=60, pause=0.2)
    assert not snoozed(house) and not in_folder(house, "Snoozed")

    # a program asks for the same by a filter; each returns by itself
    asked = {"filter": {"query": "lamps"}, "until": soon(2)}
    made = house.client.post(house.here.path("/snoozed"), asked)
    assert made.status == 202 and made.json["until"] == asked["until"][:19] + "Z", made.text
    house.finish(made.json)
    assert eventually(lambda: in_folder(house, "Archive") == {away}
                      and lamps - {away} < in_folder(house, "INBOX"), patience=60, pause=0.2)
    house.here.act(action="move", emailIds=[away], mailboxId=house.box("Archive")["id"],
                   toId=house.box("INBOX")["id"])


def test_a_whole_folder_is_snoozed_and_taken_back(house):
    box = house.box("INBOX")
    path = f"/mail/{house.here.account}/{box['id']}"
    page = press(house, house.browser.get("/" + path), path + "/act", do="snooze", all="1", until="week")
    assert f"{box['totalEmails']} messages snoozed." in visible(page)
    assert len(snoozed(house)) == box["totalEmails"] and not in_folder(house, "INBOX")
    page = press(house, page, path + "/undo")
    assert "Taken back." in visible(page)
    assert not snoozed(house) and len(in_folder(house, "INBOX")) == box["totalEmails"]


def test_in_a_pop3_account_it_waits_here_and_is_taken_back(house):
    user = house.server.add_user("pia@example.net", PASSWORD)
    house.server.deliver(user.address, b"From: Ben <ben@example.org>\r\nSubject: letter pop\r\n\r\nHi.\r\n")
    browser = house.restante.sign_in(user.address, PASSWORD)
    client = house.restante.client(house.restante.token(user.address))
    _, _, account, mailbox, email = email_links(inbox(browser))[0].split("/")
    mail = Mail(browser, account, mailbox)

    def waiting():
        return [each["emailId"] for each in client.get(f"/accounts/{account}/snoozed").json["snoozed"]]

    page = mail.act(do="snooze", email=email, until="tomorrow")
    assert "1 message snoozed." in visible(page) and waiting() == [email]
    assert mail.folder("Snoozed").subjects() == ["letter pop"] and not mail.subjects()
    page = mail.undo(page)
    assert "Taken back." in visible(page)
    assert mail.subjects() == ["letter pop"] and not waiting()

    mail.client.get(f"{mail.path}/{email}")  # read by now
    made = client.post(f"/accounts/{account}/snoozed", {"emailIds": [email], "until": soon(1)})
    assert made.status == 200, made.text
    assert eventually(lambda: mail.subjects() == ["letter pop"], patience=60, pause=0.2)
    found = client.get(f"/accounts/{account}/emails/{email}").json
    assert "$seen" not in found["keywords"] and not waiting()


def soon(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_snoozed_message_comes_back_unread_and_on_top_after_a_restart_too(house):
    inbox, client, path = house.box("INBOX"), house.client, house.here.path
    before = inbox["totalEmails"]
    for _ in range(3):
        Other(house.server, "ada@example.org").append("INBOX")
    house.here.check_now()
    assert eventually(lambda: house.box("INBOX")["totalEmails"] == before + 3, pause=0.2)
    last = house.here.emails(inbox["id"])[-1]["id"]
    house.here.act(action="keywords", emailIds=[last], keywords={"$seen": True})
    body = {"emailIds": [last], "mailboxId": inbox["id"], "until": soon(3600)}
    assert client.post(path("/snoozed"), body).status == 200
    assert last not in [each["id"] for each in house.here.emails(inbox["id"])]
    assert house.is_upstream("Snoozed", 1)
    listed = client.get(path("/snoozed")).json["snoozed"]
    assert [each["emailId"] for each in listed] == [last] and listed[0]["until"] == body["until"][:19] + "Z"
    page = house.browser.get(f"//mail/{house.here.account}/snoozed")
    assert "Bring back now" in visible(page)

    assert client.post(path("/snoozed"), body | {"until": soon(1), "mailboxId": None}).status == 200
    house.restante.kill("sync")
    top = eventually(lambda: [each for each in house.here.emails(inbox["id"])[:1] if each["id"] == last],
                     patience=60, pause=0.3)
    assert top and "$seen" not in top[0]["keywords"]
    assert client.get(path("/snoozed")).json["snoozed"] == []
    assert house.is_upstream("Snoozed", 0)
    assert client.post(path("/snoozed"), body | {"until": "2020-01-01T00:00:00Z"}).status == 400


def test_snoozing_from_a_page_and_bringing_back(house):
    inbox = house.box("INBOX")
    path = f"/mail/{house.here.account}/{inbox['id']}"
    page = house.browser.get("/" + path)
    first = house.here.emails(inbox["id"])[0]["id"]
    told = press(house, page, path + "/act", do="snooze", email=first, until="own", at="2020-01-01T08:00")
    assert "lies ahead" in visible(told)
    told = press(house, page, path + "/act", do="snooze", email=first, until="tomorrow", zone="Asia/Tokyo")
    assert " snoozed." in visible(told)
    until = house.client.get(house.here.path("/snoozed")).json["snoozed"][0]["until"]
    assert until.endswith("T23:00:00Z")  # eight in the morning in Tokyo
    press(house, house.browser.get(f"//mail/{house.here.account}/snoozed"),
          f"/mail/{house.here.account}/snoozed/{first}/end")
    assert eventually(lambda: house.here.emails(inbox["id"])[0]["id"] == first, patience=60, pause=0.3)

    # a whole conversation, from its page
    thread = house.here.emails(inbox["id"])[0]["threadId"]
    page = house.browser.get(f"//mail/{house.here.account}/thread/{thread}")
    told = press(house, page, path + "/act", do="snooze", thread=thread, until="week")
    assert " snoozed." in visible(told)
    assert first in [each["emailId"] for each in house.client.get(house.here.path("/snoozed")).json["snoozed"]]


def test_snoozed_mail_comes_back_with_the_server_away_but_what_others_took_out_stays(house):
    inbox, path = house.box("INBOX"), house.here.path
    other = Other(house.server, "ada@example.org")
    for _ in range(2):
        other.append("INBOX")
    house.here.check_now()
    total = inbox["totalEmails"] + 2
    assert eventually(lambda: house.box("INBOX")["totalEmails"] == total, patience=60, pause=0.2)
    stays, comes = [each["id"] for each in house.here.emails(inbox["id"])[:2]]
    waiting = house.upstream("Snoozed")
    for each in (stays, comes):
        body = {"emailIds": [each], "mailboxId": inbox["id"], "until": soon(3600)}
        assert house.client.post(path("/snoozed"), body).status == 200
    assert house.is_upstream("Snoozed", waiting + 2)
    # somebody else finds one of them a place of its own: back in the inbox, below the newest
    house.here.act(action="move", emailIds=[stays], mailboxId=house.box("Snoozed")["id"], toId=inbox["id"])
    other = Other(house.server, "ada@example.org")
    other.append("INBOX")
    house.here.check_now()
    assert house.is_upstream("Snoozed", waiting + 1)
    assert eventually(lambda: house.box("INBOX")["totalEmails"] == total, patience=60, pause=0.2)
    house.server.dovecot.stop()
    for each in (stays, comes):
        house.client.delete(path(f"/snoozed/{each}"))

    def listed():
        ids = [each["id"] for each in house.here.emails(inbox["id"])]
        return ids[0] == comes and ids

    top = eventually(listed, patience=60, pause=0.3)
    assert top and top[1] != stays and stays in top
    house.server.dovecot.start()
    house.here.check_now()
    assert house.is_upstream("Snoozed", waiting)
