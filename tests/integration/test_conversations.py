"""Lists by conversation: one row each, acted on as a whole, paged like any list; and the view of one."""

import re

import pytest

from tests.harness import eventually
from tests.integration.test_organising import Mail
from tests.integration.test_reading import visible

LETTER = ("From: {who} <{who}@example.org>\nTo: {to}\nSubject: {subject}\nMessage-ID: <{id}@example.org>\n"
          "{references}Date: Mon, 02 Nov 2026 10:{minute:02}:00 +0000\n\nwords {id}\n")


def letter(person, number, who, subject, answers=None):
    references = f"References: <{answers}@example.org>\n" if answers else ""
    person.receive(LETTER.format(who=who, to=person.address, subject=subject, id=f"m{number}",
                                 references=references, minute=number),
                   arrived=1_700_000_000 + 60 * number)


def sign_in(restante, person, count):
    """(the person's Mail, account id, inbox id) once that many messages are there."""
    client = restante.sign_in(person.address, person.password)
    account = eventually(lambda: client.get("/accounts").json["accounts"])[0]["id"]

    def inbox():
        boxes = client.get(f"/accounts/{account}/mailboxes").json["mailboxes"]
        return next((box["id"] for box in boxes
                     if box["role"] == "inbox" and box["totalEmails"] == count), None)

    box = eventually(inbox)
    assert box
    return Mail(client, account, box)


@pytest.fixture
def mail(restante, person):
    """Three messages of one conversation among two others."""
    letter(person, 1, "ann", "the plan")
    letter(person, 2, "ben", "something else")
    letter(person, 3, "ben", "Re: the plan", "m1")
    letter(person, 4, "ann", "Re: the plan", "m3")
    letter(person, 5, "eve", "the end")
    return sign_in(restante, person, 5)


def rows(page):
    """[(words, link, what its box stands for)] of a list's rows."""
    found = []
    for row in re.findall(r'<li id="m\d+" class="row.*?</li>', page.text, re.S):
        words = " ".join(re.sub(r"<[^>]*>", " ", row).split())
        found.append((words, re.search(r'href="([^"]*)"', row).group(1),
                      re.search(r'name="email" value="([^"]*)"', row).group(1)))
    return found


def row_of(page, words):
    return next(row for row in page.text.split("<li ")[1:] if words in row)


def test_a_conversation_is_one_row_with_its_people_and_their_number(mail):
    listed = rows(mail.page())
    assert len(listed) == 3
    assert ["the end" in listed[0][0], "Re: the plan" in listed[1][0], "something else" in listed[2][0]] == \
        [True] * 3
    words, link, ids = listed[1]
    assert "ann, ben , 3 messages" in words and "/thread/" in link and len(ids.split("-")) == 3
    assert "/thread/" not in listed[0][1] and "messages" not in listed[0][0]


def test_a_person_who_wants_single_messages_gets_them(mail):
    page = mail.page()
    here = mail.path[1:]
    answer = mail.client.submit(mail.path, "//settings/lists", conversations="", here=here)
    assert answer.headers["Location"] == here
    assert len(rows(mail.page())) == 5
    assert "List conversations" in mail.client.get("//settings").text
    mail.client.submit(mail.path, "//settings/lists", conversations="1", here=here)
    assert rows(mail.page()) == rows(page)


def test_what_is_done_to_a_row_is_done_to_the_whole_conversation(mail):
    ids = rows(mail.page())[1][2]
    page = mail.act(email=ids, do="read")
    assert "is-unread" not in row_of(page, "Re: the plan")
    assert "is-unread" in row_of(page, "the end")
    emails = mail.client.get(f"/accounts/{mail.account}/mailboxes/{mail.mailbox}/emails").json["emails"]
    seen = {email["subject"]: "$seen" in email["keywords"] for email in emails}
    assert seen == {"the plan": True, "Re: the plan": True, "something else": False, "the end": False}
    page = mail.act(email=ids, do="trash")
    assert "3 messages moved to Trash" in visible(page)
    assert len(rows(page)) == 2
    assert len(rows(mail.undo(page))) == 3


def test_the_view_opens_the_newest_unread_one_and_leads_back_to_its_folder(mail):
    link = rows(mail.page())[1][1]
    page = eventually(lambda: (answer := mail.client.get("/" + link.replace("&amp;", "&")))
                      and "Refresh" not in answer.headers and answer)
    assert page.text.count("<article") == 1 and page.text.count('class="folded') == 2
    assert "words m4" in page.text and f'href="/mail/{mail.account}/{mail.mailbox}"' in page.text
    # it is read now, the others are not: the row is still unread, and opens the next
    assert "is-unread" in row_of(mail.page(), "Re: the plan")
    page = eventually(lambda: (answer := mail.client.get("/" + link.replace("&amp;", "&")))
                      and "Refresh" not in answer.headers and answer)
    assert "words m3" in page.text[page.text.index("<article"):page.text.index("</article>")]


def test_pages_of_conversations_hold_each_once_forward_and_back(restante, person):
    for number in range(1, 59):
        answers = f"m{number - 2}" if number % 2 == 0 and number > 2 else None
        letter(person, number, "ann", f"Re: number {number % 2 or number}" if number % 2 else "Re: even", answers)
    mail = sign_in(restante, person, 58)
    where = f"/accounts/{mail.account}/mailboxes/{mail.mailbox}/emails?collapseThreads=true&limit=7"
    emails, cursor = [], ""
    while True:
        answer = mail.client.get(where + cursor).json
        emails += answer["emails"]
        if not answer["next"]:
            break
        cursor = f"&after={answer['next']}"
    threads = [email["threadId"] for email in emails]
    every = mail.client.get(where.split("?")[0] + "?limit=500").json["emails"]
    assert len(threads) == len(set(threads)) and set(threads) == {email["threadId"] for email in every}
    newest = {}
    for email in every:
        newest.setdefault(email["threadId"], email["id"])
    assert [email["id"] for email in emails] == list(newest.values())
    # and back again
    page = mail.client.get(where + f"&before={answer['previous']}").json
    assert [email["id"] for email in page["emails"]] == \
        [email["id"] for email in emails[-len(answer["emails"]) - 7:-len(answer["emails"])]]
    assert mail.client.get(where.replace("true", "perhaps")).status == 400
