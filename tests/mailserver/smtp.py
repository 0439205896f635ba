"""A submission server (RFC 6409): implicit TLS (465) and STARTTLS (587), AUTH PLAIN and LOGIN.

Mail to local users goes through Dovecot's LMTP into their mailboxes; mail to anybody else is kept
in `outside`, so that a test can see what would have left. Strict where clients go wrong: only CRLF
ends a line, commands out of order are refused, and each session's lines are kept.
"""

import base64
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from tests.mailserver import ports
from tests.mailserver.dovecot import lmtp_deliver

PORT_NAMES = ("submissions", "submission")
SIZE_LIMIT = 50_000_000
_LINE_LIMIT = 2048


@dataclass
class Message:
    sender: str
    recipients: list
    content: bytes
    user: str
    arguments: dict = field(default_factory=dict)  # of MAIL FROM: {"BODY": "8BITMIME"}


@dataclass
class Rules:
    """What a test may make the server do. Keys are verbs ("EHLO", "AUTH", "MAIL", "RCPT", "DATA",
    "." for the answer after the final dot); values a whole reply ("451 4.3.0 later"), "close" (the
    connection, before anything is answered) or, for ".", "deliver-close": accepted, but the client
    never hears of it."""
    replies: dict = field(default_factory=dict)
    recipients: dict = field(default_factory=dict)  # address -> reply
    extensions: list = field(default_factory=lambda: [
        "PIPELINING", f"SIZE {SIZE_LIMIT}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN",
        "CHUNKING"])
    auth_without_tls: bool = False
    seconds: float = 0  # that it takes over each message
    messages: int = 0  # that it takes of one connection; then MAIL has replies["limit"]; 0: all


class SubmissionServer:
    def __init__(self, authority, *, certificate="good", port_of=None, check_password=None,
                 is_local=None, lmtp_socket=None):
        """`check_password(user, password)`, `is_local(address)` and `lmtp_socket()` connect it to
        Dovecot."""
        shown = authority.certificate(certificate)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(shown.certificate, shown.key)
        self._check_password = check_password
        self._is_local = is_local
        self._lmtp_socket = lmtp_socket
        self.ports = dict(port_of or {})
        self.rules = Rules()
        self.outside = []  # of Message
        self.accepted = []  # of Message, all of them
        self.transcripts = []  # a list of lines for each session, passwords left out
        self._listeners = []
        self._sessions = set()
        self._lock = threading.Lock()

    def start(self):
        for name in PORT_NAMES:
            listener = _listen(self.ports.get(name, 0))
            self.ports[name] = listener.getsockname()[1]
            self._listeners.append(listener)
            threading.Thread(target=self._accept, args=(listener, name == "submissions"),
                             name=f"smtp-{name}", daemon=True).start()
        return self

    def stop(self):
        for listener in self._listeners:
            # Wakes the thread in accept(); close() alone does not.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._listeners.clear()
        with self._lock:
            for session in self._sessions:
                session.abort()

    def reset(self):
        """As at the start, for the next test."""
        self.rules = Rules()
        for kept in (self.outside, self.accepted, self.transcripts):
            kept.clear()

    def _accept(self, listener, is_tls):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            # Pipelined commands get their answers one by one here; none shall wait for an ACK.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = _Session(self, connection, is_tls)
            with self._lock:
                self._sessions.add(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session):
        try:
            session.run()
        except (OSError, EOFError, ssl.SSLError):
            pass  # the client went away
        finally:
            session.abort()
            with self._lock:
                self._sessions.discard(session)

    def _take(self, message):
        """Delivers; returns the reply to the final dot."""
        self.accepted.append(message)
        local = [to for to in message.recipients if self._is_local and self._is_local(to)]
        if len(local) < len(message.recipients):
            self.outside.append(message)
        if local:
            received = (f"Received: from {message.user} by mail.example.org with ESMTPSA;\r\n"
                        f"\t{time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\r\n")
            results = lmtp_deliver(self._lmtp_socket(), message.sender, local,
                                   received.encode() + message.content)
            for code, text in results.values():
                if code != 250:
                    return f"{code} {text.splitlines()[0]}"
        return f"250 2.0.0 Ok: queued as {len(self.accepted):06X}"


class _Close(Exception):
    pass


class _Session:
    def __init__(self, server, connection, is_tls):
        self.server = server
        self.connection = connection
        self.is_tls = is_tls
        self.transcript = []
        self.user = None
        self.greeted = False
        self.taken = 0
        self.is_leaving = False  # QUIT is about to be answered: from then on the client may be gone
        self._forget_message()

    def abort(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed already
        self.connection.close()

    def _forget_message(self):
        self.sender = None
        self.recipients = []
        self.arguments = {}
        self.chunks = b""

    # --- the wire ---------------------------------------------------------------------------------

    def _open(self):
        if self.is_tls:
            self.connection = self.server._tls.wrap_socket(self.connection, server_side=True)
        self.reader = self.connection.makefile("rb")

    def _read_line(self):
        line = self.reader.readline(_LINE_LIMIT)
        if not line:
            raise EOFError
        # "\n" alone ends no line (and never the message: SMTP smuggling).
        while not line.endswith(b"\r\n"):
            more = self.reader.readline(_LINE_LIMIT)
            if not more:
                raise EOFError
            line += more
        return line[:-2]

    def _send(self, reply):
        self.transcript.append(f"S: {reply}")
        self.connection.sendall(reply.encode(errors="surrogateescape") + b"\r\n")

    # --- the session ------------------------------------------------------------------------------

    def run(self):
        self.connection.settimeout(300)
        self.server.transcripts.append(self.transcript)
        self._open()
        self._send("220 mail.example.org ESMTP")
        try:
            while True:
                line = self._read_line().decode("utf-8", "surrogateescape")
                verb, _, rest = line.partition(" ")
                verb = verb.upper()
                self.transcript.append(f"C: {'AUTH ...' if verb == 'AUTH' else line}")
                handler = getattr(self, f"_do_{verb.lower()}", None)
                if handler is None:
                    self._send("500 5.5.2 Unknown command")
                elif verb == "BDAT" or not self._ruled("limit" if self._is_over(verb) else verb):
                    handler(rest)
        except _Close:
            pass

    def _is_over(self, verb):
        limit = self.server.rules.messages
        return verb == "MAIL" and 0 < limit <= self.taken

    def _ruled(self, verb):
        """Whether a rule of the test has answered already."""
        reply = self.server.rules.replies.get(verb)
        if reply == "close":
            raise _Close
        if reply is None or reply == "deliver-close":
            return False
        self._send(reply)
        return True

    def _do_ehlo(self, name):
        self.greeted = True
        self._forget_message()
        lines = ["mail.example.org", *self.server.rules.extensions]
        if not self.is_tls:
            lines.append("STARTTLS")
        if self.is_tls or self.server.rules.auth_without_tls:
            lines.append("AUTH PLAIN LOGIN")
        for line in lines[:-1]:
            self._send(f"250-{line}")
        self._send(f"250 {lines[-1]}")

    def _do_helo(self, name):
        self.greeted = True
        self._forget_message()
        self._send("250 mail.example.org")

    def _do_starttls(self, rest):
        if self.is_tls:
            self._send("503 5.5.1 TLS is on already")
            return
        # What a client pipelined behind STARTTLS goes away with the old reader.
        self._send("220 2.0.0 Ready")
        self.is_tls = True
        self.greeted = False
        self._open()

    def _do_auth(self, rest):
        if not self.is_tls and not self.server.rules.auth_without_tls:
            self._send("538 5.7.11 Encryption required")
            return
        if self.user or not self.greeted:
            self._send("503 5.5.1 Not now")
            return
        mechanism, _, initial = rest.partition(" ")
        try:
            if mechanism.upper() == "PLAIN":
                _, user, password = self._answer("", initial).split("\0")
            elif mechanism.upper() == "LOGIN":
                user = self._answer("Username:", initial)
                password = self._answer("Password:", "")
            else:
                self._send("504 5.5.4 Unknown mechanism")
                return
        except ValueError:
            self._send("501 5.5.2 Cannot decode that")
            return
        if self.server._check_password and self.server._check_password(user, password):
            self.user = user
            self._send("235 2.7.0 Welcome")
        else:
            self._send("535 5.7.8 Wrong name or password")

    def _answer(self, prompt, initial):
        if not initial:
            self._send("334 " + base64.b64encode(prompt.encode()).decode())
            initial = self._read_line().decode("ascii", "replace")
        if initial == "*":
            raise ValueError("cancelled")
        return base64.b64decode("" if initial == "=" else initial, validate=True).decode()

    def _do_mail(self, rest):
        if not self.user:
            self._send("530 5.7.0 Sign in first")
        elif self.sender is not None:
            self._send("503 5.5.1 One message at a time")
        elif not rest.upper().startswith("FROM:<") or ">" not in rest:
            self._send("501 5.5.4 MAIL FROM:<address>")
        else:
            address, _, arguments = rest[len("FROM:<"):].partition(">")
            pairs = (word.partition("=")[::2] for word in arguments.split())
            self.arguments = {name.upper(): value for name, value in pairs}
            if int(self.arguments.get("SIZE", "0") or 0) > SIZE_LIMIT:
                self._send("552 5.3.4 Too large")
                return
            self.sender = address
            self._send("250 2.1.0 Ok")

    def _do_rcpt(self, rest):
        if self.sender is None:
            self._send("503 5.5.1 MAIL first")
            return
        if not rest.upper().startswith("TO:<") or ">" not in rest:
            self._send("501 5.5.4 RCPT TO:<address>")
            return
        address = rest[len("TO:<"):].partition(">")[0]
        reply = self.server.rules.recipients.get(address, "250 2.1.5 Ok")
        if reply.startswith("250"):
            self.recipients.append(address)
        self._send(reply)

    def _do_data(self, rest):
        if not self.recipients:
            self._send("503 5.5.1 RCPT first" if self.sender is not None else "503 5.5.1 MAIL first")
            return
        self._send("354 End with <CRLF>.<CRLF>")
        lines = []
        while (line := self._read_line()) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        self._finish(b"".join(line + b"\r\n" for line in lines))

    def _do_bdat(self, rest):
        size, _, last = rest.partition(" ")
        chunk = self.reader.read(int(size))
        if self._ruled("BDAT"):
            return
        if not self.recipients:
            self._send("503 5.5.1 RCPT first")
            return
        self.chunks += chunk
        if last.upper() == "LAST":
            self._finish(self.chunks)
        else:
            self._send("250 2.0.0 Ok")

    def _finish(self, content):
        message = Message(self.sender, self.recipients, content, self.user, self.arguments)
        self._forget_message()
        if self._ruled("."):
            return
        time.sleep(self.server.rules.seconds)
        reply = self.server._take(message)
        self.taken += 1
        if self.server.rules.replies.get(".") == "deliver-close":
            raise _Close
        self._send(reply)

    def _do_rset(self, rest):
        self._forget_message()
        self._send("250 2.0.0 Ok")

    def _do_noop(self, rest):
        self._send("250 2.0.0 Ok")

    def _do_vrfy(self, rest):
        self._send("252 2.5.0 Send it and see")

    def _do_quit(self, rest):
        self.is_leaving = True
        self._send("221 2.0.0 Bye")
        raise _Close


def _listen(port):
    try:
        return ports.listener(port, backlog=128)
    except OSError:
        return ports.listener(backlog=128)
