"""Writing in a real browser: with the script a letter saves itself, takes files and pictures; without
it the same form does the same work."""

import base64
import os
import re

import pytest

from tests.integration.test_compose_formatted import formatted
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


def test_an_answer_shows_and_takes_along_what_it_quotes(restante, writer, new_person, browser):
    reader, email_id = Writer(restante, new_person()), formatted(writer)
    sign_in_browser(browser, restante, writer.person)
    browser.get(f"{restante.url}/mail/{writer.account}/compose?reply={email_id}")
    browser.find_element(By.ID, "format").click()  # nothing is typed yet: quoted as it looks
    editor = awaited(lambda: browser.find_elements(By.ID, "editor"))[0]
    assert editor.find_element(By.CSS_SELECTOR, "blockquote b").text == "fett"
    assert awaited(lambda: browser.execute_script(
        "return document.querySelector('#editor img').naturalWidth")) == 1
    editor.send_keys("Eine ")
    browser.find_element(By.CSS_SELECTOR, "[aria-label='Bold']").click()
    editor.send_keys("Antwort")
    browser.find_element(By.ID, "to").clear()
    browser.find_element(By.ID, "to").send_keys(reader.person.address)
    awaited(lambda: state(browser) == "Saved")
    assert browser.find_elements(By.CSS_SELECTOR, "#attachments li[data-cid]")
    browser.refresh()  # the draft, opened again
    assert awaited(lambda: browser.execute_script(
        "return document.querySelector('#editor img').naturalWidth")) == 1
    browser.find_element(By.CSS_SELECTOR, "#editor img").click()
    about = browser.find_element(By.CSS_SELECTOR, ".editor-alt input")
    assert about.get_property("value") == "a dot"
    about.send_keys(", red")
    browser.find_element(By.CSS_SELECTOR, "#delay option[value='0']").click()
    browser.find_element(By.CSS_SELECTOR, "button[value='send']").click()
    message, = awaited(lambda: received(writer.person._mailserver, reader.person))
    parts = {part.get_content_type(): part for part in message.walk()}
    letter = parts["text/html"].get_content()
    assert re.match(r"<div>Eine[\xa0 ]<b>Antwort</b>", letter) and "a dot, red" in letter
    assert parts["text/plain"].get_content().startswith("Eine Antwort")
    assert "> Grüße fett" in parts["text/plain"].get_content()
    assert parts["image/png"].get_content() == PNG
    assert message["In-Reply-To"] == "<look@example.org>"
    assert not problems(browser)


def test_plain_text_becomes_formatted_and_plain_again(restante, writer, browser):
    sign_in_browser(browser, restante, writer.person)
    browser.get(f"{restante.url}/mail/{writer.account}/compose")
    text = browser.find_element(By.ID, "text")
    text.send_keys("one\n> quoted\n>> twice\n\n<b>")
    browser.find_element(By.ID, "format").click()
    editor = browser.find_element(By.ID, "editor")
    assert editor.find_element(By.CSS_SELECTOR, "blockquote blockquote").text == "twice"
    assert not editor.find_elements(By.TAG_NAME, "b")
    browser.find_element(By.ID, "plain").click()
    browser.switch_to.alert.accept()
    assert text.get_property("value") == "one\n> quoted\n>> twice\n\n<b>"
    assert not problems(browser)


def test_what_is_pasted_is_made_safe_and_undone(restante, writer, browser):
    sign_in_browser(browser, restante, writer.person)
    browser.get(f"{restante.url}/mail/{writer.account}/compose")
    browser.find_element(By.ID, "format").click()
    editor = browser.find_element(By.ID, "editor")
    picture = base64.b64encode(PNG).decode()
    browser.execute_script("""
        const data = new DataTransfer();
        data.setData("text/html", arguments[0]);
        const root = document.getElementById("editor");
        root.focus();
        root.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
    """, "<p onclick='x()' style='color:red'>in <i>style</i><script>window.pwned = 1</script>"
         f"<img src=x onerror='window.pwned = 1'><img id=kept src='data:image/png;base64,{picture}'></p>")
    assert awaited(lambda: editor.find_elements(By.TAG_NAME, "i"))[0].text == "style"
    awaited(lambda: editor.find_elements(By.CSS_SELECTOR, "img[data-cid]"))
    kept = browser.execute_script("return document.getElementById('html').value")
    assert "script" not in kept and "onclick" not in kept and 'src="cid:' in kept
    assert not browser.execute_script("return window.pwned")
    editor.send_keys(" more")
    editor.send_keys("\ue009z\ue000")  # control, z
    awaited(lambda: "more" not in editor.text)


def test_files_and_pictures_are_dropped(restante, writer, browser):
    sign_in_browser(browser, restante, writer.person)
    browser.get(f"{restante.url}/mail/{writer.account}/compose")
    drop = """
        const data = new DataTransfer();
        const bytes = Uint8Array.from(atob(arguments[2]), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], arguments[1], {type: arguments[3]}));
        document.getElementById(arguments[0]).dispatchEvent(
            new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
    """
    picture = base64.b64encode(PNG).decode()
    browser.execute_script(drop, "compose", "plan.bin", base64.b64encode(b"abc").decode(), "")
    awaited(lambda: any("plan.bin" in row.text and "Remove" in row.text
                        for row in browser.find_elements(By.CSS_SELECTOR, "#attachments li")))
    browser.find_element(By.ID, "format").click()
    browser.execute_script(drop, "editor", "dot.png", picture, "image/png")
    awaited(lambda: browser.find_elements(By.CSS_SELECTOR, "#editor img[src*='/attachment/']"))
    about = browser.find_element(By.CSS_SELECTOR, ".editor-alt input")
    assert about.is_displayed()  # what it shows is asked for at once
    about.send_keys("a red dot")
    draft, = awaited(lambda: writer.emails("drafts"))
    kept = lambda: writer.api.get(f"{writer.base}/drafts/{draft['id']}").json  # noqa: E731
    awaited(lambda: 'alt="a red dot"' in kept()["html"])
    assert [(a["name"], bool(a.get("cid"))) for a in kept()["attachments"]] == [
        ("plan.bin", False), ("dot.png", True)]
    assert not problems(browser)


def test_the_signature_follows_the_sender(restante, writer, browser):
    one, = writer.api.get(f"{writer.base}/identities").json["identities"]
    writer.api.request("PATCH", f"{writer.base}/identities/{one['id']}",
                       json_body={"textSignature": "First", "htmlSignature": "<p><i>First</i></p>"})
    writer.api.post(f"{writer.base}/identities", json_body={
        "name": "Second", "email": "second@example.org", "textSignature": "Second\nof two"})
    sign_in_browser(browser, restante, writer.person)
    where = f"{restante.url}/mail/{writer.account}/compose"
    choose = lambda n: browser.find_elements(By.CSS_SELECTOR, "#identity option")[n].click()  # noqa: E731
    browser.get(where)
    text = browser.find_element(By.ID, "text")
    text.send_keys("\ue009\ue011\ue000mine")  # control, home
    choose(1)
    assert text.get_property("value") == "mine\n\n-- \nSecond\nof two\n"
    choose(0)
    assert text.get_property("value") == "mine\n\n-- \nFirst\n"
    browser.get(where + "?as=html")
    editor = awaited(lambda: browser.find_elements(By.ID, "editor"))[0]
    assert editor.find_element(By.TAG_NAME, "i").text == "First"
    choose(1)
    assert editor.text.strip().endswith("--\nSecond\nof two") and "First" not in editor.text
    choose(0)
    assert editor.text.strip().endswith("--\nFirst") and "Second" not in editor.text
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


def test_what_is_typed_last_is_saved_on_leaving(restante, writer, browser):
    sign_in_browser(browser, restante, writer.person)
    browser.get(f"{restante.url}/mail/{writer.account}/compose")
    browser.find_element(By.ID, "subject").send_keys("left at once")
    browser.get(f"{restante.url}/settings")
    draft, = awaited(lambda: writer.emails("drafts"))
    assert draft["subject"] == "left at once"


def test_two_windows_are_told_of_each_other_and_nothing_is_lost(restante, writer, browser):
    draft = writer.draft(subject="both", text="first")
    where = f"{writer.base}/drafts/{draft['id']}"
    sign_in_browser(browser, restante, writer.person)
    browser.get(f"{restante.url}/mail/{writer.account}/compose/{draft['id']}")
    writer.api.put(where, {"text": "from elsewhere", "revision": draft["revision"]})
    browser.find_element(By.ID, "text").send_keys(" and mine")
    note = awaited(lambda: browser.find_elements(By.ID, "behind"))[0]
    assert "another window" in note.text
    browser.find_element(By.ID, "text").send_keys(", more")
    assert writer.api.get(where).json["text"] == "from elsewhere"
    note.find_element(By.TAG_NAME, "button").click()
    awaited(lambda: writer.api.get(where).json["text"].endswith("and mine, more"))
    assert not browser.find_elements(By.ID, "behind") and state(browser) == "Saved"


def test_a_draft_outlives_a_crash_and_signing_out(restante, writer, browser):
    sign_in_browser(browser, restante, writer.person)
    browser.get(f"{restante.url}/mail/{writer.account}/compose")
    browser.find_element(By.ID, "subject").send_keys("survivor")
    awaited(lambda: state(browser) == "Saved")
    where = browser.current_url
    restante.kill("web")
    awaited(lambda: writer.api.get("/session").status == 200)
    browser.delete_all_cookies()
    browser.find_element(By.ID, "text").send_keys("typed while signed out")
    awaited(lambda: "signed out" in state(browser))
    sign_in_browser(browser, restante, writer.person)
    browser.get(where)
    assert browser.find_element(By.ID, "subject").get_property("value") == "survivor"


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
