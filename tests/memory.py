"""How much memory other processes take while something passes through them."""

import re
import threading
from pathlib import Path


def kilobytes(pid, name="VmRSS"):
    """A figure of /proc/PID/status, in kB; 0 once the process is gone."""
    try:
        found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


class Peak:
    """How much more each process had at its highest than at the beginning:

        with Peak(web, sync) as peak:
            ...
        assert max(peak.grown_kb()) < 8000

    The kernel keeps the highest mark, and where we may set that anew (root may) it is exact; elsewhere
    we look a hundred times a second."""

    def __init__(self, *pids):
        self._pids, self._exact, self._highest = pids, set(), {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        for pid in self._pids:
            try:
                Path(f"/proc/{pid}/clear_refs").write_text("5")
                self._exact.add(pid)
            except OSError:
                pass
        self._before = {pid: kilobytes(pid) for pid in self._pids}
        self._highest = dict(self._before)
        self._thread.start()
        return self

    def _look(self):
        while not self._end.wait(0.01):
            self._note()

    def _note(self):
        for pid in self._pids:
            name = "VmHWM" if pid in self._exact else "VmRSS"
            self._highest[pid] = max(self._highest[pid], kilobytes(pid, name))

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self._note()

    def grown_kb(self):
        """Of each process, in the order given; once the block is over."""
        return [self._highest[pid] - self._before[pid] for pid in self._pids]
