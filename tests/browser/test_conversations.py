"""A conversation in a list, with the script: its box, its star and its keys stand for all of it."""

import pytest

from tests.harness import eventually
from tests.integration.test_conversations import letter, sign_in

pytest.importorskip("selenium.webdriver")


def test_a_row_is_put_away_and_comes_back_with_all_of_its_messages(restante, person, browser):
    letter(person, 1, "ann", "the plan")
    letter(person, 2, "ben", "Re: the plan", "m1")
    letter(person, 3, "eve", "the end")
    mail = sign_in(restante, person, 3)
    browser.get(restante.url + "/sign-in")
    for cookie in mail.client.cookies:
        browser.add_cookie({"name": cookie.name, "value": cookie.value})
    browser.get(restante.url + mail.path[1:])

    def rows():
        return browser.execute_script(
            "return [...document.querySelectorAll('.rows > .row .row-subject')].map((e) => e.textContent.trim())")

    def total(role):
        boxes = mail.client.get(f"/accounts/{mail.account}/mailboxes").json["mailboxes"]
        return next(box["totalEmails"] for box in boxes if box["role"] == role)

    assert rows() == ["the end", "Re: the plan"]
    browser.execute_script("document.querySelectorAll('.row-pick input')[1].click();"
                           "document.querySelector('.bulk [value=trash]').click();")
    assert eventually(lambda: rows() == ["the end"] and total("trash") == 2)
    notice = browser.find_element("css selector", ".notices").text
    assert "2 messages moved to Trash" in notice
    browser.find_element("css selector", ".notice button.is-quiet").click()
    assert eventually(lambda: rows() == ["the end", "Re: the plan"] and total("inbox") == 3)
    browser.execute_script("document.querySelectorAll('.row > a')[1].click()")
    assert eventually(lambda: "/thread/" in browser.current_url)
    assert len(browser.find_elements("css selector", ".conversation article")) == 1

    def folded():
        return browser.execute_script(
            "return [...document.querySelectorAll('.conversation > li')].map((li) => li.id + "
            "(li.querySelector('article') ? ' open' : '') + (li.contains(document.activeElement) ? ' here' : ''))")

    def press(key):
        browser.switch_to.active_element.send_keys(key)

    assert eventually(lambda: browser.execute_script("return document.readyState") == "complete")
    first, second = [each.split()[0] for each in folded()]
    press("k")
    assert eventually(lambda: folded() == [f"{first} here", f"{second} open"])
    letter(person, 4, "zoe", "Re: the plan", "m2")  # seen at once; the open one stays, and the focus
    assert eventually(lambda: len(folded()) == 3)
    assert folded()[:2] == [f"{first} here", f"{second} open"]
    press("j")
    press("j")
    assert folded()[2].endswith("here")
    press("o")
    assert eventually(lambda: any(each.endswith("open") and second not in each for each in folded()))
    press("?")
    assert browser.find_element("id", "keys").is_displayed()
    browser.execute_script("document.getElementById('keys').close()")
    press("#")
    assert eventually(lambda: "3 messages moved to Trash" in browser.find_element("css selector", ".notices").text)
    assert rows() == ["the end"]
    browser.find_element("css selector", ".notice button.is-quiet").click()
    assert eventually(lambda: rows() == ["Re: the plan", "the end"] and total("inbox") == 4)
