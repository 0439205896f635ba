"""nginx, lighttpd and Apache before the service, each as HTTP proxy, over FastCGI and by CGI: the
same answers as without them."""

import re

from tests.harness import Client


def test_the_same_page_comes_through_every_front(front):
    answer = Client(front.url).get("//sign-in")
    assert answer.status == 200
    assert 'name="csrf"' in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_people_sign_in_through_every_front(front, restante, local_user):
    client = Client(front.url)
    answer = client.sign_in(local_user, "a local password")
    assert answer.status == 303, answer.text
    page = client.get("//accounts")
    assert page.status == 200 and local_user in page.text


def test_a_wrong_password_is_401_through_every_front(front, local_user):
    assert Client(front.url).sign_in(local_user, "battery staple").status == 401


def test_tokens_and_problem_documents_come_through_every_front(front, restante, local_user):
    client = Client(front.url, restante.token(local_user))
    assert client.get("/session").status == 200
    answer = client.get("/no-such-thing?q=1%26")
    assert answer.status == 404 and answer.is_problem


def test_static_files_come_through_every_front_and_are_kept(front):
    page = Client(front.url).get("//sign-in").text
    style = re.search(r'href="(/static/[^"]+\.css)"', page).group(1)
    answer = Client(front.url).get("/" + style)
    assert answer.status == 200 and "immutable" in answer.headers["Cache-Control"]
    again = Client(front.url).get("/" + style, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304
