"""How often the web role waits for PostgreSQL while it accepts something: accepting is as quick as
these waits and one flush to the disk are."""

import itertools

import pytest

from tests.harness import metric
from tests.integration.test_api import Reader
from tests.integration.test_sending import Writer

LETTER = "From: a@example.org\r\nSubject: one\r\nMessage-ID: <one@accepting>\r\n\r\ntext\r\n"
serial = itertools.count()
TRIES = 5  # statements are prepared in the first; others may come between in any


def waits(restante, ask):
    """How often PostgreSQL was waited for by what `ask` asks for, at the least."""
    def count():
        return metric(restante, "database_round_trips_total")

    def least(ask):
        found = []
        for _ in range(TRIES):
            before = count()
            ask()
            found.append(count() - before)
        return min(found)

    return least(ask) - least(lambda: None)


@pytest.fixture
def reader(restante, person):
    person.receive(LETTER)
    return Reader(restante, person).await_emails(1)


@pytest.fixture
def letter(reader):
    return reader.ids["email"]


def test_a_mark_by_a_program_waits_three_times(restante, reader, letter):
    """Who asks; what there is; all that is written, with its commit."""
    marks = itertools.cycle([True, False])

    def mark():
        answer = reader.api.post(f"{reader.base}/actions", json_body={
            "action": "keywords", "emailIds": [letter], "keywords": {"$flagged": next(marks)}})
        assert answer.json["changed"] == 1, answer.text
    assert waits(restante, mark) == 3


def test_a_mark_on_the_page_waits_four_times(restante, reader, letter):
    """As by a program, and once for the folder."""
    verbs = itertools.cycle(["star", "unstar"])
    place = f"//mail/{reader.account}/{reader.inbox}"
    token = reader.browser.form_token(place)

    def click():
        answer = reader.browser.post(f"{place}/act", form={
            "csrf": token, "email": letter, "do": next(verbs), "key": f"key{next(serial)}"})
        assert answer.status == 303, answer.text
    assert waits(restante, click) == 4


def test_a_message_to_send_waits_five_times(restante, person):
    """Who asks; what there is; the message, whose draft is hidden by it; the commit; the addresses."""
    writer = Writer(restante, person)
    drafts = iter([writer.draft(to=person.address, subject="one", text="text")
                   for _ in range(TRIES)])

    def send():
        writer.send(next(drafts), delaySeconds=60)
    assert waits(restante, send) == 5
