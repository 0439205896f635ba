"""Signing in, staying in and getting out: what a browser, another site and somebody who guesses may do."""

import re
import threading
import time
from pathlib import Path

import pytest

from tests import harness
from tests.harness import eventually
from tests.mailserver import ports
from tests.mailserver.scripted import ScriptedServer

PASSWORD = "a local password"
CANARY = "canary-7f3a-password"


@pytest.fixture
def own(mailserver, state_folder, request):
    """A function that starts an instance of this test's own, with options."""
    started = []

    def start(domains=None, **options):
        folder = state_folder / f"signing{len(list(state_folder.iterdir()))}"
        service = harness.Restante(folder, domains=domains or {}, ca_file=mailserver.ca_file, **options)
        started.append(service.start())
        return service

    yield start
    for service in started:
        service.stop()


@pytest.fixture(scope="module")
def strict(mailserver, state_folder):
    """An instance with few tries, whose proxies are believed, where nobody else's tries count."""
    if not harness.BINARY.exists():
        pytest.skip(f"{harness.BINARY} is not built")
    with harness.Restante(state_folder / "strict", domains={
            "example.org": harness.domain("imap", mailserver)}, ca_file=mailserver.ca_file,
            sign_in_tries=4, sign_in_tries_per_address=6) as service:
        service.number = 0
        yield service


@pytest.fixture
def name(strict):
    strict.number += 1
    return strict.add_user(f"strict{strict.number}")


def at(address):
    """Headers of a request that comes from there, as a trusted proxy tells it."""
    return {"X-Forwarded-For": address}


def api_sign_in(client, name, password, address="192.0.2.1"):
    return client.post("/session", {"username": name, "password": password}, headers=at(address))


# --- guessing ----------------------------------------------------------------------------------------------

def test_too_many_tries_for_one_name_are_throttled_wherever_they_come_from(strict, name):
    client = strict.client()
    answers = [api_sign_in(client, name, "wrong", f"198.51.100.{n}") for n in range(5)]
    assert [answer.status for answer in answers] == [401, 401, 401, 401, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 15 * 60
    assert answers[-1].json["type"] == "/problems/throttled"
    # nor does the right one tell itself apart
    right = api_sign_in(client, name.upper(), PASSWORD, "198.51.100.99")
    assert right.status == 429 and not list(client.cookies)
    # the page says the same
    page = strict.client()
    page.headers = at("198.51.100.98")
    assert page.sign_in(name, PASSWORD).status == 429


def test_a_right_password_clears_the_count_of_its_name(strict, name):
    client = strict.client()
    for round in range(3):
        for n in range(3):
            assert api_sign_in(client, name, "wrong", f"203.0.113.{10 * round + n}").status == 401
        assert api_sign_in(client, name, PASSWORD, f"203.0.113.{10 * round + 9}").status == 204


def test_an_address_may_try_wrongly_only_so_often_whatever_the_names(strict, name):
    client = strict.client()
    statuses = [api_sign_in(client, f"unknown{n}", "wrong", "192.0.2.77").status for n in range(7)]
    assert statuses == [401] * 6 + [429]
    assert api_sign_in(client, name, PASSWORD, "192.0.2.77").status == 429
    assert api_sign_in(client, name, PASSWORD, "192.0.2.78").status == 204


def test_only_failures_of_an_address_count(strict, name):
    client = strict.client()
    for _ in range(12):
        assert api_sign_in(client, name, PASSWORD, "192.0.2.80").status == 204
    assert api_sign_in(client, name, "wrong", "192.0.2.80").status == 401


def test_an_ipv6_network_counts_as_one_address(strict):
    client = strict.client()
    statuses = [api_sign_in(client, f"six{n}", "wrong", f"2001:db8:0:1::{n:x}").status for n in range(7)]
    assert statuses == [401] * 6 + [429]
    assert api_sign_in(client, "six", "wrong", "2001:db8:0:2::1").status == 401


def test_many_tries_at_once_do_not_slip_through(strict, name):
    statuses = []

    def guess(n):
        statuses.append(api_sign_in(strict.client(), name, f"guess {n}", f"198.18.0.{n}").status)

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [401] * 4 + [429] * 16


def test_what_a_client_claims_of_its_address_counts_for_nothing(own):
    service = own(sign_in_tries_per_address=3, trusted_proxies=["192.0.2.0/24"])
    client = service.client()
    # the peer is 127.0.0.1, which is no proxy here: its word is not taken
    statuses = [api_sign_in(client, f"n{n}", "wrong", f"203.0.113.{n}").status for n in range(4)]
    assert statuses == [401] * 3 + [429]


def test_what_stands_left_of_the_proxys_word_counts_for_nothing(strict):
    client = strict.client()
    statuses = [api_sign_in(client, f"left{n}", "wrong", f"203.0.113.{n}, 192.0.2.91").status
                for n in range(7)]
    assert statuses == [401] * 6 + [429]


def normal(answer):
    """All of an answer but what differs from one request to the next by nature."""
    headers = sorted((key, re.sub(r"(session|form)=[^;]*", r"\1=X", value))
                     for key, value in answer.headers.items() if key not in ("Date", "X-Request-Id"))
    return answer.status, headers, answer.content.replace(answer.headers["X-Request-Id"].encode(), b"ID")


def test_unknown_names_and_wrong_passwords_get_the_same_bytes(restante, local_user):
    client = restante.client()
    answers = [client.post("/session", {"username": name, "password": "wrong"})
               for name in (local_user, "n" * len(local_user), "nobody@nowhere.example")]
    assert [answer.status for answer in answers] == [401] * 3
    assert normal(answers[0]) == normal(answers[1]) == normal(answers[2])


def test_a_mail_persons_wrong_password_and_an_unknown_address_look_alike(restante, person):
    restante.sign_in(person.address, person.password)
    client = restante.client()
    wrong = client.post("/session", {"username": person.address, "password": "wrong"})
    unknown = client.post("/session", {"username": "x" + person.address[1:], "password": "wrong"})
    assert wrong.status == 401 and normal(wrong) == normal(unknown)


@pytest.mark.parametrize("name", ["", " ", "\n", "a b", "x" * 400, "a\tb", "é" * 200, "'; DROP TABLE x; --"])
@pytest.mark.parametrize("password", ["", "wrong", "x" * 2000])
def test_odd_names_and_passwords_are_simply_wrong(restante, name, password):
    client = restante.client()
    assert client.sign_in(name, password).status == 401
    answer = client.post("/session", {"username": name, "password": password})
    assert answer.status in (400, 401)


# --- sessions ------------------------------------------------------------------------------------------------

def cookie(client, name="session"):
    return next((each for each in client.cookies if each.name == name), None)


def put_cookie(client, name, value):
    """A client that sends this cookie, whatever it is."""
    client.headers = dict(client.headers) | {"Cookie": f"{name}={value}"}
    return client


def is_in(client):
    return client.get("/session").status == 200


def test_a_cookie_that_somebody_else_chose_is_never_taken_on(restante, local_user):
    chosen = "A" * 43
    client = put_cookie(restante.client(), "session", chosen)
    assert not is_in(client)
    client.post("/session", {"username": local_user, "password": PASSWORD})
    assert not is_in(put_cookie(restante.client(), "session", chosen))
    assert cookie(client).value != chosen


def test_each_signing_in_makes_a_new_session_and_ends_the_browsers_old_one(restante, local_user):
    client = restante.sign_in(local_user, PASSWORD)
    old = cookie(client).value
    answer = client.post("/session", {"username": local_user, "password": PASSWORD},
                         headers={"X-CSRF-Token": client.get("/session").json["csrf"]})
    assert answer.status == 204 and cookie(client).value != old
    assert is_in(client)
    assert not is_in(put_cookie(restante.client(), "session", old))


def test_signing_out_ends_the_session_itself(restante, local_user):
    client = restante.sign_in(local_user, PASSWORD)
    copied = cookie(client).value
    assert is_in(put_cookie(restante.client(), "session", copied))
    assert client.submit("//settings", "//sign-out").status == 303
    assert cookie(client) is None
    assert not is_in(put_cookie(restante.client(), "session", copied))


def test_signing_out_everywhere_ends_every_session_but_nobody_elses(restante, local_user):
    mine = [restante.sign_in(local_user, PASSWORD) for _ in range(3)]
    other = restante.sign_in(restante.add_user(local_user + "b"), PASSWORD)
    assert mine[0].submit("//settings", "//settings/sessions/end-all").status == 303
    assert not any(is_in(client) for client in mine)
    assert is_in(other)


def test_sessions_end_when_unused_and_in_any_case(own):
    """With the shortest times that the configuration takes, and the clock of the rows moved on."""
    service = own(session_idle=60, session_lifetime=3600)
    service.add_user("ada", PASSWORD)
    idle, old, good = (service.sign_in("ada", PASSWORD) for _ in range(3))
    assert cookie(good).expires <= time.time() + 3600
    order = "SELECT ctid FROM session ORDER BY created_at"
    move_on(service, f"UPDATE session SET used_at = now() - interval '61 s' "
                     f"WHERE ctid = ({order} LIMIT 1)")
    assert not is_in(idle) and is_in(old) and is_in(good)
    move_on(service, "UPDATE session SET expires_at = now() - interval '1 s' WHERE created_at = "
                     "(SELECT created_at FROM session ORDER BY created_at OFFSET 1 LIMIT 1)")
    assert not is_in(old) and is_in(good)


def move_on(service, statement):
    import subprocess
    from pathlib import Path
    psql = sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1]
    subprocess.run([psql, "-X", "-q", "-h", service.folder / "state/postgresql", "-U", "restante", "-d",
                    "restante", "-c", statement], check=True, capture_output=True)


@pytest.mark.parametrize("value", ["", "x", "A" * 43, "A" * 600, "%00", '"', "A" * 43 + "; session=B"])
def test_cookies_that_are_none_open_nothing(restante, value):
    client = put_cookie(restante.client(), "session", value)
    # 431 is libmicrohttpd's own word for a quote that does not end
    assert client.get("/session").status in (401, 431)
    assert client.get("//").status in (303, 431)


# --- cookies' attributes ----------------------------------------------------------------------------------------

def attributes(answer, name):
    line = next(line for line in answer.headers.get_all("Set-Cookie") if line.startswith(name + "="))
    return {part.strip().partition("=")[0]: part.strip().partition("=")[2]
            for part in line.split(";")[1:]}


def test_cookies_on_plain_loopback(restante, local_user):
    client = restante.client()
    form = attributes(client.get("//sign-in"), "form")
    session = attributes(client.sign_in(local_user, PASSWORD), "session")
    assert form == {"Path": "/", "HttpOnly": "", "SameSite": "Lax"}
    assert session == form | {"Max-Age": "2592000"}


def test_cookies_behind_tls(own):
    service = own(public_url="https://mail.example.org")
    service.add_user("ada", PASSWORD)
    client = service.client()
    page = client.get("//sign-in")
    form = attributes(page, "__Host-form")
    assert form == {"Path": "/", "HttpOnly": "", "SameSite": "Lax", "Secure": ""}
    value = re.search(r"__Host-form=([^;]*)", page.headers["Set-Cookie"]).group(1)
    token = re.search(r'name="csrf"\s+value="([^"]*)"', page.text).group(1)
    fields = {"csrf": token, "name": "ada", "password": PASSWORD}
    answer = client.post("//sign-in", form=fields, headers={"Cookie": f"__Host-form={value}"})
    assert answer.status == 303
    assert attributes(answer, "__Host-session") == form | {"Max-Age": "2592000"}
    session = re.search(r"__Host-session=([^;]*)", answer.headers["Set-Cookie"]).group(1)
    # under its plain name, which any host of the domain could set, it is none
    assert put_cookie(service.client(), "session", session).get("/session").status == 401
    good = put_cookie(service.client(), "__Host-session", session)
    assert good.get("/session").status == 200
    # and through a proxy that speaks TLS, browsers are told to keep to it
    assert good.get("/session", headers={"X-Forwarded-Proto": "https"}).headers[
        "Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in good.get("/session").headers


# --- other sites --------------------------------------------------------------------------------------------------

def test_form_tokens_missing_foreign_and_of_another_session_are_refused(restante, local_user):
    client = restante.sign_in(local_user, PASSWORD)
    another = restante.sign_in(local_user, PASSWORD)
    good = client.form_token("//settings")
    for token in (None, "", "x", "A" * 86, good[:-1], good + "A", good[::-1],
                  another.form_token("//settings"), restante.client().form_token("//sign-in")):
        form = {"name": "t"} | ({"csrf": token} if token is not None else {})
        assert client.post("//settings/tokens", form=form).status == 403, token
        assert client.patch("/accounts/1", {}, headers={"X-CSRF-Token": token or ""}).status == 403
    assert client.post("//settings/tokens", form={"name": "t", "csrf": good}).status == 200
    # each page has another mask of it, and each is good
    again = client.form_token("//settings")
    assert again != good and client.post("//settings/tokens", form={"name": "t", "csrf": again}).status == 200
    assert client.post("/tokens", {"name": "t"}, headers={"X-CSRF-Token": good}).status == 201


def test_a_sign_in_forms_token_is_its_browsers_own(restante, local_user):
    client, other = restante.client(), restante.client()
    foreign = other.form_token("//sign-in")
    client.get("//sign-in")
    fields = {"name": local_user, "password": PASSWORD}
    for token in ("", "A" * 86, foreign):
        assert client.post("//sign-in", form=fields | {"csrf": token}).status == 403
    assert restante.client().post("//sign-in", form=fields | {"csrf": foreign}).status == 403
    assert other.post("//sign-in", form=fields | {"csrf": foreign}).status == 303


FOREIGN = [{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": target}
           for site in ("cross-site", "same-site")
           for mode, target in (("navigate", "iframe"), ("navigate", "object"), ("no-cors", "image"),
                                ("no-cors", "script"), ("cors", "empty"), ("no-cors", "empty"))]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda h: "-".join(h.values()))
def test_other_sites_cannot_frame_load_or_read_anything(restante, local_user, headers):
    client = restante.sign_in(local_user, PASSWORD)
    for path in ("//settings", "//", "/session", "/accounts"):
        assert client.get(path, headers=headers).status == 403, path


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_may_link_to_a_page_and_no_more(restante, local_user, site):
    client = restante.sign_in(local_user, PASSWORD)
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("//settings", headers=link).status == 200
    token = client.form_token("//settings")
    assert client.post("//settings/tokens", form={"name": "t", "csrf": token}, headers=link).status == 403
    assert client.post("//sign-out", form={"csrf": token}, headers=link).status == 403
    assert is_in(client)


def test_what_the_person_does_is_let_through(restante, local_user):
    client = restante.sign_in(local_user, PASSWORD)
    for site in ("same-origin", "none"):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert client.get("//settings", headers=headers).status == 200
    token = client.form_token("//settings")
    assert client.post("//settings/tokens", form={"name": "t", "csrf": token},
                       headers={"Sec-Fetch-Site": "same-origin"}).status == 200


def test_a_tokens_requests_come_from_no_site(restante, api):
    assert api.get("/session", headers=FOREIGN[4]).status == 200


def test_signing_in_by_json_takes_nothing_that_a_form_could_send(restante, local_user):
    body = b'{"username": "%s", "password": "a local password", "x": "="}' % local_user.encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = restante.client().post("/session", body=body, headers={"Content-Type": kind})
        assert answer.status == 415
    answer = restante.client().post("/session", body=body, headers={
        "Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"])
def test_what_a_request_says_of_our_address_is_not_believed(restante, local_user, name):
    value = "host=evil.example" if name == "Forwarded" else "evil.example"
    forged = {name: value}
    client = restante.sign_in(local_user, PASSWORD)
    for path in ("//", "//sign-in", "//settings", "//nowhere", "/session", "/accounts", "/nowhere"):
        for whoever in (client, restante.client()):
            answer = whoever.get(path, headers=forged)
            assert "evil.example" not in answer.text + str(answer.headers), path


@pytest.mark.parametrize("where", ["//evil.example", "/\\evil.example", "https://evil.example", "evil",
                                   "/\tx", "/x\r\nSet-Cookie: a=b", "/sign-in", ""])
def test_nobody_is_sent_elsewhere_after_signing_in(restante, local_user, where):
    answer = restante.client().submit("//sign-in", name=local_user, password=PASSWORD, next=where)
    assert answer.status == 303 and answer.headers["Location"] == "/"
    assert len([line for line in answer.headers.get_all("Set-Cookie") if "a=b" in line]) == 0


def test_one_comes_back_to_the_page_that_asked(restante, local_user):
    client = restante.client()
    where = client.get("//settings").headers["Location"]
    assert where == "/sign-in?next=%2Fsettings"
    answer = client.submit("//sign-in", name=local_user, password=PASSWORD, next="/settings")
    assert answer.headers["Location"] == "/settings"


# --- through the mail server ------------------------------------------------------------------------------------------

def change_password(mailserver, person, password):
    """To one of another length, at the mail server: it looks at its file at most once a second, and sees
    a change by time or size. (Asking it whether it knows by now would be punished: it delays who
    failed.)"""
    mailserver.add_user(person.address, password)
    person.password = password
    time.sleep(1.5)


def test_two_first_sign_ins_at_once_make_one_person_and_one_account(restante, new_person):
    person, clients, statuses = new_person(), [restante.client() for _ in range(4)], []

    def sign_in(client):
        # some may be asked to come again: only so many wait for a mail server at once
        statuses.append(eventually(lambda: (status := client.post("/session", {
            "username": person.address, "password": person.password}).status) != 503 and status))

    threads = [threading.Thread(target=sign_in, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [204] * 4
    accounts = [client.get("/accounts").json["accounts"] for client in clients]
    assert all(len(each) == 1 for each in accounts)
    assert len({each[0]["id"] for each in accounts}) == 1


def test_a_password_changed_at_the_mail_server_is_taken_and_the_old_one_no_more(restante, new_person,
                                                                                mailserver):
    person = new_person()
    person.receive("Subject: before\n\nhello\n")
    client = restante.sign_in(person.address, person.password)
    account = client.get("/accounts").json["accounts"][0]["id"]
    change_password(mailserver, person, "quite another horse")
    restante.sign_in(person.address, "quite another horse")
    assert restante.client().sign_in(person.address, "correct horse").status == 401
    # the account has it, too: mail goes on coming
    assert client.get(f"/accounts/{account}").status == 200
    csrf = {"X-CSRF-Token": client.get("/session").json["csrf"]}
    assert client.post(f"/accounts/{account}/test", headers=csrf).json == {"ok": True}
    assert len(client.get("/accounts").json["accounts"]) == 1


def test_the_old_password_opens_nothing_once_the_mail_server_has_refused_it(restante, new_person,
                                                                           mailserver):
    person = new_person()
    client = restante.sign_in(person.address, person.password)
    account = client.get("/accounts").json["accounts"][0]["id"]
    change_password(mailserver, person, "quite another horse")
    restante.kill("sync")  # so that it must sign in to the mail server again
    assert eventually(lambda: client.get(f"/accounts/{account}").json["sync"]["state"] == "refused",
                      patience=60), (client.get(f"/accounts/{account}").json["sync"], restante.log_tail(15))
    assert restante.client().sign_in(person.address, "correct horse").status == 401
    restante.sign_in(person.address, "quite another horse")
    assert eventually(lambda: client.get(f"/accounts/{account}").json["sync"]["state"] == "current")


def test_a_wrong_password_is_not_told_apart_while_the_mail_server_is_down(restante, new_person,
                                                                       mailserver):
    person = new_person()
    restante.sign_in(person.address, person.password)
    mailserver.dovecot.stop()
    try:
        restante.sign_in(person.address, person.password)
        client = restante.client()
        wrong = client.post("/session", {"username": person.address, "password": "wrong"})
        unknown = client.post("/session", {"username": "x" + person.address[1:], "password": "wrong"})
    finally:
        mailserver.dovecot.start()
    assert wrong.status == unknown.status == 503
    assert normal(wrong) == normal(unknown)


def test_people_read_on_while_others_wait_for_a_mail_server_that_stalls(own, mailserver):
    """Twenty sign-ins hang in a server that says nothing; pages, the API and other mail servers
    answer meanwhile. How fast is not asked: none of it waits for the hanging ones to end."""
    with ScriptedServer("stall") as silent:
        service = own({"silent.example": {"kind": "imap", "host": "127.0.0.1", "port": silent.port,
                                          "tls": "starttls"},
                       "example.org": harness.domain("imap", mailserver)},
                      sign_in_tries_per_address=1000)
        user = mailserver.add_user("besides@example.org", "correct horse")
        try:
            reader = service.sign_in(user.address, user.password)
            ended = []

            def hang(n):
                client = service.client()
                client.headers = at(f"192.0.2.{n}")
                ended.append(client.post("/session", {"username": f"p{n}@silent.example",
                                                      "password": "w"}, timeout=120).status)

            threads = [threading.Thread(target=hang, args=(n,)) for n in range(20)]
            for thread in threads:
                thread.start()
            assert eventually(lambda: len(silent.transcripts) >= 1)
            for _ in range(50):
                assert reader.get("/accounts").status == 200
                assert reader.get("//settings").status == 200
            assert any(thread.is_alive() for thread in threads)
            # more of them than there are places: the others are told at once
            assert eventually(lambda: len(ended) > 0)
            # whose password is known here needs no place
            assert service.client().sign_in(user.address, user.password).status == 303
            for thread in threads:
                thread.join()
            assert set(ended) == {503}
        finally:
            mailserver.delete_user(user.address)


def test_one_who_waits_often_leaves_places_for_others(own, mailserver):
    """All sign-ins at a silent server from one address: another's first sign-in still finds a place."""
    with ScriptedServer("stall") as silent:
        service = own({"silent.example": {"kind": "imap", "host": "127.0.0.1", "port": silent.port,
                                          "tls": "starttls"},
                       "example.org": harness.domain("imap", mailserver)},
                      sign_in_tries_per_address=1000)
        user = mailserver.add_user("patient@example.org", "correct horse")
        ended = []

        def hang(n):
            client = service.client()
            client.headers = at("192.0.2.1")
            ended.append(client.post("/session", {"username": f"p{n}@silent.example",
                                                  "password": "w"}, timeout=120).status)

        threads = [threading.Thread(target=hang, args=(n,)) for n in range(12)]
        try:
            for thread in threads:
                thread.start()
            assert eventually(lambda: len(ended) > 0)  # places are taken: who comes now is refused
            other = service.client()
            other.headers = at("192.0.2.2")
            assert other.sign_in(user.address, user.password).status == 303
            assert any(thread.is_alive() for thread in threads)
        finally:
            for thread in threads:
                thread.join()
            mailserver.delete_user(user.address)


def test_a_stop_does_not_wait_for_a_mail_server_that_stalls(own):
    with ScriptedServer("stall") as silent:
        service = own({"silent.example": {"kind": "imap", "host": "127.0.0.1", "port": silent.port,
                                          "tls": "starttls"}})
        answers = []

        def hang():
            try:
                answers.append(service.client().post(
                    "/session", {"username": "p@silent.example", "password": "w"}).status)
            except OSError:
                answers.append(None)

        thread = threading.Thread(target=hang)
        thread.start()
        assert eventually(lambda: len(silent.transcripts) >= 1)
        service.process.terminate()
        # it answers, rather than being killed at the end of its patience
        thread.join(timeout=60)
        assert answers and answers[0] in (503, 504)
        assert service.process.wait(timeout=60) == 0
        assert "signal=9" not in service.log.read_text()


# --- nothing secret is told -------------------------------------------------------------------------------------------

def test_secrets_are_in_no_log_and_no_answer(own, mailserver):
    service = own({"example.org": harness.domain("imap", mailserver)}, log_level="debug")
    user = mailserver.add_user("canary@example.org", CANARY)
    try:
        client = service.client()
        client.sign_in(user.address, CANARY + "wrong")
        client = service.sign_in(user.address, CANARY)
        token = service.token(user.address)
        csrf = client.get("/session").json["csrf"]
        api = service.client(token)
        answers = [api.get("/accounts"), api.get("/tokens"), client.get("//settings"), client.get("//accounts"),
                   api.post("/accounts", {"email": user.address, "password": CANARY, "kind": "imap",
                                          "incoming": {"host": "127.0.0.1", "port": ports.free()[0]}}),
                   api.post("/accounts", body=b'{"password": "' + CANARY.encode() + b'", broken'),
                   api.get(f"/accounts?token={CANARY}")]
        account = api.get("/accounts").json["accounts"][0]["id"]
        assert eventually(lambda: api.get(f"/accounts/{account}").json["sync"]["state"] == "current")
        session = cookie(client).value
        answers.append(service.client().get("//metrics"))
        ours = [service.pid_of("web"), service.pid_of("sync")]
        assert all(CANARY not in title and token not in title for title in service.children().values())
        for pid in ours:  # what may not be dumped is root's, whoever runs it: no core file, no tracing
            assert Path(f"/proc/{pid}/maps").stat().st_uid == 0
        # the folder of the keys is given up where the kernel can do that, which begins with this
        assert "NoNewPrivs:\t1" in Path(f"/proc/{ours[0]}/status").read_text() or \
            "event=web.unfenced" in service.log.read_text()
        service.stop()
        log = service.log.read_text(errors="replace") + \
            (service.folder / "state/postgresql.log").read_text(errors="replace")
        for secret in (CANARY, token, session, csrf):
            assert secret not in log
        for answer in answers:
            assert CANARY not in answer.text and token not in answer.text and session not in answer.text
        # nor are they in the database as they are
        for path in (service.folder / "state/postgresql/data/base").rglob("*"):
            if path.is_file():
                stored = path.read_bytes()
                for secret in (CANARY, token, session):
                    assert secret.encode() not in stored, path
    finally:
        mailserver.delete_user(user.address)
