"""Run a program that the kernel kills when its parent dies: `tethered.py PARENT_PID [--not-root DIR] PROGRAM ARG...`.

A file of its own, run by path: it becomes the program, so that there is no process in between. With `--not-root` the
program is not root even if we are, and may write into that folder.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY, SOMEBODY = 65534, 1000


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if program[0] == "--not-root":
        folder, program = program[1], program[2:]
        if os.geteuid() == 0:
            give_up_root(folder)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after the user is changed, which would undo it
    if os.getppid() != parent:  # it died before we asked to be told
        sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606 (no shell is wanted)


def give_up_root(folder: str) -> None:
    """Be somebody in a user namespace, who may read what only root may; where there are no namespaces, be nobody."""
    if sys.platform == "linux" and ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{SOMEBODY} 0 1"), ("gid_map", f"{SOMEBODY} 0 1")):
            Path("/proc/self", name).write_text(text)
        return
    for path in (Path(folder), *Path(folder).rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


if __name__ == "__main__":
    main()
