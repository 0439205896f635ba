"""Searching the replica, and on request the mail server, through /api/v1 and the search page."""

import html
import re
import urllib.parse

import pytest

from tests.harness import eventually
from tests.integration.test_api_accounts import settings_of

MAIL = {
    "lunch": "From: Ann Lee <ann@example.org>\nTo: you@example.org\nSubject: Lunch on Friday\n"
             "Date: Mon, 02 Nov 2026 10:00:00 +0000\n\nShall we try the new noodle bar?\n",
    "report": "From: Bob <bob@example.net>\nTo: you@example.org\nSubject: Annual report\n"
              "Date: Tue, 03 Nov 2026 10:00:00 +0000\nMIME-Version: 1.0\n"
              "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nAnn wrote the chapter on zebras.\n"
              "--b\nContent-Type: application/pdf; name=zahlen.pdf\n"
              "Content-Disposition: attachment; filename=zahlen.pdf\n\n%PDF-1.4\n--b--\n",
    "tokyo": "From: =?utf-8?B?5bGx55Sw?= <yamada@example.jp>\nTo: you@example.org\n"
             "Subject: =?utf-8?B?5p2x5Lqs44Gu5aSp5rCX?=\nDate: Wed, 04 Nov 2026 10:00:00 +0000\n"
             "Content-Type: text/plain; charset=utf-8\n\n明日は晴れるでしょう。\n",
    "mark": "From: M <m@example.org>\nSubject: <b>bold</b> & brave\n"
            "Date: Thu, 05 Nov 2026 10:00:00 +0000\n\n<script>alert(1)</script> brave\n",
}


@pytest.fixture
def found(restante, person):
    """Asks for a search of the person's mail; gives the subjects that are found."""
    for message in MAIL.values():
        person.receive(message)
    client = restante.sign_in(person.address, person.password)
    ask = lambda text, **more: client.get(
        "/search?" + urllib.parse.urlencode({"q": text, **more}))
    eventually(lambda: len(ask("")
                           .json["emails"]) == len(MAIL))
    # the words of the texts come a moment later than those of the headers
    eventually(lambda: ask("noodle").json["emails"] and ask("zebras").json["emails"]
               and ask("晴れる").json["emails"])
    subjects = lambda text, **more: [email["subject"] for email in ask(text, **more).json["emails"]]
    subjects.answer, subjects.client = ask, client
    return subjects


def test_words_are_found_where_they_stand(found):
    assert found("noodle") == ["Lunch on Friday"]
    assert found("ann") == ["Annual report", "Lunch on Friday"]
    assert found("from:ann") == ["Lunch on Friday"]
    assert found("subject:annual") == ["Annual report"]
    assert found("subject:zebras") == []
    assert found('"annual report"') == ["Annual report"]
    assert found('"report annual"') == []
    assert found("rep") == ["Annual report"], "the last word typed may be a beginning"
    assert found("filename:zahlen") == ["Annual report"]
    assert found("天気") == ["東京の天気"]
    assert found("from:山田") == ["東京の天気"]


def test_fields_are_told_apart(restante, person):
    person.receive("From: a@example.org\nTo: Tom <tom@example.org>\nCc: Carla <carla@example.org>\n"
                   "Bcc: Berta <berta@example.org>\nSubject: fields\nMIME-Version: 1.0\n"
                   "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nThe text of quagga.\n"
                   "--b\nContent-Type: application/pdf\n"
                   "Content-Disposition: attachment; filename=okapi.pdf\n\n%PDF-1.4\n--b--\n")
    client = restante.sign_in(person.address, person.password)
    count = lambda text: len(client.get("/search?" + urllib.parse.urlencode({"q": text})).json["emails"])
    eventually(lambda: count("quagga") == 1)
    words = {"to": "tom", "cc": "carla", "bcc": "berta", "body": "quagga", "filename": "okapi",
             "subject": "fields"}
    told = {(field, word): count(f"{field}:{word}") for field in words for word in words.values()}
    assert told == {(field, word): int(words[field] == word)
                    for field in words for word in words.values()}
    assert all(count(word) == 1 for word in words.values()), "without a field, in any"
    assert count("body:okapi.pdf") == 0 and count("filename:okapi.pdf") == 1
    account = client.get("/accounts").json["accounts"][0]["id"]
    for query, wanted in [("to:tom", 1), ("to:carla", 0), ("cc:carla", 1), ("cc:berta", 0), ("bcc:berta", 1),
                          ("bcc:tom", 0)]:
        answer = client.get(f"/accounts/{account}/search?q={query}&upstream=1").json
        assert len(answer["upstream"]["emails"]) == wanted, query
    assert count('body:"text of quagga"') == 1 and count('filename:"text of quagga"') == 0


def test_languages_without_spaces_and_phrases(restante, person):
    texts = {"th": ("พยากรณ์อากาศ", "วันนี้อากาศดีมาก เราไปเที่ยวทะเลกัน"),
             "zh": ("会议安排", "明天上午十点在北京图书馆开会"),
             "ja": ("お知らせ", "来週の火曜日に東京タワーへ行きます"),
             "ko": ("회의 안내", "내일 오후에 도서관에서 만나요")}
    for subject, text in texts.values():
        person.receive(f"From: a@example.org\nSubject: {subject}\nMIME-Version: 1.0\n"
                       f"Content-Type: text/plain; charset=utf-8\n\n{text}\n")
    client = restante.sign_in(person.address, person.password)
    subjects = lambda text: [email["subject"] for email in client.get(
        "/search?" + urllib.parse.urlencode({"q": text})).json["emails"]]
    eventually(lambda: len(subjects("")) == len(texts))
    for text, language in [("อากาศ", "th"), ("ทะเล", "th"), ("subject:พยากรณ์", "th"), ("图书馆", "zh"),
                           ("图", "zh"), ('"北京图书馆"', "zh"), ("东京", None), ("東京タワー", "ja"),
                           ("火曜", "ja"), ("お知らせ", "ja"), ("도서관", "ko"), ("subject:회의", "ko"),
                           ('"京北"', None)]:
        wanted = [texts[language][0]] if language else []
        eventually(lambda: subjects(text) == wanted) if wanted else None
        assert subjects(text) == wanted, text
    snippet = client.get("/search?" + urllib.parse.urlencode({"q": "图书馆"})).json["emails"][0]["snippet"]
    assert "北京<mark>图书馆</mark>开会" in snippet["preview"]


def test_conditions_narrow(found):
    assert found("has:attachment") == ["Annual report"]
    assert found("ann -has:attachment") == ["Lunch on Friday"]
    assert found("noodle OR zebras") == ["Annual report", "Lunch on Friday"]
    assert found("in:inbox noodle") == ["Lunch on Friday"]
    assert found("in:inbox (noodle OR has:attachment) is:unread") == [
        "Annual report", "Lunch on Friday"]
    assert found("is:starred") == []
    assert found("larger:1M") == []
    assert len(found("smaller:1M")) == len(MAIL)


def test_pages_follow_one_another_and_relevance_is_an_order(found):
    first = found.answer("smaller:1M", limit=3).json
    rest = found.answer("smaller:1M", limit=3, after=first["next"]).json
    assert len(first["emails"]) == 3 and len(rest["emails"]) == 1 and rest["next"] is None
    assert len(found("ann", sort="relevance")) == 2


def test_where_the_words_stand_is_marked_and_escaped(found):
    snippet = found.answer("brave").json["emails"][0]["snippet"]
    assert snippet["subject"] == "&lt;b&gt;bold&lt;/b&gt; &amp; <mark>brave</mark>"
    assert "<script" not in snippet["preview"] and "<mark>brave</mark>" in snippet["preview"]


def test_words_deep_in_a_text_are_shown_where_they_stand(restante, person):
    person.receive("From: Ann <ann@example.org>\nSubject: long\n\n" + "nothing here\n" * 300 +
                   "the hidden <treasure> is below\n" + "nothing more\n" * 50)
    client = restante.sign_in(person.address, person.password)
    emails = eventually(lambda: client.get("/search?q=treasure").json["emails"])
    assert "&lt;<mark>treasure</mark>&gt; is below" in emails[0]["snippet"]["preview"]


def test_one_account_is_searched_or_all(api, new_person, mailserver):
    people = [new_person(), new_person()]
    for day in range(1, 7):
        people[day % 2].receive(f"From: a@example.org\nSubject: heron {day}\n"
                                f"Date: Sun, 0{day} Nov 2026 10:00:00 +0000\n\nx\n",
                                arrived=1793523600 + 86400 * day)
    people[0].receive("Subject: heron elsewhere\n\nx\n", mailbox="Birds", arrived=1793523600)
    ask = lambda path, **more: api.get(f"{path}?" + urllib.parse.urlencode({"q": "heron", **more})).json
    accounts = [api.post("/accounts", settings_of(person, mailserver, name=name)).json["id"]
                for person, name in zip(people, ("Work", "Home"))]
    assert eventually(lambda: len(ask("/search")["emails"]) == 7)
    everything = ask("/search")["emails"]
    assert [each["subject"] for each in everything] == [
        *(f"heron {day}" for day in range(6, 0, -1)), "heron elsewhere"]
    assert {each["accountId"] for each in everything} == set(accounts)
    page, walked = ask("/search", limit=2), []
    while True:
        walked += [each["id"] + "@" + each["accountId"] for each in page["emails"]]
        if not page["next"]:
            break
        page = ask("/search", limit=2, after=page["next"])
    assert walked == [each["id"] + "@" + each["accountId"] for each in everything], "each once, across accounts"
    assert len(ask(f"/accounts/{accounts[0]}/search")["emails"]) == 4
    assert len(ask(f"/accounts/{accounts[1]}/search")["emails"]) == 3
    assert [each["subject"] for each in ask("/search", q="in:birds heron")["emails"]] == ["heron elsewhere"]
    assert len(ask("/search", sort="relevance")["emails"]) == 7


def test_words_of_mail_that_is_only_html_are_shown_where_they_stand(restante, person):
    rows = "<tr><td style='color:treasure'>nothing <b>here</b></td></tr>\n" * 100
    person.receive("From: Ann <ann@example.org>\nSubject: news\nMIME-Version: 1.0\n"
                   "Content-Type: text/html; charset=utf-8\n\n<style>.treasure{}</style><table>" + rows +
                   "<tr><td>the hidden &lt;b&gt; <i>treasure</i> is&nbsp;below</td></tr>" + rows + "</table>\n")
    client = restante.sign_in(person.address, person.password)
    emails = eventually(lambda: client.get("/search?q=treasure").json["emails"])
    preview = emails[0]["snippet"]["preview"]
    assert "the hidden &lt;b&gt; <mark>treasure</mark> is" in preview, preview
    assert client.get("/search?q=body:color").json["emails"] == [], "what is not seen is not found"


def test_what_cannot_be_understood_is_said(found):
    for text, word in [("in:nowhere x", "nowhere"), ("before:someday", "someday"),
                       ("(a", ""), ("has:wings", "wings")]:
        answer = found.answer(text)
        assert answer.is_problem and answer.status == 400 and word in answer.json["detail"], text
    assert found.client.get("/search").status == 400
    assert found.answer("x", limit=0).status == 400
    assert found.answer("x", after="nonsense").status == 400


def test_the_mail_server_is_searched_on_request(found):
    account = found.client.get("/accounts").json["accounts"][0]["id"]
    answer = found.client.get(f"/accounts/{account}/search?q=noodle&upstream=1")
    assert answer.status == 200, answer.text
    upstream = answer.json["upstream"]
    assert [email["subject"] for email in upstream["emails"]] == ["Lunch on Friday"]
    assert upstream["notHereYet"] == 0
    mixed = "(noodle OR zebras) in:inbox -is:starred after:2020 to:you"
    answer = found.client.get(f"/accounts/{account}/search?upstream=1&" +
                              urllib.parse.urlencode({"q": mixed}))
    assert len(answer.json["upstream"]["emails"]) == 2, answer.text
    assert found.client.get(f"/accounts/{account}/search?q=noodle").json["upstream"] is None


def test_nobody_finds_the_mail_of_others(found, api):
    assert api.get("/search?q=noodle").json["emails"] == []
    account = found.client.get("/accounts").json["accounts"][0]["id"]
    assert api.get(f"/accounts/{account}/search?q=noodle").status == 404


def test_searches_are_saved_by_name(api):
    made = api.post("/searches", {"name": "Zoo", "query": "zebras is:unread"})
    assert made.status == 201
    assert api.get("/searches").json["searches"] == [
        {"id": made.json["id"], "name": "Zoo", "query": "zebras is:unread"}]
    assert api.post("/searches", {"name": "Bad", "query": "(("}).status == 400
    assert api.delete(f"/searches/{made.json['id']}").status == 204
    assert api.delete(f"/searches/{made.json['id']}").status == 404


def test_the_search_page_finds_and_keeps(found):
    client = found.client
    page = client.get("//search?q=noodle")
    assert page.status == 200 and "Lunch on Friday" in page.text
    assert "<mark>noodle</mark>" in page.text
    assert "brave" not in page.text
    wrong = client.get("//search?" + urllib.parse.urlencode({"q": "in:nowhere <x>"}))
    assert wrong.status == 400 and "nowhere" in wrong.text and "<x>" not in wrong.text
    assert client.submit("//search?q=noodle", "//search/saved", q="noodle", name="Food").status == 303
    assert "Food" in client.get("//search").text
    account = client.get("/accounts").json["accounts"][0]["id"]
    page = client.get(f"//search?q=noodle&account={account}&upstream=1")
    assert "The mail server found nothing more" in page.text
    assert client.get("//search?q=brave").text.count("<script>alert") == 0
    for example in re.findall(r"<dt><code>(.*?)</code>", client.get("//search").text):
        answer = client.get("//search?" + urllib.parse.urlencode({"q": html.unescape(example)}))
        assert answer.status == 200 or "There is no folder" in answer.text, example


def test_a_draft_is_found_by_its_words_as_they_are_now(restante, person):
    client = restante.sign_in(person.address, person.password)
    client.headers["X-CSRF-Token"] = client.get("/session").json["csrf"]
    account = eventually(lambda: client.get("/accounts").json["accounts"])[0]["id"]
    made = client.post(f"/accounts/{account}/drafts", json_body={
        "to": [{"email": "quentin@example.org"}], "subject": "hedgehogs\u2028at night", "text": "Zwölf Igel."})
    assert made.status == 201, made.text

    def found(query):
        answer = client.get(f"/accounts/{account}/search?q={query}")
        return [email["id"] for email in answer.json["emails"]]

    for query in ("hedgehogs", "igel", "zwolf", "to:quentin", "subject:night"):
        assert found(query) == [made.json["id"]], query
    saved = client.put(f"/accounts/{account}/drafts/{made.json['id']}",
                       json_body={"revision": 1, "text": "Dreizehn Dachse."})
    assert saved.status == 200, saved.text
    assert found("dachse") == [made.json["id"]] and found("igel") == []
