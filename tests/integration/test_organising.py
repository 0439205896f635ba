"""Marking, moving, deleting and taking back, by forms alone, with a real Dovecot behind."""

import html
import re

import pytest

from tests.harness import eventually
from tests.integration.test_reading import email_links, inbox, page_of, visible


def hidden(page, name, after=""):
    """The value of the first hidden field of that name, behind a text of the page."""
    start = page.text.index(after)
    return html.unescape(re.search(rf'name="{name}"\s+value="([^"]*)"', page.text[start:]).group(1))


class Mail:
    """Somebody's mail, as a browser without scripts uses it."""

    def __init__(self, client, account, mailbox):
        self.client, self.account, self.mailbox = client, account, mailbox

    @property
    def path(self):
        return f"//mail/{self.account}/{self.mailbox}"

    def page(self):
        return self.client.get(self.path)

    def subjects(self):
        return re.findall(r"letter \w+", visible(self.page()))

    def folder(self, name):
        """The same person in another folder."""
        links = re.findall(r'<a class="folder[^>]*href="/mail/\d+/(\d+)".*?folder-name">([^<]*)<',
                           self.page().text, re.S)
        return Mail(self.client, self.account, dict((n, i) for i, n in links)[name])

    def id_of(self, subject):
        for row in self.page().text.split('<li id="m')[1:]:
            if subject in row.split("</li>")[0]:
                return re.match(r"\d+", row).group()
        raise AssertionError(f"{subject} is not in the list")

    def act(self, **fields):
        """Sends the form of a fresh page and follows it."""
        page = self.page()
        sent = {"csrf": hidden(page, "csrf", 'class="list-form"'),
                "key": hidden(page, "key", 'class="list-form"')} | fields
        return self.follow(self.client.post(self.path + "/act", form=sent))

    def follow(self, answer):
        while answer.status in (302, 303):
            answer = self.client.get("/" + answer.headers["Location"].split("#")[0])
        return answer

    def undo(self, page):
        return self.follow(self.client.post(self.path + "/undo", form={
            "csrf": hidden(page, "csrf"), "operations": hidden(page, "operations")}))


def _content(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # Dovecot renames it at this very moment


def flags(person, subject):
    """The Maildir flags of a message on the mail server, and the folder it lies in."""
    for path in person.maildir.rglob("cur/*"):
        if subject.encode() in _content(path):
            folder = path.parent.parent.name
            return path.name.rpartition(",")[2], "INBOX" if folder == "Maildir" else folder.lstrip(".")
    for path in person.maildir.rglob("new/*"):
        if subject.encode() in _content(path):
            return "", "INBOX"
    return None, None


@pytest.fixture
def mail(restante, person):
    for name in ("one", "two", "three"):
        person.receive(f"From: Ben <ben@example.org>\nSubject: letter {name}\n\nHello {name}.\n")
    client = restante.sign_in(person.address, person.password)
    page = inbox(client, 3)
    _, _, account, mailbox, _ = email_links(page)[0].split("/")
    made = Mail(client, account, mailbox)
    assert eventually(lambda: "Trash" in visible(made.page()), pause=0.2)
    return made


def test_opening_a_message_is_told_to_the_mail_server(mail, person):
    page = mail.client.get(f"{mail.path}/{mail.id_of('letter one')}")
    assert page.status == 200
    assert eventually(lambda: "S" in (flags(person, "letter one")[0] or ""), pause=0.2)
    assert "S" not in flags(person, "letter two")[0]


def test_a_link_on_another_site_opens_nothing(mail, person):
    path = f"{mail.path}/{mail.id_of('letter two')}"
    page = mail.client.get(path, headers={"Sec-Fetch-Site": "cross-site",
                                          "Sec-Fetch-Mode": "navigate",
                                          "Sec-Fetch-Dest": "document"})
    assert page.status == 200
    row = mail.page().text.split(f'id="m{mail.id_of("letter two")}"')[1].split("</li>")[0]
    assert "is-unread" in row


def test_stars_and_marks_reach_the_server_and_come_back(mail, person):
    first = mail.id_of("letter one")
    page = mail.act(do=f"star.{first}")
    assert "1 message starred." in visible(page)
    assert eventually(lambda: "F" in (flags(person, "letter one")[0] or ""), pause=0.2)
    page = mail.undo(page)
    assert "Taken back." in visible(page)
    assert eventually(lambda: flags(person, "letter one")[0] == "", pause=0.2)


def test_a_deleted_message_goes_to_trash_and_comes_back(mail, person):
    page = mail.act(do="trash", email=mail.id_of("letter two"))
    assert "1 message moved to Trash." in visible(page)
    assert "letter two" not in mail.subjects()
    assert "letter two" in mail.folder("Trash").subjects()
    assert eventually(lambda: flags(person, "letter two")[1] == "Trash", pause=0.2)
    assert "Taken back." in visible(mail.undo(page))
    assert "letter two" in mail.subjects()
    assert eventually(lambda: flags(person, "letter two")[1] == "INBOX", pause=0.2)


def test_a_move_to_where_it_lies_already_is_no_deletion(mail, person):
    trash = mail.folder("Trash")
    letter = mail.id_of("letter one")
    page = mail.act(do="move", target=mail.mailbox, email=letter)
    assert "They lie in that folder already" in visible(page)
    assert "letter one" in mail.subjects()
    mail.act(do="copy", target=trash.mailbox, email=letter)
    assert "letter one" in trash.subjects() and "letter one" in mail.subjects()
    page = mail.act(do="move", target=trash.mailbox, email=letter)
    assert "1 message moved to Trash." in visible(page)
    assert "letter one" not in mail.subjects() and "letter one" in trash.subjects()
    assert "letter one" in visible(mail.undo(page))


def test_trash_is_emptied_after_being_asked(mail, person):
    mail.act(do="trash", email=mail.id_of("letter three"))
    trash = mail.folder("Trash")
    assert eventually(lambda: flags(person, "letter three")[1] == "Trash", pause=0.2)
    page = trash.act(do="empty")
    assert "This cannot be undone." in visible(page) and "letter three" in trash.subjects()
    page = trash.act(do="empty", sure="1")
    assert "1 message deleted for good." in visible(page) and "Undo" not in visible(page)
    assert trash.subjects() == []
    assert eventually(lambda: flags(person, "letter three") == (None, None), pause=0.2)


def test_a_reloaded_answer_does_nothing_twice(mail):
    page = mail.page()
    form = {"csrf": hidden(page, "csrf"), "key": hidden(page, "key", 'class="list-form"'),
            "email": mail.id_of("letter one"), "do": "trash"}
    first = mail.client.post(mail.path + "/act", form=form)
    again = mail.client.post(mail.path + "/act", form=form)
    assert first.status == again.status == 303
    assert first.headers["Location"] == again.headers["Location"]


def test_a_folder_is_made_filled_renamed_and_deleted(mail, person):
    base = f"//accounts/{mail.account}/folders"
    made = mail.client.submit(base, name="Beds", parent="0")
    assert made.status == 303, visible(made)
    assert eventually(lambda: "Beds" in visible(mail.page()), pause=0.2)
    beds = mail.folder("Beds")
    page = mail.act(do="move", target=beds.mailbox, email=mail.id_of("letter one"))
    assert "1 message moved to Beds." in visible(page)
    assert eventually(lambda: flags(person, "letter one")[1] == "Beds", pause=0.2)
    where = f"{base}/{beds.mailbox}"
    assert mail.client.submit(where, do="rename", name="Borders", parent="0").status == 303
    assert eventually(lambda: "Borders" in visible(mail.page()), pause=0.2)
    assert "letter one" in mail.folder("Borders").subjects()
    where = f"{base}/{mail.folder('Borders').mailbox}"
    assert mail.client.submit(where, do="delete").status == 409
    assert mail.client.submit(where, do="delete", withEmails="1").status == 303
    assert eventually(lambda: "Borders" not in visible(mail.page()), pause=0.2)


def test_folders_stand_in_the_order_that_the_person_chose(mail):
    base = f"//accounts/{mail.account}/folders"

    def shown(name):
        return [line.split("<")[0] for line in mail.client.get("//" + name).text.split('"folder-name">')[1:]]

    def here():
        return [each for each in shown(base[2:]) if each in ("Inbox", "Drafts", "Sent")]

    assert here() == ["Inbox", "Drafts", "Sent"]
    sent = mail.folder("Sent").mailbox
    told = mail.client.submit(base, f"{base}/{sent}", do="up")
    assert told.status == 303 and told.headers["Location"].endswith(f"#f{sent}")
    assert here() == ["Inbox", "Sent", "Drafts"]
    pane = [each for each in shown(mail.path[2:]) if each in ("Inbox", "Drafts", "Sent")]
    assert pane == ["Inbox", "Sent", "Drafts"]  # beside the list, too
    for _ in range(3):  # more than there is room for
        mail.client.submit(base, f"{base}/{sent}", do="up")
    assert here() == ["Sent", "Inbox", "Drafts"]
    mail.client.submit(base, do="sort")
    assert here() == ["Inbox", "Drafts", "Sent"]


def test_a_pop3_account_is_organised_here_alone(restante, new_person):
    person = new_person("example.net")
    person.receive("From: Ben <ben@example.org>\nSubject: letter pop\n\nHello.\n")
    client = restante.sign_in(person.address, person.password)
    _, _, account, mailbox, _ = email_links(inbox(client))[0].split("/")
    mail = Mail(client, account, mailbox)
    page = mail.act(do="trash", email=mail.id_of("letter pop"))
    assert "1 message moved to Trash." in visible(page)
    assert "letter pop" in mail.folder("Trash").subjects()
    assert "letter pop" in visible(mail.undo(page))
    assert mail.client.submit(f"//accounts/{account}/folders", name="Beds", parent="0").status == 303
    assert "Beds" in visible(mail.page())
