"""Labels: keywords on the mail server with a name and a colour here; put on and taken off by forms and by
the API, renamed and deleted with all messages that have them, whatever other programs do."""

import re

import pytest

from tests.harness import eventually
from tests.integration.test_conversations import sign_in
from tests.integration.test_organising import hidden
from tests.integration.test_reading import visible
from tests.integration.test_truth import Other


@pytest.fixture
def mail(restante, person, mailserver):
    for name in ("one", "two", "three"):
        person.receive(f"From: Ben <ben@example.org>\nSubject: letter {name}\n\nHello {name}.\n")
    made = sign_in(restante, person, 3)
    made.labels = f"/accounts/{made.account}/labels"
    made.person, made.server = person, mailserver
    made.api = restante.client(restante.token(person.address))
    return made


def upstream(mail, folder="INBOX"):
    """{subject: keywords in small letters} as another program sees them."""
    other = Other(mail.server, mail.person.address)
    found = {}
    for uid in other.uids(folder, read_only=True):
        lines = other.must(other.imap.uid("FETCH", uid, "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        text = b" ".join(part for line in lines for part in (line if isinstance(line, tuple) else [line]))
        flags = re.search(rb"FLAGS \(([^)]*)\)", text).group(1).decode().lower().split()
        subject = re.search(rb"Subject: (.*?)\r\n", text).group(1).decode()
        found[subject] = {flag for flag in flags if not flag.startswith("\\")}
    other.imap.logout()
    return found


def mark(mail, subject, keywords):
    """What another program does."""
    other = Other(mail.server, mail.person.address)
    for uid in other.uids("INBOX"):
        line = other.must(other.imap.uid("FETCH", uid, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))[0]
        if subject.encode() in line[1]:
            other.must(other.imap.uid("STORE", uid, "+FLAGS.SILENT", f"({keywords})"))
    other.imap.logout()


def emails(mail):
    answer = mail.api.get(f"/accounts/{mail.account}/mailboxes/{mail.mailbox}/emails?limit=20")
    return {each["subject"]: each for each in answer.json["emails"]}


def act(mail, keywords, *subjects):
    ids = [emails(mail)[subject]["id"] for subject in subjects]
    answer = mail.api.post(f"/accounts/{mail.account}/actions",
                              {"action": "keywords", "emailIds": ids, "keywords": keywords})
    assert answer.status in (200, 202), answer.text


def ended(mail, bulk_id):
    def done():
        bulk = mail.api.get(f"/accounts/{mail.account}/bulk/{bulk_id}").json
        return bulk["state"] == "done" and bulk
    return eventually(done, patience=60, pause=0.1)


def found(mail, query):
    answer = mail.api.get(f"/accounts/{mail.account}/search?limit=20&q=" + query)
    return sorted(each["subject"] for each in answer.json["emails"])


def test_a_label_is_a_keyword_upstream_and_is_renamed_with_all_its_messages(mail):
    made = mail.api.post(mail.labels, {"name": "Zu tun", "colour": "ochre"})
    assert made.status == 201, made.text
    label = made.json
    assert (label["keyword"], label["colour"], label["bulkId"]) == ("zu_tun", "ochre", None)
    act(mail, {label["keyword"]: True}, "letter one", "letter two")
    assert eventually(lambda: upstream(mail)["letter one"] == {"zu_tun"}, pause=0.3)

    assert mail.api.patch(f"{mail.labels}/{label['id']}", {"colour": "red"}).json["bulkId"] is None
    renamed = mail.api.patch(f"{mail.labels}/{label['id']}", {"name": "Für später"}).json
    assert renamed["keyword"] == "f&apw-r_sp&aoq-ter" and renamed["colour"] == "red"
    assert found(mail, "label:%22f%C3%BCr+sp%C3%A4ter%22") == ["letter one", "letter two"]
    assert ended(mail, renamed["bulkId"])["changed"] == 2
    words = {renamed["keyword"]}
    assert eventually(lambda: upstream(mail) == {"letter one": words, "letter two": words,
                                                 "letter three": set()}, pause=0.3), upstream(mail)
    assert emails(mail)["letter one"]["keywords"].get(renamed["keyword"])
    # another program still uses the old word: it is the same label
    mark(mail, "letter three", "Zu_Tun")
    assert eventually(lambda: len(found(mail, "label:%22f%C3%BCr+sp%C3%A4ter%22")) == 3, pause=0.2)

    gone = mail.api.delete(f"{mail.labels}/{label['id']}")
    assert gone.status == 202 and ended(mail, gone.json["bulkId"])["changed"] == 3
    assert eventually(lambda: set().union(*upstream(mail).values()) == set(), pause=0.3)
    assert mail.api.get(mail.labels).json["labels"] == []


def test_what_is_no_label_is_said(mail):
    def refused(status, **body):
        answer = mail.api.post(mail.labels, body)
        assert answer.status == status and answer.is_problem, answer.text

    mail.api.post(mail.labels, {"name": "Errand"})
    refused(409, name="errand")
    refused(409, name="Junk")
    refused(409, name="x", keyword="$Seen")
    refused(400, name="a \"word\"")
    refused(400, name="x", keyword="no atom")
    refused(400, name="")
    refused(400, name="ä" * 40)
    refused(400, name="x", colour="black")
    answer = mail.api.patch(f"{mail.labels}/999999", {"name": "x"})
    assert answer.status == 404
    made = mail.api.post(mail.labels, {"name": "Other"}).json
    assert mail.api.patch(f"{mail.labels}/{made['id']}", {"name": "ERRAND"}).status == 409


def test_an_account_has_at_most_200_labels_and_says_so(mail, restante):
    answers = [mail.api.post(mail.labels, {"name": f"label {n}"}).status for n in range(200)]
    assert set(answers) == {201}
    more = mail.api.post(mail.labels, {"name": "one too many"})
    assert more.is_problem and "at most 200 labels" in more.json["detail"], more.text


def form(mail, path, after, **fields):
    page = mail.client.get("/" + path)
    return mail.follow(mail.client.post("/" + path if "action" not in fields else "/" + fields.pop("action"),
                                        form={"csrf": hidden(page, "csrf", after)} | fields))


def tags(mail, subject):
    row = next(row for row in mail.page().text.split('<li id="m')[1:] if subject in row)
    return re.findall(r'<span class="tag hue-(\d)">([^<]*)</span>', row.split("</li>")[0])


def test_labels_are_made_put_on_and_taken_off_without_a_script(mail):
    page = form(mail, mail.labels, "A new label", name="Garden", colour="5")
    assert page.status == 200 and "Garden" in visible(page) and "Saved." in visible(page)
    label = mail.api.get(mail.labels).json["labels"][0]
    page = mail.act(email=mail.id_of("letter two"), do="label", label=label["id"])
    assert "1 message labelled." in visible(page)
    assert tags(mail, "letter two") == [("5", "Garden")]
    assert eventually(lambda: upstream(mail)["letter two"] == {"garden"}, pause=0.3)
    mail.undo(page)
    assert tags(mail, "letter two") == []
    assert eventually(lambda: upstream(mail)["letter two"] == set(), pause=0.3)

    page = mail.act(email=mail.id_of("letter two"), do="label", label="")
    assert "Choose a label first." in visible(page)
    mail.act(email=mail.id_of("letter one"), do="label", label=label["id"])
    page = mail.client.get(f"{mail.path}/{mail.id_of('letter one')}")
    assert '<span class="tag hue-5">Garden</span>' in page.text.split('class="letter-head"')[1]
    page = mail.act(email=mail.id_of("letter one"), do="unlabel", label=label["id"])
    assert "1 message without the label now." in visible(page) and tags(mail, "letter one") == []

    page = form(mail, mail.labels, "A new label", action=f"{mail.labels}/{label['id']}",
                name="garden", colour="1")
    assert mail.api.get(mail.labels).json["labels"][0]["colour"] == "blue"
    page = form(mail, mail.labels, "A new label", name="GARDEN", colour="1")
    assert page.status == 409 and "a label of that name already" in visible(page)


def test_keywords_of_other_programs_are_made_labels_and_taken_off(mail):
    mark(mail, "letter three", "Errand $label4")
    assert eventually(lambda: "errand" in {word.lower() for word in emails(mail)["letter three"]["keywords"]},
                      pause=0.2)
    page = mail.client.get("/" + mail.labels)
    words = " ".join(visible(page).split())
    assert "Found in your mail" in words and "To do $label4" in words
    form(mail, mail.labels, "Found in your mail", keyword="errand", colour="2")
    form(mail, mail.labels, "Found in your mail", keyword="$label4", colour="3")
    assert "Found in your mail" not in visible(mail.client.get("/" + mail.labels))
    assert tags(mail, "letter three") == [("2", "errand"), ("3", "To do")]
    label = next(each for each in mail.api.get(mail.labels).json["labels"] if each["name"] == "errand")
    mail.act(email=mail.id_of("letter three"), do="unlabel", label=label["id"])
    assert tags(mail, "letter three") == [("3", "To do")]
    assert eventually(lambda: upstream(mail)["letter three"] == {"$label4"}, pause=0.3)
    page = mail.client.get(f"//search?account={mail.account}&q=label:%22to+do%22")
    assert "letter three" in visible(page) and '<span class="tag hue-3">To do</span>' in page.text
