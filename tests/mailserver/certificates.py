"""A test CA made at start with openssl, and the certificates (good and bad) that servers show.

Everything is written once into one folder and used again as long as it is valid, so that the
second start of the demo is quick and its clients go on trusting the same CA.
"""

import ipaddress
import subprocess
from dataclasses import dataclass
from pathlib import Path

# What a server may show. All but `good` must be refused by a careful client.
KINDS = ("good", "expired", "self-signed", "wrong-host")

HOSTS = ("localhost", "127.0.0.1", "::1", "mail.example.org")
DAYS = 3650

# `openssl ca` is the only command of OpenSSL 3.0 that takes dates in the past.
_CA_CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path


class Authority:
    """The CA of one folder; `authority.file` is what clients are told to trust."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.file = self.folder / "ca.pem"
        if not (self.folder / "complete").exists():
            self._make()

    def certificate(self, kind="good"):
        assert kind in KINDS, f"{kind!r} is none of {', '.join(KINDS)}"
        return Certificate(self.folder / f"{kind}.pem", self.folder / f"{kind}.key")

    def issue(self, name, *hosts):
        """One more good certificate, for these hosts."""
        self._issue(name, hosts, ["-days", str(DAYS)])
        return Certificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")

    def _make(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._self_sign("ca", "/CN=Restante test CA", "basicConstraints=critical,CA:TRUE",
                        "keyUsage=critical,keyCertSign,cRLSign")
        (self.folder / "index.txt").write_text("")
        (self.folder / "ca.cnf").write_text(_CA_CONFIG.format(folder=self.folder))
        self._issue("good", HOSTS, ["-days", str(DAYS)])
        self._issue("expired", HOSTS,
                    ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"])
        self._issue("wrong-host", ("elsewhere.example.net",), ["-days", str(DAYS)])
        self._self_sign("self-signed", "/CN=localhost", f"subjectAltName={_names(HOSTS)}")
        (self.folder / "complete").touch()

    def _self_sign(self, name, subject, *extensions):
        self._openssl("req", "-x509", *self._new_key(name), "-subj", subject, "-days", str(DAYS),
                      "-out", f"{name}.pem", *_added(extensions))

    def _issue(self, name, hosts, dates):
        self._openssl("req", *self._new_key(name), "-subj", f"/CN={hosts[0]}", "-out",
                      f"{name}.csr", *_added([f"subjectAltName={_names(hosts)}"]))
        self._openssl("ca", "-batch", "-notext", "-config", "ca.cnf", *dates, "-in",
                      f"{name}.csr", "-out", f"{name}.pem")

    @staticmethod
    def _new_key(name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key")

    def _openssl(self, *arguments):
        run = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True,
                             text=True)
        if run.returncode != 0:
            raise RuntimeError(f"openssl {' '.join(arguments)}: {run.stderr.strip()}")


def _added(extensions):
    return [word for extension in extensions for word in ("-addext", extension)]


def _names(hosts):
    return ",".join(f"{'IP' if _is_address(host) else 'DNS'}:{host}" for host in hosts)


def _is_address(host):
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
