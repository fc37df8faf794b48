"""What a pipeline may reach: nothing unless it is named, and never by a detour (I10)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wire.core.errors import FatalError
from wire.core.permissions import EVERYTHING, LOCAL_URI_FILES, Permissions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`open/` may be used, `closed/` may not; links lead from each to the other."""
    for name in ("open", "closed", "opening"):
        (tmp_path / name).mkdir()
    (tmp_path / "open" / "data").write_text("1")
    (tmp_path / "closed" / "key").write_text("secret")
    (tmp_path / "open" / "link").symlink_to(tmp_path / "closed" / "key")
    (tmp_path / "open" / "folder").symlink_to(tmp_path / "closed")
    (tmp_path / "open" / "dangling").symlink_to(tmp_path / "closed" / "new")
    (tmp_path / "open" / "loop").symlink_to(tmp_path / "open" / "loop")
    (tmp_path / "closed" / "back").symlink_to(tmp_path / "open" / "data")
    return tmp_path


def test_nothing_is_allowed_unless_it_is_named() -> None:
    nothing = Permissions()
    assert not nothing.allows_path("/etc/hostname")
    assert not nothing.allows_path("")
    assert not nothing.allows_pattern("*")
    assert not nothing.allows_env("HOME")
    assert not nothing.allows_python("os:system")


def test_the_user_of_wire_run_may_do_everything() -> None:
    assert EVERYTHING.allows_path("/etc/hostname")
    assert EVERYTHING.allows_pattern("../../*")
    assert EVERYTHING.allows_env("WIRE_KEY")
    assert EVERYTHING.allows_python("os:system")


@pytest.mark.parametrize(
    "path", ["open", "open/", "open/data", "open/new", "open/deep/new", "closed/back", "closed/../open/data"]
)
def test_what_leads_into_an_allowed_folder_is_allowed(folder: Path, path: str) -> None:
    assert Permissions(paths=(str(folder / "open"),)).allows_path(f"{folder}/{path}")


@pytest.mark.parametrize(
    "path",
    [
        "closed/key",
        "open/../closed/key",
        "open/link",
        "open/folder/key",
        "open/folder/new",
        "open/dangling",
        "opening/data",
        ".",
        "open/nul\0",
    ],
)
def test_what_leads_elsewhere_is_not(folder: Path, path: str) -> None:
    assert not Permissions(paths=(str(folder / "open"),)).allows_path(f"{folder}/{path}")


def test_a_loop_of_links_leads_to_nothing_that_could_be_opened(folder: Path) -> None:
    path = folder / "open" / "loop"
    if Permissions(paths=(str(folder / "open"),)).allows_path(str(path)):
        with pytest.raises(OSError, match="symbolic links"):
            path.open()


def test_a_single_file_can_be_allowed(folder: Path) -> None:
    permissions = Permissions(paths=(str(folder / "open" / "data"),))
    assert permissions.allows_path(str(folder / "open" / "data"))
    assert not permissions.allows_path(str(folder / "open" / "data2"))
    assert not permissions.allows_path(str(folder / "open"))


def test_an_allowed_folder_may_itself_be_a_link(folder: Path) -> None:
    assert Permissions(paths=(str(folder / "open" / "folder"),)).allows_path(str(folder / "closed" / "key"))


def test_relative_paths_begin_in_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "open")
    permissions = Permissions(paths=(str(folder / "open"),))
    assert permissions.allows_path("data")
    assert not permissions.allows_path("../closed/key")
    assert permissions.allows_pattern("*.jsonl")
    assert not permissions.allows_pattern("../*/key")


def test_what_is_protected_is_not_allowed_even_where_all_is(folder: Path) -> None:
    for paths in (("/",), None):
        permissions = Permissions(paths=paths, protected=(str(folder / "closed"),))
        assert permissions.allows_path(str(folder / "open" / "data"))
        assert not permissions.allows_path(str(folder / "closed" / "key"))
        assert not permissions.allows_path(str(folder / "open" / "link"))
        assert not permissions.allows_path(str(folder / "open" / "folder" / "key"))


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("open/*.jsonl", True),
        ("open/**/x", True),
        ("op*/data", False),  # it may match more than the folder
        ("closed/*", False),
        ("open/*/../../closed/key", False),
        ("open/../closed/*", False),
        ("open/folder/*", False),
    ],
)
def test_a_pattern_may_search_below_an_allowed_folder_only(folder: Path, pattern: str, allowed: bool) -> None:
    assert Permissions(paths=(str(folder / "open"),)).allows_pattern(f"{folder}/{pattern}") is allowed


def test_a_path_that_only_the_run_tells_is_refused_with_a_hint(folder: Path) -> None:
    permissions = Permissions(paths=(str(folder / "open"),))
    permissions.require_path(str(folder / "open" / "data"))
    with pytest.raises(FatalError, match="not allowed") as caught:
        permissions.require_path(os.fspath(folder / "open" / "link"))
    assert caught.value.code == "config.not_allowed"
    assert caught.value.hint is not None


def test_variables_are_allowed_by_patterns_but_for_those_of_wire() -> None:
    permissions = Permissions(env=("KAFKA_*", "MONGO_URI"))
    assert permissions.allows_env("KAFKA_PASSWORD")
    assert permissions.allows_env("MONGO_URI")
    assert not permissions.allows_env("MONGO_URI_2")
    assert not permissions.allows_env("kafka_password")
    assert not Permissions(env=("*",)).allows_env("WIRE_TOKEN")
    assert Permissions(env=("WIRE_PUBLIC",)).allows_env("WIRE_PUBLIC")


def test_functions_are_allowed_by_module_or_by_name() -> None:
    permissions = Permissions(python=("acme.transforms", "tools:clean", "lib.*:f"))
    assert permissions.allows_python("acme.transforms:anything")
    assert permissions.allows_python("tools:clean")
    assert permissions.allows_python("lib.a.b:f")
    assert not permissions.allows_python("acme.transforms.inner:f")
    assert not permissions.allows_python("acme:transforms")
    assert not permissions.allows_python("tools:dirty")
    assert not permissions.allows_python("os:system")


def test_the_files_that_a_connection_string_names_are_found() -> None:
    uri = "mongodb://u:p@h:1,h:2/?replicaSet=r&tlsCAFile=%2Fca.pem&TLSCertificateKeyFile=/key.pem&tls=true"
    assert list(LOCAL_URI_FILES.named(uri)) == ["/ca.pem", "/key.pem"]
    assert list(LOCAL_URI_FILES.named("mongodb://[h/?tlsCAFile=x")) == []
    (token,) = LOCAL_URI_FILES.named("mongodb://h/?authMechanism=mongodb-oidc&authMechanismProperties=ENVIRONMENT:k8s")
    assert token.endswith("serviceaccount/token")
