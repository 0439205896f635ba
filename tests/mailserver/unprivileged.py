"""Running servers as nobody in particular, and making sure that they end with us."""

import ctypes
import os
import pwd
import signal
import subprocess
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def user():
    """Whose rights servers run with: our own, or `nobody`'s when we are root (Dovecot refuses to
    open root's mail, PostgreSQL to start as root)."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def is_reachable(folder):
    """True if `user()` could come to files in this folder (root's home is closed to others)."""
    if os.geteuid() != 0:
        return True
    folder = Path(folder).resolve()
    return all(step.stat().st_mode & 0o001 for step in folder.parents if step.exists())


def own(path):
    """Gives a file or folder, with all in it, to `user()`."""
    if os.geteuid() != 0:
        return
    who = user()
    os.chown(path, who.pw_uid, who.pw_gid)
    for parent, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(os.path.join(parent, name), who.pw_uid, who.pw_gid,
                     follow_symlinks=False)


def _prepare_child():
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what we wait for, it must hear
    # After the change of user: that clears the setting.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def start(command, *, as_user=True, **options):
    """Popen in a session of its own (so that Ctrl-C reaches only us, who stop it in order), as
    `user()`, ended by the kernel if we die first."""
    if as_user and os.geteuid() == 0:
        who = user()
        options |= {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
    return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL,
                            preexec_fn=_prepare_child, **options)


def stop(process, *, patience=10):
    """SIGTERM, then SIGKILL to the session if that is not enough. Returns the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode
