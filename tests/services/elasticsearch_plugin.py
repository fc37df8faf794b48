"""What API keys need and the tests' Elasticsearch lacks: a plugin of three names, compiled where it is needed."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Final

from tests.services import java
from tests.services.cache import locked

_NAME: Final = "wire-test-analysis"
_SOURCE: Final = Path(__file__).with_name("Analysis.java")
_COMPILER: Final = "org.eclipse.jdt:ecj:3.40.0"  # runs on a JRE, which has no compiler of its own
_DESCRIPTOR: Final = """\
name={name}
description=Stands in for the analysis-common module
version=1
classname=wire.test.Analysis
java.version=17
elasticsearch.version={version}
"""


def install_plugin(program: str, home: Path, version: str) -> None:
    """Add the plugin to an unpacked distribution, once. Raises ServiceMissing."""
    (compiler,) = java.jars("ecj", _COMPILER).glob("*.jar")
    with locked(_NAME):
        if not (home / "plugins" / _NAME).is_dir():
            _build([program, "-jar", str(compiler)], home, version)


def _build(compiler: list[str], home: Path, version: str) -> None:
    work = home.with_name(_NAME)
    shutil.rmtree(work, ignore_errors=True)
    classes = work / "classes"
    libraries = ":".join(str(jar) for jar in (home / "lib").glob("*.jar"))
    subprocess.run([*compiler, "-17", "-nowarn", "-cp", libraries, "-d", str(classes), str(_SOURCE)], check=True)
    plugin = work / "plugin"
    plugin.mkdir()
    (plugin / "plugin-descriptor.properties").write_text(_DESCRIPTOR.format(name=_NAME, version=version))
    with zipfile.ZipFile(plugin / f"{_NAME}.jar", "w") as jar:
        for file in classes.rglob("*.class"):
            jar.write(file, file.relative_to(classes))
    plugin.rename(home / "plugins" / _NAME)  # whole or not at all: another node may be starting
    shutil.rmtree(work)
