"""A TCP proxy that misbehaves where a test wants it to.

    with Proxy(server.ports["imaps"]) as proxy:
        proxy.faults = [Cut(after=5000)]          # of what the server sends
        ... connect to proxy.port ...

Faults act on connections made after they were set. Several work together, in the order given.
`towards` is "client" (what the server says; the default) or "server".
"""

import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field

from tests.mailserver import ports

CLIENT, SERVER = "client", "server"


@dataclass
class Cut:
    """Closes both sides once that many bytes have passed; `reset`: with RST."""
    after: int = 0
    towards: str = CLIENT
    reset: bool = False


@dataclass
class CutAt:
    """Closes both sides just before these bytes would pass (in plain text or behind Proxy(tls=))."""
    pattern: bytes
    towards: str = CLIENT


@dataclass
class StallAt:
    """Stops just before these bytes would pass, until `proxy.release()`; `proxy.held` counts such
    stops."""
    pattern: bytes
    towards: str = CLIENT


@dataclass
class Stall:
    """Passes that many bytes, then nothing more until `proxy.release()`; the connection stays."""
    after: int = 0
    towards: str = CLIENT


@dataclass
class Delay:
    """Holds each piece for a while."""
    seconds: float
    towards: str = CLIENT


@dataclass
class Split:
    """Passes pieces of at most `size` bytes, each in a packet of its own."""
    size: int = 1
    towards: str = CLIENT


@dataclass
class Hear:
    """Lets all pass and keeps it, to look for what was said."""
    towards: str = SERVER
    said: bytearray = field(default_factory=bytearray)


@dataclass
class Record:
    """No fault: keeps what passes."""
    towards: str = CLIENT
    passed: bytes = b""


@dataclass
class Refuse:
    """Takes the connection and closes it at once."""


class _Ended(Exception):
    def __init__(self, reset=False):
        super().__init__()
        self.reset = reset


class Proxy:
    """`tls`: a certificates.Certificate to show, with TLS towards the client and plain text towards
    the server: an expired or wrong certificate before a healthy server. `source`: the address to
    come from (127.0.0.2 makes Dovecot treat us as not local). `transcript`, once it is a list, gets
    each piece that passes: when, towards whom, and the bytes."""

    def __init__(self, target_port, *, tls=None, source="", faults=()):
        self.target_port = target_port
        self.faults = list(faults)
        self.connections = 0  # made so far
        self.held = 0  # stops of StallAt so far
        self.bytes_passed = {CLIENT: 0, SERVER: 0}
        self.transcript = None
        self._source = source
        self._tls = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(tls.certificate, tls.key)
        self._released = threading.Event()
        self._open = set()
        self._cuts = 0
        self._lock = threading.Lock()
        self._listener = ports.listener()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def stop(self):
        self.release()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def release(self):
        """Ends all stalls."""
        self._released.set()

    def cut_all(self, reset=False):
        """Cuts what is open now, and what is being made with the faults of before."""
        with self._lock:
            self._cuts += 1
            for pair in list(self._open):
                _cut(pair, reset)

    @property
    def open_count(self):
        with self._lock:
            return len(self._open)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with self._lock:
                cuts = self._cuts
            threading.Thread(target=self._serve, args=(client, list(self.faults), cuts),
                             daemon=True).start()

    def _serve(self, client, faults, cuts):
        pair = None
        try:
            if any(isinstance(fault, Refuse) for fault in faults):
                return
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.target_port), 10,
                                              source_address=(self._source, 0))
            server.settimeout(None)
            pair = (client, server)
            with self._lock:
                if self._cuts != cuts:
                    return
                self._open.add(pair)
            back = threading.Thread(target=self._pass, args=(pair, server, client, CLIENT, faults),
                                    daemon=True)
            back.start()
            self._pass(pair, client, server, SERVER, faults)
            back.join()
        except OSError:
            pass  # a client that refused our certificate, or a server that is down
        finally:
            with self._lock:
                self._open.discard(pair)
            _close(pair or (client,))

    def _pass(self, pair, source, target, towards, faults):
        faults = [fault for fault in faults if getattr(fault, "towards", None) == towards]
        passed = 0
        try:
            while piece := source.recv(65536):
                for part in self._pieces(piece, faults):
                    for fault in faults:
                        part = self._apply(fault, part, passed, target)
                    if self.transcript is not None:
                        self.transcript.append((time.monotonic(), towards, part))
                    target.sendall(part)
                    passed += len(part)
                    self.bytes_passed[towards] += len(part)
            target.shutdown(socket.SHUT_WR)
        except _Ended as end:
            _cut(pair, end.reset)
        except OSError:
            _cut(pair, False)

    @staticmethod
    def _pieces(piece, faults):
        size = min((fault.size for fault in faults if isinstance(fault, Split)), default=len(piece))
        return [piece[at:at + size] for at in range(0, len(piece), size)]

    def _apply(self, fault, part, passed, target):
        """What of `part` may go on now; raises _Ended when the connection is to end here."""
        if isinstance(fault, Cut) and passed + len(part) > fault.after:
            target.sendall(part[:max(0, fault.after - passed)])
            raise _Ended(fault.reset)
        if isinstance(fault, CutAt) and fault.pattern in part:
            target.sendall(part[:part.index(fault.pattern)])
            raise _Ended
        if isinstance(fault, StallAt) and fault.pattern in part and not self._released.is_set():
            early = part[:part.index(fault.pattern)]
            target.sendall(early)
            self.held += 1
            self._released.wait()
            return part[len(early):]
        if isinstance(fault, Stall) and passed + len(part) > fault.after and \
                not self._released.is_set():
            early = part[:max(0, fault.after - passed)]
            target.sendall(early)
            self._released.wait()
            return part[len(early):]
        if isinstance(fault, Hear):
            fault.said += part
        if isinstance(fault, Record):
            fault.passed += part
        if isinstance(fault, Delay):
            self._released.wait(fault.seconds)
        return part


def _cut(sockets, reset):
    """Ends both sides without closing: the threads that read them would read from whatever has the
    same number next. They close."""
    for each in sockets:
        try:
            if reset:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
        except OSError:
            pass


def _close(sockets):
    for each in sockets:
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        each.close()
