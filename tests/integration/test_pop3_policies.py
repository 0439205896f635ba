"""What becomes of mail on a POP3 server, as people and programs decide it: asked before the first
removal, told where it is chosen, changed later, and folders that are only here."""

import html
import re

import pytest

from tests.harness import eventually
from tests.integration.test_organising import Mail
from tests.integration.test_pop3 import (PASSWORD, Account, account, letter, maildrop,  # noqa: F401
                                         subjects)
from tests.mailserver import faults


def visible(page):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text)))


@pytest.fixture
def undecided(restante, maildrop):
    """Made by a program that did not say what becomes of mail upstream."""
    return Account(restante, maildrop.proxy.port, maildrop.person.address, pop3Days=14)


@pytest.fixture
def browser(restante, undecided):
    return restante.sign_in(undecided.login, "a local password")


# --- before the first removal --------------------------------------------------------------------------


def test_nothing_is_removed_before_somebody_agreed(undecided, maildrop):
    maildrop.receive(*subjects(5))
    undecided.check_now()
    undecided.check_now()
    assert undecided.subjects() == subjects(5)
    assert maildrop.count() == 5
    told = undecided._get()
    assert told["pop3Policy"] == "remove" and told["pop3MayRemove"] is False


def test_a_person_is_asked_beside_the_mail_and_agrees(undecided, maildrop, browser):
    maildrop.receive(*subjects(5))
    undecided.check_now()
    page = browser.get(browser.get(f"//mail/{undecided.id}").headers["Location"].replace("/", "//", 1))
    assert "Nothing is removed from the mail server yet." in visible(page)
    assert "From then on it exists only here." in visible(page)
    assert maildrop.count() == 5
    answer = browser.post(f"//accounts/{undecided.id}/pop3", form={
        "csrf": re.search(r'name="csrf" value="([^"]*)"', page.text).group(1),
        "pop3": "remove", "mail": "1"})
    assert answer.status == 303
    assert eventually(lambda: maildrop.count() == 0, pause=0.3)  # at once, not with the next look
    undecided.settled()
    assert undecided.subjects() == subjects(5)
    page = browser.get(browser.get(f"//mail/{undecided.id}").headers["Location"].replace("/", "//", 1))
    assert "Nothing is removed" not in visible(page)


def test_a_person_is_asked_and_leaves_all_there(undecided, maildrop, browser):
    maildrop.receive(*subjects(3))
    undecided.check_now()
    page = f"//accounts/{undecided.id}"
    assert "Nothing is removed from the mail server yet." in visible(browser.get(page))
    assert browser.submit(page, f"{page}/pop3", pop3="leave").status == 303
    undecided.check_now()
    assert maildrop.count() == 3
    assert "Nothing is removed" not in visible(browser.get(page))
    assert undecided._get()["pop3Policy"] == "leave"


def test_another_policy_on_the_page_of_settings_is_asked_about_too(undecided, maildrop, browser):
    page = f"//accounts/{undecided.id}"
    browser.submit(page, f"{page}/pop3", pop3="leave")
    maildrop.receive(*subjects(3))
    undecided.check_now()
    saved = browser.submit(page, name="Mine", pop3="remove-deleted", pop3Days="5", pop3MaxMb="20",
                           pollSeconds="60")
    assert saved.status == 303
    asked = visible(browser.get(page))
    assert "when you delete it here for good. Is that right?" in asked
    told = undecided._get()
    assert told["pop3Policy"] == "remove-deleted" and told["pop3MayRemove"] is False
    assert told["pop3Days"] == 5 and told["pop3MaxBytes"] == 20_000_000
    undecided.act("destroy", undecided.emails()[0])
    undecided.check_now()
    assert maildrop.count() == 3
    browser.submit(page, f"{page}/pop3", pop3="remove-deleted")
    assert eventually(lambda: maildrop.count() == 2, pause=0.3)  # what was deleted before, too


@pytest.mark.parametrize("words, notice, may_remove", [
    ([], "stay on the server until the person confirms", False),
    (["--pop3-policy", "leave"], "Messages stay on the server.", False),
    (["--pop3-policy", "remove"], "is removed from the server once it is stored here", True)])
def test_the_command_says_what_becomes_of_mail(restante, maildrop, words, notice, may_remove):
    login = restante.add_user(f"cli-{maildrop.person.address.split('@')[0]}")
    said = restante.command("account", "add", login, "--email", maildrop.person.address, "--kind", "pop3",
                            "--host", "127.0.0.1", "--port", str(maildrop.proxy.port), *words,
                            password=PASSWORD)
    assert notice in said.stdout.replace("\n", " ")
    api = restante.client(restante.token(login))
    (made,) = api.get("/accounts").json["accounts"]
    assert made["pop3MayRemove"] is may_remove
    assert made["pop3Policy"] == (words or [None, "remove"])[1]


def test_the_command_refuses_a_policy_that_is_none(restante, maildrop):
    login = restante.add_user(f"cli-{maildrop.person.address.split('@')[0]}")
    said = restante.command("account", "add", login, "--email", "a@example.org", "--kind", "pop3",
                            "--host", "127.0.0.1", "--pop3-policy", "keep", password=PASSWORD, check=False)
    assert said.returncode != 0 and "remove-deleted" in said.stderr


def test_the_page_of_servers_asks_what_becomes_of_mail(restante, maildrop):
    login = restante.add_user(f"page-{maildrop.person.address.split('@')[0]}")
    browser = restante.sign_in(login, "a local password")
    page = browser.get("//accounts/new?manual=1")
    assert "Each message is removed from the server once it is stored here" in visible(page)
    maildrop.receive(*subjects(2))
    answer = browser.submit("//accounts/new?manual=1", "//accounts/new", email=maildrop.person.address,
                            password=PASSWORD, kind="pop3", host="127.0.0.1", tls="implicit",
                            port=str(maildrop.proxy.port), username="", smtpHost="", smtpPort="",
                            smtpTls="implicit", smtpUsername="", pop3="remove-after", pop3Days="30",
                            name="")
    assert answer.status == 303, answer.text
    (made,) = restante.client(restante.token(login)).get("/accounts").json["accounts"]
    assert (made["pop3Policy"], made["pop3Days"], made["pop3MayRemove"]) == ("remove-after", 30, True)


# --- another policy later ------------------------------------------------------------------------------


def test_a_change_to_leaving_holds_for_what_is_there(account, maildrop):
    account.set(pop3Policy="remove-after", pop3Days=5)
    maildrop.receive(*subjects(4))
    account.check_now()
    assert maildrop.count() == 4
    account.set(pop3Policy="leave", pop3Days=0)
    account.check_now()
    assert account.subjects() == subjects(4) and maildrop.count() == 4


def test_a_change_to_removing_takes_what_was_left_and_deleted(account, maildrop):
    account.set(pop3Policy="leave")
    maildrop.receive(*subjects(4))
    account.check_now()
    account.act("destroy", account.emails()[0])
    account.check_now()
    assert maildrop.count() == 4
    account.set(pop3Policy="remove-deleted")
    assert eventually(lambda: maildrop.count() == 3, pause=0.3)
    account.set(pop3Policy="remove")
    assert eventually(lambda: maildrop.count() == 0, pause=0.3)
    assert len(account.subjects()) == 3


def test_what_is_deleted_while_the_server_is_down_goes_there_later(account, maildrop):
    account.set(pop3Policy="remove-deleted")
    maildrop.receive(*subjects(3))
    account.check_now()
    maildrop.proxy.faults = [faults.Refuse()]
    account.act("destroy", account.emails()[0])
    account.ask()
    assert eventually(lambda: account.sync["state"] == "unreachable", pause=0.2)
    assert maildrop.count() == 3
    maildrop.proxy.faults = []
    assert eventually(lambda: account.ask() or maildrop.count() == 2, patience=60, pause=0.5)
    account.settled()
    assert len(account.subjects()) == 2


def test_a_message_goes_there_once_the_trash_is_emptied(account, maildrop):
    account.set(pop3Policy="remove-deleted")
    maildrop.receive(*subjects(3))
    account.check_now()
    first = account.emails()[0]
    account.act("trash", first)
    account.check_now()
    assert maildrop.count() == 3  # it can still be taken back
    account.act("destroy", first)
    account.check_now()
    assert maildrop.count() == 2


def test_the_button_that_empties_the_trash_removes_it_there(restante, account, maildrop):
    account.set(pop3Policy="remove-deleted")
    maildrop.receive(*subjects(3))
    account.check_now()
    for email in account.emails()[:2]:
        account.act("trash", email)
    browser = restante.sign_in(account.login, "a local password")
    trash = Mail(browser, account.id, folder(account, role="trash")["id"])
    assert "Empty Trash" in visible(trash.page())
    assert "Empty Trash?" in visible(trash.act(do="empty"))
    account.check_now()
    assert maildrop.count() == 3  # asked, not done
    trash.act(do="empty", sure="1")
    assert listed(account, folder(account, role="trash")) == []
    account.check_now()
    assert maildrop.count() == 1 and len(account.emails()) == 1


# --- larger than wanted --------------------------------------------------------------------------------


def test_a_page_shows_the_beginning_and_offers_the_rest(restante, account, maildrop):
    account.set(pop3MaxBytes=10000)
    maildrop.receive("large", size=100000)
    account.check_now()
    (large,) = account.emails()
    browser = restante.sign_in(account.login, "a local password")
    page = f"//mail/{account.id}/{folder(account, role='inbox')['id']}/{large['id']}"
    shown = browser.get(page)
    assert "Only the beginning of this message is here" in visible(shown)
    assert "All work and no play" in visible(shown)
    account.check_now()
    assert maildrop.count() == 1  # looking at it fetched nothing
    offered = html.unescape(re.search(r'href="([^"]*)">Download the rest', shown.text).group(1))
    whole = eventually(lambda: (found := browser.get("/" + offered)) and
                       visible(found).count("dull boy") > 2000 and found, pause=0.3)
    assert whole and "Only the beginning" not in visible(whole)
    account.check_now()
    assert maildrop.count() == 0
    assert account.raw(large) == letter("large", 100000)


def test_a_program_gets_the_rest_by_asking_for_the_whole_message(account, maildrop):
    account.set(pop3MaxBytes=10000)
    maildrop.receive("large", size=100000)
    account.check_now()
    (large,) = account.emails()
    path = f"/accounts/{account.id}/emails/{large['id']}"
    told = account.api.get(f"{path}?bodyValues=text").json
    assert told["preview"].startswith("All work") and told["bodyStructure"] is None
    account.check_now()
    assert maildrop.count() == 1  # looking at it fetched nothing
    assert account.raw(large) == letter("large", 100000)
    told = account.api.get(f"{path}?bodyValues=text").json
    assert told["bodyStructure"]["type"] == "text/plain"
    (value,) = told["bodyValues"].values()
    assert value["value"].count("dull boy") > 2000


def test_what_was_asked_for_and_is_gone_meanwhile_is_said(account, maildrop):
    account.set(pop3MaxBytes=10000)
    maildrop.receive("large", size=100000)
    account.check_now()
    (large,) = account.emails()
    other = maildrop.client()
    other.dele(1)
    other.quit()
    answer = account.api.get(f"/accounts/{account.id}/emails/{large['id']}/raw")
    assert answer.is_problem and "no longer has this message" in answer.json["detail"]


# --- folders that are only here ------------------------------------------------------------------------


def folder(account, **found):
    name, value = next(iter(found.items()))
    return next((box for box in account._get("/mailboxes")["mailboxes"] if box[name] == value), None)


def listed(account, box):
    return sorted(email["subject"] for email in account._get(f"/mailboxes/{box['id']}/emails")["emails"])


@pytest.mark.parametrize("button, name", [("archive", "Archive"), ("junk", "Junk"), ("trash", "Trash")])
def test_archive_junk_and_trash_have_their_buttons_and_folders(restante, account, maildrop, button, name):
    maildrop.receive("one", "two")
    account.check_now()
    browser = restante.sign_in(account.login, "a local password")
    mail = Mail(browser, account.id, folder(account, role="inbox")["id"])
    assert f'value="{button}"' in mail.page().text
    page = mail.act(do=button, email=mail.id_of("one"))
    assert "1 message" in visible(page) and "Undo" in visible(page)
    assert account.subjects() == ["two"]
    assert listed(account, folder(account, name=name)) == ["one"]
    mail.undo(page)
    assert account.subjects() == ["one", "two"]


def test_an_archive_that_was_deleted_can_be_made_anew(account):
    path = f"/accounts/{account.id}/mailboxes"
    old = folder(account, role="archive")
    assert account.api.delete(f"{path}/{old['id']}").status in (200, 202, 204)
    assert not folder(account, role="archive")
    assert account.api.post(path, {"name": "archive"}).status in (200, 201, 202)
    assert folder(account, role="archive")["name"] == "archive"
    assert account.api.post(path, {"name": "Archive"}).status in (200, 201, 202)
    assert folder(account, name="Archive")["role"] is None


def test_folders_of_ones_own_are_made_nested_renamed_and_deleted(account, maildrop):
    path = f"/accounts/{account.id}/mailboxes"
    assert account.api.post(path, {"name": "Garden"}).status in (200, 201, 202)
    garden = folder(account, name="Garden")
    assert account.api.post(path, {"name": "Beds", "parentId": garden["id"]}).status in (200, 201, 202)
    beds = folder(account, name="Beds")
    assert beds["parentId"] == garden["id"]
    maildrop.receive("plan")
    account.check_now()
    (email,) = account.emails()
    moved = account.api.post(f"/accounts/{account.id}/actions",
                             {"action": "move", "emailIds": [email["id"]], "toId": beds["id"]})
    assert moved.status in (200, 202), moved.text
    assert listed(account, beds) == ["plan"] and account.subjects() == []
    renamed = account.api.patch(f"{path}/{beds['id']}", {"name": "Borders", "parentId": None})
    assert renamed.status in (200, 202), renamed.text
    assert listed(account, folder(account, name="Borders")) == ["plan"]
    account.check_now()
    assert account.subjects() == [] and maildrop.count() == 0  # known, wherever it lies
    assert account.api.delete(f"{path}/{beds['id']}").status == 409
    assert account.api.delete(f"{path}/{beds['id']}?withEmails=true").status in (200, 202, 204)
    assert not folder(account, name="Borders")
