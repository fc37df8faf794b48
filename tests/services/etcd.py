"""etcd from Debian's packages, for the benchmarks: installed when it is missing and we are root there."""

from __future__ import annotations

import shutil

from tests.services import debian
from tests.services.missing import ServiceMissing


def etcd() -> str:
    """Return an `etcd` program, installed if we may. Raises ServiceMissing."""
    if shutil.which("etcd") is None:
        debian.install("etcd-server")
    found = shutil.which("etcd")
    if found is None:
        raise ServiceMissing("etcd was not found. On Debian and Ubuntu: apt-get install etcd-server")
    return found
