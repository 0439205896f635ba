#!/usr/bin/python3
"""A fake IMAP, POP3 or SMTP server that follows a script, for what no real server does on demand.

    S: * OK ready                    sends the line and CRLF
    C: {tag} LOGIN ... ...           expects a line; {name} matches a word and keeps it,
                                     ... matches anything
    S: {tag} OK done                 {name} is what was kept
    S* 100000: * {i} EXISTS          sends it that often; {i} counts from 1
    S~: * OK half a li               sends without CRLF
    C~: 17                           expects that many bytes (a literal), whatever they are
    split 1                          from here on sends that many bytes at a time (0: whole again)
    tls | tls expired                TLS from here on: at the beginning, or after STARTTLS's answer
    wait 0.2                         seconds
    stall                            nothing more, until the client goes or the server stops
    close | reset                    the end; what follows is never reached
    --- again                        what follows is for the next connection

Empty lines and lines that begin with # are comments. \\xNN, \\r, \\n, \\t, \\\\ are bytes. After a
script's last line the connection is closed. The last script serves all further connections.
`server.problems` says where a client did something else; `server.transcripts` what was said.
"""

import argparse
import re
import socket
import ssl
import struct
import sys
import threading
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.mailserver import ports
from tests.mailserver.certificates import Authority

_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
_LINE_LIMIT = 1 << 20


class ScriptError(Exception):
    """The script itself is wrong."""


def parse(text):
    """One list of (line number, verb, argument) for each connection."""
    scripts = [[]]
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("---"):
            scripts.append([])
            continue
        said = re.match(r"(S|C)(~|\*\s*\d+)?:(?: (.*)|$)", line)
        if said:
            who, how, argument = said.groups()
            scripts[-1].append((number, who + (how or "").replace(" ", ""), argument or ""))
            continue
        verb, _, argument = line.partition(" ")
        if verb not in ("split", "tls", "wait", "stall", "close", "reset"):
            raise ScriptError(f"line {number}: {line!r} is nothing a script can do")
        scripts[-1].append((number, verb, argument))
    return scripts


def to_bytes(text):
    out, at = b"", 0
    for match in re.finditer(r"\\(x[0-9A-Fa-f]{2}|.)", text):
        out += text[at:match.start()].encode()
        escape = match.group(1)
        if escape in _ESCAPES:
            out += _ESCAPES[escape]
        elif escape.startswith("x") and len(escape) == 3:
            out += bytes.fromhex(escape[1:])
        else:
            raise ScriptError(f"{match.group(0)} is no escape")
        at = match.end()
    return out + text[at:].encode()


def to_pattern(text):
    """The regular expression of a C: line. The same {name} twice must match the same word."""
    pattern, seen = "", set()
    for piece in re.split(r"(\{\w+\}|\.\.\.)", text):
        if piece == "...":
            pattern += ".*"
        elif re.fullmatch(r"\{[A-Za-z_]\w*\}", piece):
            name = piece[1:-1]
            pattern += f"(?P={name})" if name in seen else rf"(?P<{name}>\S+)"
            seen.add(name)
        else:
            pattern += re.escape(piece)
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


class _Done(Exception):
    pass


class ScriptedServer:
    """`authority`: for `tls`."""

    def __init__(self, script, authority=None, port=0):
        self.scripts = parse(script)
        self.authority = authority
        self.problems = []
        self.transcripts = []
        self.finished = 0  # scripts followed to their end
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._open = set()
        self._listener = ports.listener(port)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def stop(self):
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for conversation in self._open:
                conversation.end()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                script = self.scripts[min(len(self.transcripts), len(self.scripts) - 1)]
                transcript = []
                self.transcripts.append(transcript)
                conversation = _Conversation(self, connection, script, transcript)
                self._open.add(conversation)
            threading.Thread(target=self._serve, args=(conversation,), daemon=True).start()

    def _serve(self, conversation):
        try:
            conversation.run()
            self.finished += 1
        except _Done:
            pass
        except ssl.SSLError as problem:
            conversation.transcript.append(f"(TLS: {problem.reason})")
        except OSError as problem:
            conversation.transcript.append(f"(connection: {problem.strerror})")
        finally:
            with self._lock:
                self._open.discard(conversation)
            conversation.end()


class _Conversation:
    def __init__(self, server, connection, script, transcript):
        self.server = server
        self.connection = connection
        self.reader = connection.makefile("rb")
        self.script = script
        self.transcript = transcript
        self.kept = {}
        self.split = 0

    def end(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()

    def run(self):
        for number, verb, argument in self.script:
            if verb == "S":
                self._send(argument, b"\r\n")
            elif verb == "S~":
                self._send(argument, b"")
            elif verb.startswith("S*"):
                self._flood(int(verb[2:]), argument)
            elif verb == "C":
                self._expect(number, argument)
            elif verb == "C~":
                self._expect_bytes(number, int(self._filled(argument)))
            elif verb == "split":
                self.split = int(argument)
            elif verb == "tls":
                self._start_tls(argument or "good")
            elif verb == "wait":
                self.server._stopping.wait(float(argument))
            elif verb == "stall":
                self._stall()
            elif verb == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
                self.reader.close()
                self.connection.close()
                return
            else:
                return

    def _filled(self, text):
        return re.sub(r"\{([A-Za-z_]\w*)\}", lambda name: self.kept.get(name.group(1), name.group(0)),
                      text)

    def _send(self, text, end):
        text = self._filled(text)
        self.transcript.append(f"S: {text}")
        self._write(to_bytes(text) + end)

    def _flood(self, times, text):
        self.transcript.append(f"S: {text} ({times} times)")
        for begin in range(1, times + 1, 1000):
            lines = []
            for count in range(begin, min(begin + 1000, times + 1)):
                self.kept["i"] = str(count)
                lines.append(to_bytes(self._filled(text)) + b"\r\n")
            self._write(b"".join(lines))

    def _write(self, content):
        if not self.split:
            self.connection.sendall(content)
            return
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(content), self.split):
            self.connection.sendall(content[at:at + self.split])

    def _expect(self, number, text):
        line = self.reader.readline(_LINE_LIMIT)
        shown = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        self.transcript.append(f"C: {shown}" if line else "(the client closed)")
        match = to_pattern(text).fullmatch(shown) if line.endswith(b"\r\n") else None
        if not match:
            self.server.problems.append(
                f"line {number}: expected {text!r}, got {shown!r}" if line else
                f"line {number}: expected {text!r}, but the client closed")
            raise _Done
        self.kept |= match.groupdict()

    def _expect_bytes(self, number, count):
        content = self.reader.read(count)
        self.transcript.append(f"C: ({len(content)} bytes)")
        self.kept["literal"] = content.decode("utf-8", "backslashreplace")
        if len(content) < count:
            self.server.problems.append(f"line {number}: {len(content)} bytes of {count}")
            raise _Done

    def _start_tls(self, kind):
        shown = self.server.authority.certificate(kind)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.certificate, shown.key)
        self.transcript.append(f"(TLS, {kind} certificate)")
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.reader = self.connection.makefile("rb")

    def _stall(self):
        while self.connection.recv(65536):
            pass
        raise _Done


def main():
    parser = argparse.ArgumentParser(description="Serves a script; prints what was said.")
    parser.add_argument("script", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ca", metavar="FOLDER", help="of certificates.py, for `tls`")
    arguments = parser.parse_args()
    authority = Authority(arguments.ca) if arguments.ca else None
    with ScriptedServer(arguments.script.read_text(), authority, arguments.port) as server:
        print(f"127.0.0.1:{server.port}", flush=True)
        shown = 0
        try:
            while True:
                time.sleep(0.1)
                lines = [line for transcript in server.transcripts for line in transcript]
                for line in lines[shown:]:
                    print(line, flush=True)
                shown = len(lines)
        except KeyboardInterrupt:
            print("\n".join(server.problems))


if __name__ == "__main__":
    main()
