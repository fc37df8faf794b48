from __future__ import annotations

from pathlib import Path

from wire.core.errors import Finding
from wire.core.references import Resolved, has_reference, resolve


def test_references_are_replaced_wherever_they_stand(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    findings: list[Finding] = []
    data = {"a": "${env:HOST}:${env:PORT}", "b": ["x", f"${{file:{secret}}}"], "c": 7, "d": None}
    result = resolve(data, {"HOST": "h", "PORT": "9"}, "$", findings)
    assert result == {"a": "h:9", "b": ["x", "s3cret"], "c": 7, "d": None}
    assert isinstance(result["a"], Resolved)
    assert result["a"].hidden == ("h", "9")
    assert not isinstance(result["b"][0], Resolved)
    assert findings == []


def test_what_a_variable_holds_is_not_looked_at_again() -> None:
    assert resolve("${env:A}", {"A": "${env:B}", "B": "no"}, "$", []) == "${env:B}"


def test_everything_that_can_not_be_found_is_reported(tmp_path: Path) -> None:
    binary, large = tmp_path / "binary", tmp_path / "large"
    binary.write_bytes(b"\xff\xfe\x00")
    large.write_bytes(b"x" * ((1 << 20) + 1))
    data = {"v": "${env:NOPE}", "f": [f"${{file:{name}}}" for name in ("/nowhere", tmp_path, binary, large)]}
    findings: list[Finding] = []
    resolve(data, {}, "$.config", findings)
    assert {finding.code for finding in findings} == {"config.reference_unresolved"}
    assert [(finding.path, finding.message) for finding in findings] == [
        ("$.config.v", "the environment variable NOPE is not set"),
        ("$.config.f[0]", "the file /nowhere can't be read: no such file or directory"),
        ("$.config.f[1]", f"the file {tmp_path} can't be read: is a directory"),
        ("$.config.f[2]", f"the file {binary} can't be read: it is not UTF-8 text"),
        ("$.config.f[3]", f"the file {large} can't be read: it is larger than 1 MiB"),
    ]


def test_only_the_two_kinds_are_references() -> None:
    assert has_reference("x${env:A}y")
    assert not any(map(has_reference, ["$HOME", "${HOME}", "${env:}", "${ENV:A}", "{env:A}", 5, None, ["${env:A}"]]))
