"""Free TCP ports of 127.0.0.1: never one twice, for a service that a test left goes on calling at the port of a
server that has ended, and would be a stranger to the next one there."""

import os
import random
import socket
from pathlib import Path

_LOWEST = 10240
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_unused = []


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _candidates():
    """Ports below those that the kernel gives to outgoing connections (and to whoever binds to 0):
    one of ours stays free while its server starts, and starts again. Each process of a test run
    has its own of them."""
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32768
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return range(_LOWEST + worker, end if end > 2 * _LOWEST else 65536, workers)


def _next():
    if not _unused:
        _unused.extend(random.sample(_candidates(), len(_candidates())))
    return _unused.pop()


def free(count=1):
    """That many different ports which were free a moment ago."""
    probes = []
    while len(probes) < count:
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", _next()))
            probes.append(probe)
        except OSError:
            probe.close()
    found = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return found


def listener(port=0, backlog=64):
    """A listening socket: on that port, or on a free one."""
    return socket.create_server(("127.0.0.1", port or free()[0]), backlog=backlog)
