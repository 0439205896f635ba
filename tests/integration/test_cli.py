"""The command line: every command's help, good and bad use; what the doctor finds; and the two roles
on a PostgreSQL of somebody else's, as larger installations run them."""

import os
import re
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests import harness
from tests.mailserver import ports, unprivileged

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
COMMANDS = ["serve", "fcgi", "migrate", "doctor", "config", "user add", "user list", "user passwd",
            "user delete", "account add", "account list", "account test", "account delete", "account export",
            "account import",
            "token create", "token list", "token revoke"]


@pytest.fixture(scope="module")
def binary():
    if not harness.BINARY.exists():
        pytest.skip(f"{harness.BINARY} is not built")
    return harness.BINARY


def run(binary, *words, text="", environment=None):
    return subprocess.run([str(binary), *map(str, words)], input=text, text=True, capture_output=True,
                          timeout=120, env=dict(os.environ) | (environment or {}))


# --- help and usage ----------------------------------------------------------------------------------

def test_help_lists_every_command(binary):
    told = run(binary, "--help")
    assert told.returncode == 0 and told.stderr == ""
    for command in COMMANDS:
        assert f"  {command} " in told.stdout, command
    assert "parser" not in told.stdout  # for ourselves


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps(binary, command):
    told = run(binary, *command.split(), "--help")
    assert told.returncode == 0 and told.stderr == ""
    assert f"Usage: restante {command}" in told.stdout and "--config=FILE" in told.stdout


def test_version(binary):
    assert re.fullmatch(r"restante \d+\.\d+\.\d+\n", run(binary, "--version").stdout)


@pytest.mark.parametrize("words, says", [
    ([], "Usage: restante"),
    (["sing"], 'no command "sing"'),
    (["sing", "song"], 'no command "sing song"'),
    (["user"], "restante user add LOGIN"),
    (["user", "kick"], "restante user delete LOGIN"),
    (["user", "add"], "missing: LOGIN"),
    (["user", "add", "a", "b"], "too many arguments"),
    (["user", "list", "--colour"], "--colour"),
    (["token", "create", "ada"], "missing: LOGIN NAME"),
    (["serve", "--role"], "requires an argument"),
])
def test_wrong_usage_says_what_is_right_and_exits_2(binary, words, says):
    told = run(binary, *words)
    assert told.returncode == 2 and told.stdout == ""
    assert says in told.stderr


def test_a_group_of_commands_helps(binary):
    told = run(binary, "token", "--help")
    assert told.returncode == 0 and "restante token revoke LOGIN ID" in told.stdout


# --- configuration --------------------------------------------------------------------------------------

@pytest.fixture
def config_file(tmp_path):
    def write(text):
        path = tmp_path / "test.conf"
        path.write_text(text)
        return path
    return write


@pytest.mark.parametrize("text, line, says", [
    ("listne = {}\n", 1, "listne"),
    ("\n\nweb_threads = 0\n", 3, "from 1 to 256"),
    ("web_threads = eight\n", 1, "web_threads"),
    ("\nlog_level = \"loud\"\n", 2, "debug info warn error"),
    ("listen = {\"localhost:80\"}\n", 1, "127.0.0.1:8080"),
    ("\nlisten_fastcgi = {\"8081\"}\n", 2, "listen_fastcgi must be"),
    ("trusted_proxies = {\"proxy.example.org\"}\n", 1, "10.0.0.0/8"),
    ("\n\n\negress_networks = {\"127.0.0.0/8\",\n\"ten\"}\n", 5, '"ten"'),
    ("egress_ports = {\"imaps\"}\n", 1, "a port from 1 to 65535"),
    ("socket_mode = \"rw-rw----\"\n", 1, "octal"),
    ("public_url = \"mail.example.org\"\n", 1, "https://"),
    ("domain \"example.org\" {\n  host = \"h\"\n  kind = \"exchange\"\n}\n", 3, "imap pop3"),
    ("domain \"example.org\" {\n}\n", 2, "needs a host"),
])
def test_a_bad_configuration_names_file_line_and_what_is_expected(binary, config_file, text, line,
                                                                 says):
    path = config_file(text)
    told = run(binary, "config", "--config", path)
    assert told.returncode == 1
    assert says in told.stderr
    where = re.search(rf"{re.escape(str(path))}:(\d+)", told.stderr)
    assert where and int(where.group(1)) in (line, line - 1), told.stderr


def test_the_environment_overrides_the_file_and_is_checked(binary, config_file):
    path = config_file("web_threads = 3\n")
    told = run(binary, "config", "--config", path, environment={"RESTANTE_WEB_THREADS": "5"})
    assert "web_threads = 5" in told.stdout
    told = run(binary, "config", "--config", path, environment={"RESTANTE_LISTEN": "here"})
    assert told.returncode == 1 and "RESTANTE_LISTEN" in told.stderr


def test_a_folder_is_no_configuration(binary, tmp_path):
    told = run(binary, "config", "--config", tmp_path)
    assert told.returncode == 1 and told.stderr.strip() == f"restante config: {tmp_path} is a folder, not a file"


def test_a_missing_configuration_is_said_by_its_name(binary):
    told = run(binary, "config", "--config", "/nonexistent/restante.conf")
    assert told.returncode == 1 and "/nonexistent/restante.conf" in told.stderr


def test_the_example_is_a_good_file_and_what_is_in_force_is_one_too(binary, config_file):
    example = run(binary, "config", "--example").stdout
    in_force = run(binary, "config", "--config", config_file(example)).stdout
    again = run(binary, "config", "--config", config_file(in_force))
    assert again.returncode == 0 and again.stdout == in_force


def test_a_database_password_is_not_printed(binary, config_file):
    for database in ("host=db password=opensesame", "postgresql://me:opensesame@db/mail"):
        told = run(binary, "config", "--config", config_file(f'database = "{database}"\n'))
        assert told.returncode == 0 and "opensesame" not in told.stdout + told.stderr


# --- people, accounts, tokens -----------------------------------------------------------------------------

def complaint(restante, *words, password=None):
    """What a command that fails says."""
    told = restante.command(*words, password=password, check=False)
    assert told.returncode == 1 and told.stdout == ""
    return told.stderr


def test_a_person_is_added_listed_renamed_nowhere_and_deleted(restante):
    restante.command("user", "add", "  Grace  ", "--admin", password="a long password")
    line = next(line for line in restante.command("user", "list").stdout.splitlines()
                if " grace " in line)
    assert "administrator" in line
    # whatever case it was typed in, it is one name
    restante.sign_in("GRACE", "a long password")
    assert "taken" in complaint(restante, "user", "add", "grace", password="another password")
    assert restante.client(restante.token("Grace")).get("/session").json["isAdmin"] is True
    restante.command("user", "delete", "GRACE")
    assert " grace " not in restante.command("user", "list").stdout
    assert restante.client().sign_in("grace", "a long password").status == 401


def test_a_new_password_signs_the_person_out(restante, local_user):
    before = restante.sign_in(local_user, "a local password")
    restante.command("user", "passwd", local_user, password="a newer password")
    assert before.get("/session").status == 401
    assert restante.client().sign_in(local_user, "a local password").status == 401
    restante.sign_in(local_user, "a newer password")


@pytest.mark.parametrize("login", ["", " ", "two words", "x" * 321, "tab\tname"])
def test_names_that_nobody_could_type_are_refused(restante, login):
    assert "no name to sign in with" in complaint(restante, "user", "add", login, password="long one")


@pytest.mark.parametrize("password, says", [("", "a password is needed"),
                                            ("x" * 1025, "at most 1024 bytes")])
def test_passwords_that_could_not_be_used_are_refused(restante, password, says):
    assert says in complaint(restante, "user", "add", "nobodyyet", password=password)
    assert "nobodyyet" not in restante.command("user", "list").stdout


def test_the_longest_password_can_be_used(restante):
    longest = "p" * 1024
    restante.command("user", "add", "longest", password=longest)
    restante.sign_in("longest", longest)
    restante.command("user", "delete", "longest")


@pytest.mark.parametrize("words", [
    ("user", "passwd", "nobody-at-all"), ("user", "delete", "nobody-at-all"),
    ("token", "create", "nobody-at-all", "t"), ("token", "list", "nobody-at-all"),
    ("token", "revoke", "nobody-at-all", "1"), ("account", "list", "nobody-at-all"),
    ("account", "add", "nobody-at-all")])
def test_unknown_people_are_said_to_be(restante, words):
    assert "there is nobody called nobody-at-all" in complaint(restante, *words, password="a password")


@pytest.mark.parametrize("words, says", [
    (("account", "test", "999999"), "no such account"),
    (("account", "delete", "999999"), "no such account"),
    (("account", "test", "x"), 'ID must be a number from 1, not "x"'),
    (("account", "delete", "0"), "ID must be a number"),
    (("account", "delete", "99999999999999999999"), "ID must be a number"),
])
def test_account_ids_that_are_none_are_said_to_be(restante, words, says):
    assert says in complaint(restante, *words)


@pytest.mark.parametrize("options, says", [
    (["--days", "0"], "--days"), (["--days", "-1"], "--days"), (["--days", "soon"], '"soon"'),
    (["--scopes", "all"], 'not "all"'), (["--scopes", ""], "scopes are")])
def test_bad_tokens_are_not_made(restante, local_user, options, says):
    assert says in complaint(restante, "token", "create", local_user, "t", *options)
    assert restante.command("token", "list", local_user).stdout == ""


def test_a_token_is_made_listed_and_revoked(restante, local_user):
    token = restante.command("token", "create", local_user, "my script", "--scopes", "read, write",
                             "--days", "2").stdout.strip()
    assert re.fullmatch(r"[A-Za-z0-9_-]{40,}", token)
    line = restante.command("token", "list", local_user).stdout
    assert "my script" in line and line.rstrip().endswith("read write") and token not in line
    assert restante.client(token).get("/session").status == 200
    other = restante.add_user(f"{local_user}x")
    number = line.split()[0]
    assert "no such token" in complaint(restante, "token", "revoke", other, number)
    restante.command("token", "revoke", local_user, number)
    assert restante.client(token).get("/session").status == 401
    assert "no such token" in complaint(restante, "token", "revoke", local_user, number)


@pytest.mark.parametrize("port", ["0", "-1", "65536", "4294968289", "imaps"])
def test_ports_that_are_none_are_refused(restante, local_user, port):
    assert "the port must be a number from 1 to 65535" in complaint(
        restante, "account", "add", local_user, "--email", "a@example.org", "--host", "127.0.0.1",
        "--port", port, password="secret words")


def test_an_account_is_added_tested_listed_and_deleted(restante, local_user, person, mailserver):
    told = restante.command(
        "account", "add", local_user, "--email", person.address, "--kind", "imap", "--host",
        mailserver.host, "--port", str(mailserver.ports["imaps"]), "--smtp-host", mailserver.host,
        "--smtp-port", str(mailserver.ports["submissions"]), password=person.password).stdout
    number = re.match(r"Account (\d+): ", told).group(1)
    assert "Sign-in works" in restante.command("account", "test", number).stdout
    assert person.address in restante.command("account", "list", local_user).stdout
    assert person.address in restante.command("account", "list").stdout
    assert "already" in complaint(
        restante, "account", "add", local_user, "--email", person.address, "--host",
        mailserver.host, "--port", str(mailserver.ports["imaps"]), password=person.password)
    restante.command("account", "delete", number)
    assert restante.command("account", "list", local_user).stdout == ""
    assert "no such account" in complaint(restante, "account", "delete", number)


def test_an_untested_account_needs_no_server(restante, local_user):
    restante.command("account", "add", local_user, "--email", "a@example.org", "--host", "127.0.0.1",
                     "--port", str(ports.free()[0]), "--untested", password="secret words")
    assert "a@example.org" in restante.command("account", "list", local_user).stdout


def test_deleting_a_person_while_the_mail_comes_in_ends_both(restante, new_person):
    person = new_person()
    for number in range(300):
        person.receive(f"Subject: letter {number}\n\nhello\n")
    client = restante.sign_in(person.address, person.password)
    account = client.get("/accounts").json["accounts"][0]["id"]
    restante.command("user", "delete", person.address)
    assert client.get(f"/accounts/{account}").status == 401
    assert "no such account" in complaint(restante, "account", "test", account)
    assert restante.client().get("//readyz").status == 200
    # and it may begin again
    fresh = restante.sign_in(person.address, person.password)
    assert harness.eventually(lambda: [
        box for box in fresh.get(
            f"/accounts/{fresh.get('/accounts').json['accounts'][0]['id']}/mailboxes").json["mailboxes"]
        if box["totalEmails"] == 300])


# --- the doctor ---------------------------------------------------------------------------------------------

def findings(told):
    """Of each thing looked at: whether it is well, and what was said."""
    found = {}
    for line in told.stdout.splitlines():
        if line.startswith(("ok ", "BAD ")):
            name = line[5:21].strip()
            found[name] = (line.startswith("ok"), line[22:])
        else:
            found[name] = (found[name][0], found[name][1] + "\n" + line.strip())
    return found


def test_the_doctor_finds_a_running_service_well(restante):
    told = restante.command("doctor")
    found = findings(told)
    assert all(is_well for is_well, _ in found.values()), told.stdout
    assert f"127.0.0.1:{restante.port} served" in found["addresses"][1]
    assert "private" in found["database"][1]


def stopped(folder, **options):
    """A service that is not started, with its configuration written."""
    service = harness.Restante(folder, domains={}, ca_file="", **options)
    service.folder.mkdir(parents=True, exist_ok=True)
    harness.write_config(service.config, service.options, {})
    return service


@pytest.fixture
def folder():
    import shutil
    made = Path(tempfile.mkdtemp(prefix="restante-cli-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_a_database_of_another_version_is_told_as_such(restante):
    """Somebody has put a newer program beside the one that runs."""
    number, name = restante.sql("DELETE FROM schema_migration WHERE version = (SELECT max(version) FROM "
                                "schema_migration) RETURNING version, name").splitlines()[0].split("|")
    try:
        told = complaint(restante, "user", "list")
        assert f"at migration {int(number) - 1}, this program at {number}" in told and "migrate" in told
    finally:
        restante.sql(f"INSERT INTO schema_migration (version, name) VALUES ({number}, '{name}')")


def test_who_may_not_look_is_told_whom_to_be(restante):
    if os.geteuid() != 0 or not unprivileged.is_reachable(restante.binary):
        pytest.skip("needs root, to be somebody else")
    for words in ["user", "list"], ["doctor"]:
        told = run("/usr/sbin/runuser", "-u", "daemon", "--", restante.binary, *words, "--config",
                   restante.config)
        assert told.returncode == 1 and "as root, or as the user" in told.stderr + told.stdout, told


def test_the_doctor_says_what_was_never_started(binary, folder):
    told = stopped(folder).command("doctor", check=False)
    found = findings(told)
    assert told.returncode == 1
    assert not found["state directory"][0] and "restante serve" in found["state directory"][1]
    assert not found["keys"][0] and not found["database"][0]
    assert found["configuration"][0] and found["addresses"][0]


def test_the_doctor_says_what_to_do_about_a_database_that_is_away(binary, folder):
    away = f"host=127.0.0.1 port={ports.free()[0]} dbname=x connect_timeout=2"
    found = findings(stopped(folder, database=away).command("doctor", check=False))
    is_well, said = found["database"]
    assert not is_well and "refused" in said.splitlines()[0]
    assert said.splitlines()[1].startswith("Start that PostgreSQL") and "accounts" not in found


def test_the_doctor_sees_whose_port_it_is(binary, folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        service = stopped(folder, port=other.getsockname()[1])
        is_well, said = findings(service.command("doctor", check=False))["addresses"]
        assert not is_well and "in use by something else" in said and '"listen"' in said


def test_the_doctor_sees_keys_that_do_not_match(binary, folder, mailserver):
    service = harness.Restante(folder, domains={}, ca_file=mailserver.ca_file)
    with service:
        keys = folder / "state/keys"
        (keys / "seal.pub").rename(keys / "seal.pub.right")
        (keys / "seal.pub").write_text((keys / "seal.key").read_text())
        (keys / "seal.pub").chmod(0o644)
        is_well, said = findings(service.command("doctor", check=False))["keys"]
        assert not is_well and "do not belong together" in said
    refused = harness.Restante(folder, domains={}, ca_file=mailserver.ca_file, port=service.port)
    with pytest.raises(RuntimeError, match="do not belong together"):
        refused.start()
    # the public key is made again from the secret one
    (keys / "seal.pub").unlink()
    with harness.Restante(folder, domains={}, ca_file=mailserver.ca_file) as mended:
        assert (keys / "seal.pub").read_text() == (keys / "seal.pub.right").read_text()
        assert findings(mended.command("doctor"))["keys"][0]


def test_the_doctor_sees_a_bad_state_directory(binary, folder):
    service = stopped(folder)
    (folder / "state").mkdir()
    (folder / "state").chmod(0o777)
    is_well, said = findings(service.command("doctor", check=False))["state directory"]
    assert not is_well and "chmod o-w" in said


def test_the_doctor_sees_a_secret_key_that_others_can_read(binary, folder):
    service = stopped(folder)
    keys = folder / "state/keys"
    keys.mkdir(parents=True)
    (keys / "seal.pub").write_text("A" * 43 + "=\n")
    (keys / "seal.key").write_text("A" * 43 + "=\n")
    (keys / "seal.key").chmod(0o644)
    is_well, said = findings(service.command("doctor", check=False))["keys"]
    assert not is_well and "chmod 600" in said


def test_the_doctor_sees_a_missing_ca_file(binary, folder):
    service = stopped(folder)
    harness.write_config(service.config, service.options | {"ca_file": "/nonexistent.pem"}, {})
    assert not findings(service.command("doctor", check=False))["certificates"][0]


def test_commands_without_a_database_say_what_to_start(binary, folder):
    service = stopped(folder)
    told = service.command("user", "list", check=False)
    assert told.returncode == 1 and "restante serve" in told.stderr


# --- roles on somebody else's PostgreSQL ------------------------------------------------------------------------

class Database:
    """A PostgreSQL of ours on TCP with passwords, and a database with an owner who may make roles."""

    def __init__(self, folder):
        self.bin = POSTGRES[-1]
        self.folder = folder / "pg"
        self.folder.mkdir()
        unprivileged.own(self.folder)
        (secret := folder / "secret").write_text("the admin word\n")
        unprivileged.own(secret)
        self.port = ports.free()[0]
        self._run("initdb", "-D", self.folder / "data", "-U", "admin", f"--pwfile={secret}",
                  "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
        self.process = None
        self.start()
        self.sql("CREATE ROLE owner LOGIN CREATEROLE PASSWORD 'owner word'")
        self.sql("CREATE DATABASE mail OWNER owner")

    def _run(self, program, *words, **options):
        who = unprivileged.user()
        as_user = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} \
            if os.geteuid() == 0 else {}
        return subprocess.run([self.bin / program, *words], check=True, capture_output=True, text=True,
                              cwd=self.folder, **as_user, **options)

    def start(self):
        self.process = unprivileged.start(
            [self.bin / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-c",
             "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}", "-c",
             "fsync=off"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert harness.eventually(lambda: subprocess.run(
            [self.bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)],
            capture_output=True).returncode == 0)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=60)
            self.process = None

    def sql(self, statement, database="postgres"):
        return self._run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "admin", "-X", "-A",
                         "-t", "-d", database, "-c", statement,
                         env={"PGPASSWORD": "the admin word"}).stdout.strip()

    @property
    def conninfo(self):
        return f"host=127.0.0.1 port={self.port} dbname=mail user=owner password='owner word'"


@pytest.fixture(scope="module")
def database(binary):
    if not POSTGRES:
        pytest.skip("PostgreSQL is not installed")
    import shutil
    made = Path(tempfile.mkdtemp(prefix="restante-pg-", dir="/tmp"))
    made.chmod(0o755)
    started = Database(made)
    yield started
    started.stop()
    shutil.rmtree(made, ignore_errors=True)


class Role:
    """`restante serve --role`, of one shared configuration."""

    def __init__(self, service, role):
        self.log = service.folder / f"{role}.log"
        with open(self.log, "ab") as log:
            self.process = unprivileged.start(
                [str(service.binary), "serve", "--role", role, "--config", str(service.config)],
                as_user=False, stdout=log, stderr=log)

    @property
    def said(self):
        return self.log.read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        assert unprivileged.stop(self.process, patience=40) == 0, self.said


@pytest.fixture
def split(database, folder, mailserver):
    """A configuration for roles on the database, whatever is in it."""
    service = harness.Restante(
        folder / "split", domains={"example.org": harness.domain("imap", mailserver)},
        ca_file=mailserver.ca_file, database=database.conninfo)
    service.folder.mkdir()
    harness.write_config(service.config, service.options, service.domains)
    return service


def is_ready(service):
    try:
        return service.client().get("//readyz").status == 200
    except OSError:
        return False


def test_a_role_on_a_database_without_our_tables_says_what_to_run(split):
    told = subprocess.run([str(split.binary), "serve", "--role", "sync", "--config",
                           str(split.config)], capture_output=True, text=True, timeout=60)
    assert told.returncode == 1 and "restante migrate" in told.stderr
    assert "owner word" not in told.stderr


def test_a_web_role_without_keys_makes_none(split):
    told = subprocess.run([str(split.binary), "serve", "--role", "web", "--config",
                           str(split.config)], capture_output=True, text=True, timeout=60)
    assert told.returncode == 1 and "copy keys/seal.pub" in told.stderr
    assert not (split.folder / "state/keys/seal.pub").exists()


def test_an_unknown_role_is_refused(split):
    told = subprocess.run([str(split.binary), "serve", "--role", "all", "--config", str(split.config)],
                          capture_output=True, text=True, timeout=60)
    assert told.returncode == 1 and "roles are web and sync" in told.stderr


def test_the_roles_serve_mail_on_another_database(database, split, person):
    person.receive("Subject: far away\n\nhello\n")
    assert "applied" in split.command("migrate").stdout
    assert "up to date" in split.command("migrate").stdout
    with Role(split, "sync") as sync:
        assert harness.eventually(lambda: "event=sync.started" in sync.said), sync.said
        with Role(split, "web") as web:
            assert harness.eventually(lambda: is_ready(split)), web.said
            client = split.sign_in(person.address, person.password)
            account = client.get("/accounts").json["accounts"][0]["id"]
            assert harness.eventually(lambda: any(
                box["totalEmails"] == 1
                for box in client.get(f"/accounts/{account}/mailboxes").json["mailboxes"]))
            # the wall: the web role's connections are restante_web's, and see nobody's rows
            assert database.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE "
                                "'restante-web%'") != "0"
            assert database.sql("SET ROLE restante_web; SELECT count(*) FROM account",
                                "mail").splitlines()[-1] == "0"
            doctor = split.command("doctor")
            assert "configured" in findings(doctor)["database"][1]
            # a restart of the database is outlived by both
            database.stop()
            assert client.get("//readyz").status == 503
            database.start()
            assert harness.eventually(lambda: is_ready(split))
            assert client.get(f"/accounts/{account}").status == 200
            person.receive("Subject: and again\n\nhello\n")
            assert client.post(f"/accounts/{account}/sync",
                               headers={"X-CSRF-Token": client.get("/session").json["csrf"]}
                               ).status == 202
            assert harness.eventually(lambda: any(
                box["totalEmails"] == 2
                for box in client.get(f"/accounts/{account}/mailboxes").json["mailboxes"])), sync.said
            assert "owner word" not in web.said + sync.said


def test_a_wrong_database_password_is_said_and_not_shown(database, split):
    harness.write_config(split.config, split.options | {
        "database": database.conninfo.replace("owner word", "wrong word")}, {})
    told = split.command("migrate", check=False)
    assert told.returncode == 1 and "password authentication failed" in told.stderr
    assert "wrong word" not in told.stderr
