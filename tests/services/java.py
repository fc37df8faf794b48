"""A Java runtime, and jars through Maven. Installed from Debian's packages when we are root there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.services import debian
from tests.services.cache import cache_dir, locked
from tests.services.missing import ServiceMissing

_JRE_PACKAGES = {17: "openjdk-17-jre-headless", 21: "openjdk-21-jre-headless", 25: "openjdk-25-jre-headless"}
_WHAT_TO_INSTALL = (
    "Kafka and Elasticsearch need a Java runtime of version 17 or newer and Maven. On Debian and Ubuntu: "
    "apt-get install openjdk-17-jre-headless maven. Elsewhere: put `java` and `mvn` on PATH."
)
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>wire</groupId><artifactId>test-services</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY = """
    <dependency><groupId>{0}</groupId><artifactId>{1}</artifactId><version>{2}</version><type>{3}</type></dependency>"""

QUICK = ("-Xms512m", "-Xmx512m", "-XX:TieredStopAtLevel=1")
"""For a server that lives for minutes: started in half the time, since what it runs is compiled once and not again."""


def lasting(heap: str) -> tuple[str, ...]:
    """Return the options for a server that has much to do: as fast as it gets, after a while."""
    return (f"-Xms{heap}", f"-Xmx{heap}")


def java(least: int = 17, most: int = 99) -> str:
    """Return a `java` program of such a version, installed if we may. Raises ServiceMissing."""
    with locked("java"):
        found = find_java(least, most)
        if found is None:
            debian.install(*(package for version, package in _JRE_PACKAGES.items() if least <= version <= most))
            found = find_java(least, most)
    if found is None:
        raise _missing(f"no Java of version {least} to {most} was found")
    return found


def jars(name: str, *coordinates: str) -> Path:
    """Return a folder with these artifacts (`group:artifact:version[:type]`) and what they need, downloaded once."""
    folder = cache_dir() / name / "lib"
    with locked(name):
        if not folder.is_dir():
            _download(folder, coordinates)
    return folder


def find_java(least: int, most: int) -> str | None:
    """Return a `java` program of such a version: that of `JAVA_HOME`, on PATH, or where Debian puts them."""
    home = os.environ.get("JAVA_HOME")
    installed = sorted(str(path) for path in Path("/usr/lib/jvm").glob("*/bin/java"))
    for candidate in (f"{home}/bin/java" if home else None, shutil.which("java"), *installed):
        if candidate and least <= _version(candidate) <= most:
            return candidate
    return None


def _version(program: str) -> int:
    try:
        banner = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', banner)
    return int(found[1]) if found else 0


def _download(folder: Path, coordinates: tuple[str, ...]) -> None:
    work = folder.with_name("download")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    dependencies = "".join(_DEPENDENCY.format(*coordinate.split(":"), "jar") for coordinate in coordinates)
    pom = work / "pom.xml"
    pom.write_text(_POM.format(dependencies=dependencies))
    command = [_maven(), "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={work}/lib"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise _missing(f"Maven could not fetch {', '.join(coordinates)}:\n{done.stdout[-2000:]}")
    (work / "lib").rename(folder)  # whole or not at all


def _maven() -> str:
    if shutil.which("mvn") is None:
        debian.install("maven")
    found = shutil.which("mvn")
    if found is None:
        raise _missing("Maven was not found")
    return found


def _missing(reason: str) -> ServiceMissing:
    return ServiceMissing(f"{_WHAT_TO_INSTALL} ({reason})")
