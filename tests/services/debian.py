"""Debian packages that a server needs, installed when we are root there."""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.services.cache import locked
from tests.services.missing import ServiceMissing


def install(*alternatives: str) -> None:
    """Install the first of these packages that there is, if we may; the caller looks again. Raises ServiceMissing."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    with locked("debian"):
        _apt("update")
        package = next((name for name in alternatives if _run("apt-cache", "show", name).returncode == 0), None)
        if package is not None:
            print(f"installing the Debian package {package}", flush=True)  # this takes a while: say why
            _apt("install", "-y", "--no-install-recommends", "--no-upgrade", package)


def _apt(*arguments: str) -> None:
    done = _run("apt-get", "-q", *arguments)
    if done.returncode != 0:
        raise ServiceMissing(f"apt-get {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=900, check=False)
