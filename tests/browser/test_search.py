"""Results while one types, in a real Chromium."""

import pytest

from tests.harness import eventually

By = pytest.importorskip("selenium.webdriver.common.by").By
StaleElementReferenceException = pytest.importorskip("selenium.common.exceptions").StaleElementReferenceException


def test_results_follow_what_is_typed(restante, person, browser):
    for subject in ("apples and pears", "pears alone"):
        person.receive(f"From: Ann <ann@example.org>\nSubject: {subject}\n\nfruit\n")
    client = restante.sign_in(person.address, person.password)
    eventually(lambda: len(client.get("/search?q=pears").json["emails"]) == 2)
    browser.get(restante.url + "/sign-in")
    for cookie in client.cookies:
        browser.add_cookie({"name": cookie.name, "value": cookie.value})
    browser.get(restante.url + "/search")
    field = browser.find_element(By.ID, "search")
    def subjects():
        try:
            return [row.text for row in browser.find_elements(By.CSS_SELECTOR, ".search-rows .row-subject")]
        except StaleElementReferenceException:  # drawn anew meanwhile
            return []

    field.send_keys("pea")
    assert eventually(lambda: sorted(subjects()) == ["apples and pears", "pears alone"])
    assert [mark.text for mark in browser.find_elements(By.TAG_NAME, "mark")] == ["pears", "pears"]
    field.send_keys("rs app")
    assert eventually(lambda: subjects() == ["apples and pears"])
    assert "q=pears+app" in browser.current_url
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not errors
