"""Free TCP ports of 127.0.0.1."""

import random
import socket
from pathlib import Path

_LOWEST = 10240
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


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
    one of ours stays free while its server starts, and starts again."""
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32768
    return range(_LOWEST, end) if end > 2 * _LOWEST else range(_LOWEST, 65536)


def free(count=1):
    """That many different ports which were free a moment ago."""
    candidates, probes = _candidates(), []
    while len(probes) < count:
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", random.choice(candidates)))
            probes.append(probe)
        except OSError:
            probe.close()
    found = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return found
