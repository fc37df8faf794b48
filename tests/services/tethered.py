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
PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP = 28, 4
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAPABILITY_VERSION_3, CAP_DAC_OVERRIDE = 0x20080522, 1


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
    """Be somebody in a user namespace; where there are none, as in many containers, be nobody.

    Either way the program may still read what only root may: the project may be in root's own folder.
    """
    if sys.platform == "linux" and ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{SOMEBODY} 0 1"), ("gid_map", f"{SOMEBODY} 0 1")):
            Path("/proc/self", name).write_text(text)
        return
    for path in (Path(folder), *Path(folder).rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)  # keeps them for `access`, which Java asks, too
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    mask = 1 << CAP_DAC_OVERRIDE
    header, effective = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    libc.capset(header, effective)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)  # it outlives exec


if __name__ == "__main__":
    main()
