"""Reading and organising in a real Chromium: nothing on the console, nothing that the
Content-Security-Policy refused, every control named."""

import json
import os
from pathlib import Path

import pytest

from tests.harness import eventually

By = pytest.importorskip("selenium.webdriver.common.by").By
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
from selenium.common.exceptions import (NoSuchElementException,  # noqa: E402
                                        StaleElementReferenceException)
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402

# What a screen reader would stumble over. Contrast is not looked at here.
AUDIT = """
const bad = [];
const say = (what, element) => bad.push(what + ": " + element.outerHTML.slice(0, 160));
const seen = (element) => element.getClientRects().length > 0;
const words = (element) => {
  const by = element.getAttribute("aria-labelledby");
  if (by) return by.split(/\\s+/).map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
  const label = element.getAttribute("aria-label") ?? "";
  if (label.trim()) return label;
  if (element.labels?.length) return [...element.labels].map((l) => l.textContent).join(" ").trim();
  const inner = [...element.querySelectorAll("[aria-label], img[alt]")]
    .map((e) => e.getAttribute("aria-label") ?? e.alt).join(" ");
  return (element.textContent + " " + inner + " " + (element.title ?? "")).trim();
};
for (const element of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, iframe, dialog, nav, form[aria-label]"))
  if (seen(element) && !words(element)) say("no name", element);
const ids = new Set();
for (const element of document.querySelectorAll("[id]")) {
  if (ids.has(element.id)) say("id twice", element);
  ids.add(element.id);
}
for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"])
  for (const element of document.querySelectorAll("[" + name + "]"))
    for (const id of element.getAttribute(name).split(/\\s+/))
      if (!document.getElementById(id)) say("names nothing", element);
for (const label of document.querySelectorAll("label[for]"))
  if (!document.getElementById(label.htmlFor)) say("label of nothing", label);
for (const image of document.querySelectorAll("img:not([alt])")) say("no alt", image);
for (const svg of document.querySelectorAll("svg:not([aria-hidden=true]):not([aria-label])")) say("unnamed picture", svg);
for (const button of document.querySelectorAll("a a, a button, button a, label button")) say("nested", button);
if (document.querySelectorAll("main").length !== 1) bad.push("not one main");
if (document.querySelectorAll("h1").length !== 1) bad.push("not one h1");
if (!document.documentElement.lang) bad.push("no language");
if (!document.title) bad.push("no title");
if (document.documentElement.scrollWidth > innerWidth + 1) bad.push("wider than the window");
for (const element of document.querySelectorAll("[tabindex]"))
  if (element.tabIndex > 0) say("tab order", element);
return bad;
"""


# What a finger would miss: below 44 pixels (WCAG 2.5.5), but for links within a text.
TOUCH = """
const seen = (element) => element.getClientRects().length > 0 && !element.closest(".unseen, .skip")
  && getComputedStyle(element).visibility !== "hidden";
const isWithinText = (element) => element.matches("a") && getComputedStyle(element).display === "inline";
return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, textarea")]
  .filter((element) => seen(element) && !isWithinText(element))
  .map((element) => [element, (element.closest("label") ?? element).getBoundingClientRect()])
  .filter(([, box]) => box.width < 43.9 || box.height < 43.9)
  .map(([element, box]) => `${box.width}x${box.height}: ${element.outerHTML.slice(0, 120)}`);
"""


class Screen:
    """A person's mail in a browser."""

    def __init__(self, browser, url):
        self.browser, self.url = browser, url

    def all(self, css):
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        return self.browser.find_element(By.CSS_SELECTOR, css)

    def row(self, subject):
        for row in self.all(".row"):
            if subject in row.text:
                return row
        return None

    def subjects(self):
        """In one look: rows may be drawn anew between two."""
        return self.browser.execute_script(
            "return [...document.querySelectorAll('.row-subject')].map((each) => each.innerText.trim())")

    def notice(self):
        return " ".join(each.text for each in self.all(".notice"))

    def until(self, check, why=""):
        """Waits for what happens by itself; rows are drawn anew meanwhile."""
        def patient():
            try:
                return check()
            except (StaleElementReferenceException, NoSuchElementException):
                return None
        found = eventually(patient, patience=90, pause=0.05)
        assert found, f"{why} never came; notice: {self.notice()!r}; {self.subjects()}"
        return found

    def press(self, keys):
        self.one("body").send_keys(keys) if len(keys) > 1 else \
            ActionChains(self.browser).send_keys(keys).perform()

    def keep(self, name):
        """A picture to look at, where RESTANTE_SCREENSHOTS says."""
        if folder := os.environ.get("RESTANTE_SCREENSHOTS"):
            self.browser.save_screenshot(str(Path(folder) / f"{name}.png"))

    def audit(self):
        assert self.browser.execute_script(AUDIT) == []

    def assert_quiet(self):
        """Nothing went wrong that only the console would tell."""
        told = [each["message"] for each in self.browser.get_log("browser")
                if each["level"] in ("SEVERE", "WARNING")]
        assert told == []


@pytest.fixture
def screen(restante, person, browser):
    """Signed in, with four messages in the inbox."""
    for name in ("one", "two", "three", "four"):
        person.receive(f"From: Ben Okri <ben@example.org>\nTo: {person.address}\n"
                       f"Subject: letter {name}\n\nHello {name}, https://example.org/\n")
    browser.set_window_size(1280, 900)
    browser.get(f"{restante.url}/sign-in")
    made = Screen(browser, restante.url)
    made.person = person
    made.one("[name=name]").send_keys(person.address)
    made.one("[name=password]").send_keys(person.password)
    made.one("button.is-primary").click()
    made.until(lambda: len(made.all(".row")) == 4 and len(made.all(".folders li")) > 3, "the mail")
    # The first look is over once the folders' counts stand still.
    made.until(lambda: "Up to date" in made.one(".side-account.is-current").text, "the first sync")
    yield made
    made.assert_quiet()


def server_flags(person, subject):
    for path in person.maildir.rglob("cur/*"):
        if subject.encode() in path.read_bytes():
            return path.name.rpartition(",")[2]
    return ""


def test_a_message_is_opened_and_read(screen):
    screen.keep("inbox")
    screen.audit()
    screen.row("letter two").find_element(By.CSS_SELECTOR, "a").click()
    screen.until(lambda: "Hello two" in screen.one(".letter").text, "the text")
    assert "is-unread" not in screen.row("letter two").get_attribute("class")
    screen.keep("message")
    screen.audit()
    assert eventually(lambda: "S" in server_flags(screen.person, "letter two"))


def test_a_star_is_set_without_a_page_load_and_taken_back(screen):
    screen.browser.execute_script("window.sameDocument = true")
    star = screen.row("letter one").find_element(By.CSS_SELECTOR, ".row-star")
    screen.browser.execute_script("arguments[0].click()", star)
    screen.until(lambda: "1 message starred." in screen.notice(), "the notice")
    assert screen.row("letter one").find_elements(By.CSS_SELECTOR, ".row-star .is-star")
    assert eventually(lambda: "F" in server_flags(screen.person, "letter one"))
    screen.keep("starred")
    screen.audit()
    screen.one(".notice button.is-quiet").click()
    screen.until(lambda: "Taken back." in screen.notice(), "the way back")
    screen.until(lambda: not screen.row("letter one").find_elements(
        By.CSS_SELECTOR, ".row-star .is-star"), "the empty star")
    assert screen.browser.execute_script("return window.sameDocument")


def choose(screen, *subjects):
    for subject in subjects:
        box = screen.row(subject).find_element(By.CSS_SELECTOR, ".row-pick input")
        ActionChains(screen.browser).move_to_element(box).click().perform()


def test_chosen_messages_are_deleted_and_come_back(screen):
    choose(screen, "letter one", "letter three")
    screen.until(lambda: "2 chosen" in screen.one(".bulk").text, "the count")
    screen.keep("chosen")
    screen.audit()
    screen.one(".bulk [value=trash]").click()
    screen.until(lambda: "2 messages moved to Trash." in screen.notice(), "the notice")
    screen.until(lambda: sorted(screen.subjects()) == ["letter four", "letter two"], "the list")
    screen.one(".notice button.is-quiet").click()
    screen.until(lambda: len(screen.subjects()) == 4, "the messages")


def test_a_message_is_moved_to_a_folder(screen):
    choose(screen, "letter four")
    screen.one(".bulk .menu summary").click()
    screen.keep("move")
    screen.audit()
    screen.one('#bulk-target').send_keys("Archive")
    screen.one(".bulk [value=move]").click()
    screen.until(lambda: "1 message moved to Archive." in screen.notice(), "the notice")
    screen.until(lambda: "letter four" not in screen.subjects(), "the list")


def test_shift_chooses_all_between_and_a_box_chooses_all(screen):
    first, *_, last = screen.all(".row-pick input")
    actions = ActionChains(screen.browser)
    actions.move_to_element(first).click().perform()
    actions.key_down(Keys.SHIFT).move_to_element(last).click().key_up(Keys.SHIFT).perform()
    screen.until(lambda: "4 chosen" in screen.one(".bulk").text, "the count")
    screen.one(".bulk-all").click()
    screen.until(lambda: not screen.one(".bulk").is_displayed(), "nothing chosen")


def test_keys_do_what_buttons_do(screen):
    screen.press("?")
    screen.until(lambda: screen.one("#keys").is_displayed(), "the help")
    screen.keep("keys")
    screen.audit()
    screen.press(Keys.ESCAPE)  # until the help is gone, keys are its own
    screen.until(lambda: not screen.one("#keys").is_displayed(), "the page")
    top = screen.subjects()[0]
    screen.press("j")
    # a menu that a key opened leads back to the row, and what is chosen stays so
    screen.press("x")
    screen.press("v")
    assert screen.browser.switch_to.active_element.get_attribute("id") == "bulk-target"
    screen.press(Keys.ESCAPE)
    assert not screen.all(".bulk details[open]") and "1 chosen" in screen.one(".bulk").text
    assert screen.browser.execute_script("return !!document.activeElement.closest('.row')")
    screen.press(Keys.ESCAPE)
    screen.until(lambda: not screen.one(".bulk").is_displayed(), "nothing chosen")
    screen.press("s")
    screen.until(lambda: "1 message starred." in screen.notice(), "the star")
    screen.press("#")
    screen.until(lambda: "1 message moved to Trash." in screen.notice(), "the deletion")
    screen.until(lambda: top not in screen.subjects(), "the list")
    screen.press("o")
    screen.until(lambda: screen.all(".letter"), "the message")
    screen.press("u")
    screen.until(lambda: not screen.all(".letter"), "the list")


def test_deleting_the_open_message_leads_to_the_list_with_a_way_back(screen):
    screen.row("letter two").find_element(By.CSS_SELECTOR, "a").click()
    screen.until(lambda: screen.all(".actions"), "the buttons")
    screen.one(".actions [value=trash]").click()
    screen.until(lambda: "1 message moved to Trash." in screen.notice(), "the notice")
    assert not screen.all(".letter") and "letter two" not in screen.subjects()
    assert "done=" not in screen.browser.current_url
    screen.one(".notice button.is-quiet").click()
    screen.until(lambda: "letter two" in screen.subjects(), "the message")


def test_new_mail_appears_by_itself(screen):
    screen.browser.execute_script("window.sameDocument = true")
    screen.person.receive("From: Ben <ben@example.org>\nSubject: letter five\n\nNews.\n")
    screen.one('form[action$="/sync"] button')  # the server is asked by its own timer or IDLE
    screen.browser.execute_async_script("""
        const [done] = arguments, root = document.querySelector(".mail").dataset;
        fetch(`/api/v1/accounts/${root.account}/sync`,
              {method: "POST", headers: {"X-CSRF-Token": root.csrf}}).then(() => done());""")
    screen.until(lambda: "letter five" in screen.subjects(), "the new message")
    assert screen.browser.execute_script("return window.sameDocument")


def test_an_action_that_fails_is_put_back_and_told(screen):
    screen.browser.execute_cdp_cmd("Network.enable", {})
    screen.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/actions"]})
    try:
        choose(screen, "letter four")
        screen.one(".bulk [value=trash]").click()
        screen.until(lambda: "cannot be reached" in screen.notice(), "the problem")
        assert "letter four" in screen.subjects()
        screen.audit()
    finally:
        screen.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        screen.browser.get_log("browser")  # the failed request is told there, too


def test_phones_see_one_pane_and_all_buttons(screen):
    screen.browser.set_window_size(500, 800)
    screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})
    try:
        screen.browser.refresh()
        screen.keep("phone-list")
        screen.audit()
        choose(screen, "letter one")
        screen.keep("phone-chosen")
        screen.audit()
        screen.row("letter two").find_element(By.CSS_SELECTOR, "a").click()
        screen.until(lambda: screen.all(".actions"), "the buttons")
        assert screen.one(".actions [value=trash]").is_displayed()
        assert not screen.one(".list").is_displayed()
        screen.keep("phone-message")
        screen.audit()
    finally:
        screen.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        screen.browser.set_window_size(1280, 900)


def test_folders_are_kept_on_a_page_of_their_own(screen):
    account = screen.one(".mail").get_attribute("data-account")
    screen.browser.get(f"{screen.url}/accounts/{account}/folders")
    screen.keep("folders")
    screen.audit()
    screen.one("#folder-name").send_keys("Beds")
    screen.one("button.is-primary").click()
    screen.until(lambda: "Beds" in screen.one("main").text, "the folder")
    screen.browser.find_element(By.PARTIAL_LINK_TEXT, "Beds").click()
    screen.keep("folder")
    screen.audit()


def test_every_page_is_named_and_fits_desk_and_phone(screen):
    data = screen.one(".mail")
    account, inbox = (data.get_attribute(f"data-{name}") for name in ("account", "mailbox"))
    email = screen.row("letter one").get_attribute("id")[1:]
    pages = ["/sign-in", "/accounts", "/accounts/new", f"/accounts/{account}", "/settings",
             f"/accounts/{account}/servers", f"/accounts/{account}/delete",
             f"/accounts/{account}/folders", f"/accounts/{account}/senders",
             f"/accounts/{account}/labels", f"/mail/{account}/snoozed",
             f"/accounts/{account}/folders/{inbox}", f"/mail/{account}/refused", "/search?q=letter",
             f"/mail/{account}/{inbox}/{email}", f"/mail/{account}/compose", "/contacts",
             f"/mail/{account}/compose?reply={email}", f"/mail/{account}/outbox", "/nowhere"]
    bad = {}
    for width, height in ((1280, 900), (390, 844)):
        screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
        screen.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled",
                                       {"enabled": width < 500})
        for page in pages:
            screen.browser.get(screen.url + page)
            screen.keep(f"{width}{page.replace('/', '-').replace('?', '-')}")
            found = screen.browser.execute_script(AUDIT)
            if width < 500:
                found += screen.browser.execute_script(TOUCH)
            if found:
                bad[f"{page} at {width}"] = found
    screen.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    screen.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    told = [each for each in screen.browser.get_log("browser")
            if "404" not in each["message"]]  # of /nowhere
    assert bad == {} and told == []


def test_what_can_be_done_with_the_chosen_is_one_row(screen):
    def tops():
        return screen.browser.execute_script(
            """return [...new Set([...document.querySelector(".bulk").children]
                 .filter((each) => each.getClientRects().length).map((each) => {
                   const box = each.getBoundingClientRect();
                   return Math.round(box.top + box.height / 2);
                 }))]""")

    choose(screen, "letter one", "letter three")
    screen.browser.execute_script('document.querySelector(".bulk-number").textContent = "50"')
    try:
        for width in (360, 390, 820, 1024, 1280, 1600):
            screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500})
            screen.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": width < 500})
            screen.keep(f"chosen-{width}")
            assert len(tops()) == 1, width
        screen.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": 360, "height": 844, "deviceScaleFactor": 1, "mobile": True})
        screen.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
        screen.one(".bulk [aria-label=More]").click()
        for part in screen.all(".bulk .is-more > details > summary"):
            part.click()
        screen.keep("more-360")
        assert screen.browser.execute_script(TOUCH) == []
        screen.audit()
        assert screen.browser.execute_script(
            "return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    finally:
        screen.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        screen.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_pages_need_no_script(screen):
    screen.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        screen.browser.refresh()
        choose(screen, "letter three")
        screen.one(".bulk [value=trash]").click()
        screen.until(lambda: "1 message moved to Trash." in screen.notice(), "the notice")
        assert "letter three" not in screen.subjects()
        screen.one(".notice form button").click()
        screen.until(lambda: "letter three" in screen.subjects(), "the message")
    finally:
        screen.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_dark_pages_look_as_carefully(screen):
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    screen.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    try:
        choose(screen, "letter one")
        screen.keep("dark-chosen")
        screen.one(".bulk [aria-label=More]").click()
        screen.keep("dark-more")
        screen.one(".bulk [value=star]").click()
        screen.until(lambda: "starred" in screen.notice(), "the notice")
        screen.keep("dark-notice")
        ground = screen.one("body").value_of_css_property("background-color")
        red = int(json.loads("[" + ground[ground.index("(") + 1:-1] + "]")[0])
        assert red < 60
    finally:
        screen.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_messages_are_dragged_to_a_folder_and_come_back(screen):
    def drag(subject, folder, *keys):
        there = screen.until(lambda: next(each for each in screen.all(".folders a") if folder in each.text), folder)
        hand = ActionChains(screen.browser)
        hand.click_and_hold(screen.row(subject).find_element(By.CSS_SELECTOR, ".row-subject"))
        for key in keys:
            hand.key_down(key)
        hand.move_by_offset(-20, 6).move_to_element(there).move_by_offset(2, 1)
        hand.perform()
        screen.keep("dragged")
        hand = ActionChains(screen.browser).release()
        for key in keys:
            hand.key_up(key)
        hand.perform()

    choose(screen, "letter one", "letter three")
    drag("letter one", "Archive")
    screen.until(lambda: "2 messages archived." in screen.notice(), "the notice")
    screen.until(lambda: sorted(screen.subjects()) == ["letter four", "letter two"], "the list")
    screen.one(".notice button.is-quiet").click()
    screen.until(lambda: len(screen.subjects()) == 4, "the messages")

    # with Ctrl held they stay, and a copy lies there; it can be taken back, too
    drag("letter one", "Archive", Keys.CONTROL)
    screen.until(lambda: "1 message copied to Archive." in screen.notice(), "the notice")
    assert len(screen.subjects()) == 4
    archive = next(each for each in screen.all(".folders a") if "Archive" in each.text).get_attribute("href")
    inbox = screen.browser.current_url
    screen.browser.get(archive)
    screen.until(lambda: screen.subjects() == ["letter one"], "the copy")
    screen.browser.get(inbox)

    drag("letter two", "Junk")
    screen.until(lambda: "1 message moved to Junk." in screen.notice(), "the notice")
    screen.until(lambda: len(screen.subjects()) == 3, "the list")
    assert not screen.all(".dragged, .folder.is-target")

    for _ in range(5):
        try:
            drag("letter four", "Inbox")  # where it lies already: nothing comes of it
            break
        except StaleElementReferenceException:  # news of what was moved drew the list anew
            ActionChains(screen.browser).release().perform()
    assert len(screen.subjects()) == 3


CONTRAST = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map((n) => n / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
return [...document.querySelectorAll(".colours .tag, .row .tag, .letter-head .tag")].map((tag) => {
  const style = getComputedStyle(tag);
  const both = [light(style.color), light(style.backgroundColor)].sort((a, b) => b - a);
  return (both[0] + 0.05) / (both[1] + 0.05);
});
"""


def test_labels_are_put_on_with_the_script_and_can_be_read_in_the_dark(screen):
    account = screen.one(".mail").get_attribute("data-account")
    inbox = screen.browser.current_url
    for name, colour in (("Garden club", 5), ("Urgent", 3)):
        screen.browser.get(f"{screen.url}/accounts/{account}/labels")
        screen.one("#label-new").send_keys(name)
        form = screen.all("form.card")[-1]
        form.find_element(By.CSS_SELECTOR, f'input[value="{colour}"]').click()
        form.find_element(By.CSS_SELECTOR, ".button.is-primary").click()
        screen.until(lambda: "Saved." in screen.one("main").text, "the label")
    screen.audit()
    screen.keep("labels")
    screen.browser.get(inbox)
    choose(screen, "letter one", "letter two")
    screen.press("l")
    screen.one(".bulk select[name=label]").send_keys("Garden club")
    screen.keep("label-menu")
    screen.audit()
    screen.one(".bulk [value=label]").click()
    screen.until(lambda: "2 messages labelled." in screen.notice(), "the notice")
    screen.until(lambda: "Garden club" in screen.row("letter two").text, "the label on the row")
    screen.keep("labelled")
    screen.one(".notice button.is-quiet").click()
    screen.until(lambda: "Garden club" not in screen.row("letter two").text, "the way back")

    screen.row("letter three").find_element(By.CSS_SELECTOR, "a").click()
    screen.until(lambda: "Hello three" in screen.one(".letter").text, "the text")
    for name in ("Garden club", "Urgent"):
        screen.one(".actions [data-menu=labels] summary").click()
        screen.one(".actions select[name=label]").send_keys(name)
        screen.one(".actions [value=label]").click()
        screen.until(lambda: name in screen.one(".letter-head").text, "the label on the message")
    for scheme in ("light", "dark"):
        screen.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        screen.keep(f"label-message-{scheme}")
        contrasts = screen.browser.execute_script(CONTRAST)
        assert len(contrasts) >= 4 and min(contrasts) >= 4.5, contrasts
        screen.browser.get(f"{screen.url}/accounts/{account}/labels")
        contrasts = screen.browser.execute_script(CONTRAST)
        assert len(contrasts) >= 8 and min(contrasts) >= 4.5, contrasts
        screen.keep(f"labels-{scheme}")
        screen.browser.back()
    screen.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
