"""Writing in a real browser: with the script a letter saves itself, takes files and pictures; without
it the same form does the same work."""

import os

import pytest

from tests.integration.test_reading import sign_in_browser
from tests.integration.test_sending import PNG, Writer, awaited, received

By = pytest.importorskip("selenium.webdriver.common.by").By


@pytest.fixture
def writer(restante, person):
    return Writer(restante, person)


@pytest.fixture
def files(tmp_path):
    """A file of any bytes and a picture."""
    (tmp_path / "any.bin").write_bytes(os.urandom(300_000))
    (tmp_path / "dot.png").write_bytes(PNG)
    return tmp_path


def state(browser):
    return browser.find_element(By.ID, "compose-state").text


def problems(browser):
    """Of scripts and of the security policy."""
    return [entry for entry in browser.get_log("browser")
            if entry["level"] == "SEVERE" and entry["source"] != "network"]


def test_a_letter_with_file_and_picture_arrives_equal(restante, writer, new_person, browser, files):
    reader = Writer(restante, new_person())
    sign_in_browser(browser, restante, writer.person)
    browser.find_element(By.LINK_TEXT, "Write").click()
    browser.find_element(By.ID, "to").send_keys(reader.person.address)
    browser.find_element(By.ID, "subject").send_keys("Grüße mit Bild")
    browser.find_element(By.ID, "format").click()
    editor = browser.find_element(By.ID, "editor")
    editor.send_keys("Hallo, hier ist ein Bild: ")
    browser.find_element(By.ID, "picture").send_keys(str(files / "dot.png"))
    awaited(lambda: editor.find_elements(By.CSS_SELECTOR, "img[src*='/attachment/']"))
    assert awaited(lambda: browser.execute_script(
        "return document.querySelector('#editor img').naturalWidth")) == 1
    browser.find_element(By.ID, "files").send_keys(str(files / "any.bin"))
    awaited(lambda: any("any.bin" in row.text and "Remove" in row.text
                        for row in browser.find_elements(By.CSS_SELECTOR, "#attachments li")))
    awaited(lambda: state(browser) == "Saved")
    assert "/compose/" in browser.current_url  # reloading shows the draft
    browser.find_element(By.CSS_SELECTOR, "#delay option[value='0']").click()
    browser.find_element(By.CSS_SELECTOR, "button[value='send']").click()
    assert awaited(lambda: "Outbox" in browser.title)
    message, = awaited(lambda: received(writer.person._mailserver, reader.person))
    parts = {part.get_content_type(): part for part in message.walk()}
    assert message["Subject"] == "Grüße mit Bild"
    assert parts["image/png"].get_content() == PNG
    cid = parts["image/png"]["Content-ID"].strip("<>")
    assert f'src="cid:{cid}"' in parts["text/html"].get_content()
    assert "Hallo, hier ist ein Bild:" in parts["text/plain"].get_content()
    assert parts["application/octet-stream"].get_content() == (files / "any.bin").read_bytes()
    assert [e["subject"] for e in awaited(lambda: reader.emails("inbox"))] == ["Grüße mit Bild"]
    assert not problems(browser)


def test_a_letter_saves_itself_and_is_found_in_another_browser(restante, writer, browser):
    sign_in_browser(browser, restante, writer.person)
    browser.get(f"{restante.url}/mail/{writer.account}/compose")
    browser.find_element(By.ID, "subject").send_keys("half a thought")
    browser.find_element(By.ID, "text").send_keys("not yet finished")
    draft, = awaited(lambda: writer.emails("drafts"))
    assert draft["subject"] == "half a thought"
    assert awaited(lambda: "not yet finished" in writer.api.get(
        f"{writer.base}/drafts/{draft['id']}").json["text"])
    assert not problems(browser)


def test_an_address_is_completed(restante, writer, new_person, browser):
    friend = new_person()
    writer.until(writer.send(writer.draft(to=f"Grace Hopper <{friend.address}>", subject="x", text="x")),
                 "filed")
    sign_in_browser(browser, restante, writer.person)
    browser.get(f"{restante.url}/mail/{writer.account}/compose")
    to = browser.find_element(By.ID, "to")
    to.send_keys("hop")
    awaited(lambda: browser.find_elements(By.CSS_SELECTOR, ".completion li"))
    to.send_keys("\ue015\ue007")  # down, enter
    assert to.get_property("value") == f"Grace Hopper <{friend.address}>, "


def test_without_script_the_same_form_sends(restante, writer, new_person, browser, files):
    reader = new_person()
    sign_in_browser(browser, restante, writer.person)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(f"{restante.url}/mail/{writer.account}/compose")
        assert not browser.find_elements(By.ID, "format")
        browser.find_element(By.ID, "to").send_keys(reader.address)
        browser.find_element(By.ID, "subject").send_keys("plain")
        browser.find_element(By.ID, "text").send_keys("Grüße")
        browser.find_element(By.ID, "files").send_keys(str(files / "any.bin"))
        browser.find_element(By.CSS_SELECTOR, "#delay option[value='0']").click()
        browser.find_element(By.CSS_SELECTOR, "button[value='send']").click()
        message, = awaited(lambda: received(writer.person._mailserver, reader))
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    text, file = message.iter_parts()
    assert text.get_content().strip() == "Grüße"
    assert file.get_content() == (files / "any.bin").read_bytes()
