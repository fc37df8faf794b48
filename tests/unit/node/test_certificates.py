"""Certificates: what is in them, how long they are good, and the files they are kept in."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from wire.core.errors import ConfigError, FatalError, UnavailableError
from wire.node.certificate_folder import CertificateFolder
from wire.node.certificates import Authority, Pair, is_issued_by, names_in, validity_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def authority() -> Authority:
    return Authority.create("test", 10 * YEAR, NOW)


def read(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate)


def alternative_names(pair: Pair) -> x509.SubjectAlternativeName:
    return read(pair).extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_a_nodes_certificate_is_for_its_name_its_hosts_and_this_machine(authority: Authority) -> None:
    pair = authority.node("node-1", ["db.example.org", "10.0.0.5", "[fd00::5]", "node-1"], YEAR, NOW)
    names = alternative_names(pair)
    assert names.get_values_for_type(x509.DNSName) == ["node-1", "db.example.org", "localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == [
        "10.0.0.5",
        "fd00::5",
        "127.0.0.1",
        "::1",
    ]
    usage = read(pair).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert names_in(pair.certificate) == ["node-1", "db.example.org", "localhost"]
    assert is_issued_by(pair.certificate, authority.pair.certificate)


def test_a_clients_certificate_is_for_nobody_who_could_be_a_node(authority: Authority) -> None:
    pair = authority.client("alice@example.org", YEAR, NOW)
    assert alternative_names(pair).get_values_for_type(x509.UniformResourceIdentifier) == [
        "wire:client:alice@example.org"
    ]
    assert names_in(pair.certificate) == []
    usage = read(pair).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_certificate_begins_before_it_is_made_and_does_not_outlive_its_authority(authority: Authority) -> None:
    validity = validity_of(authority.node("n1", [], YEAR, NOW).certificate)
    assert (validity.begins, validity.ends) == (NOW - timedelta(hours=1), NOW + YEAR)
    assert validity.days_left(NOW) == 365
    assert validity.days_left(NOW + 2 * YEAR) == -365
    assert validity_of(authority.node("n1", [], 50 * YEAR, NOW).certificate).ends == authority.validity.ends


def test_an_authority_that_has_expired_issues_nothing(authority: Authority) -> None:
    with pytest.raises(FatalError) as failure:
        authority.node("n1", [], YEAR, NOW + 11 * YEAR)
    assert failure.value.code == "certs.expired"


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "../ca", "*.example.org", "a" * 64 + ".x", "ä", "localhost"])
def test_a_name_that_no_node_can_have_is_refused(authority: Authority, name: str) -> None:
    with pytest.raises(ConfigError) as failure:
        authority.node(name, [], YEAR, NOW)
    assert failure.value.code == "config.invalid"
    assert failure.value.hint is not None


@pytest.mark.parametrize("host", ["", "a b", "http://a", "a:4001", "10.0.0.256:1"])
def test_a_host_that_is_none_is_refused(authority: Authority, host: str) -> None:
    with pytest.raises(ConfigError):
        authority.node("n1", [host], YEAR, NOW)


@pytest.mark.parametrize("name", ["", "a b", "../ca", "a/b", "ä"])
def test_a_name_that_no_client_can_have_is_refused(authority: Authority, name: str) -> None:
    with pytest.raises(ConfigError):
        authority.client(name, YEAR, NOW)


def test_an_authority_is_the_same_when_it_is_loaded(authority: Authority) -> None:
    pair = Authority.load(authority.pair).node("n1", [], YEAR, NOW)
    assert is_issued_by(pair.certificate, authority.pair.certificate)
    assert not is_issued_by(pair.certificate, Authority.create("other", YEAR, NOW).pair.certificate)


def test_what_is_no_authority_is_refused(authority: Authority) -> None:
    other = Authority.create("other", YEAR, NOW).pair
    mine = authority.pair
    for pair in (Pair(mine.certificate, other.key), Pair(b"", mine.key), Pair(mine.certificate, b"junk")):
        with pytest.raises(FatalError) as failure:
            Authority.load(pair)
        assert failure.value.code == "certs.unusable"


def test_a_key_is_never_shown(authority: Authority) -> None:
    assert "PRIVATE" not in repr(authority.pair)
    assert b"PRIVATE KEY" in authority.pair.key


def test_keys_are_for_their_owner_only_and_nothing_is_left_lying_about(tmp_path: Path) -> None:
    folder = CertificateFolder(tmp_path / "certs")
    folder.init("test", YEAR, NOW, replace=False)
    written = folder.issue_node("node-1", ["10.0.0.5"], YEAR, NOW, replace=False)
    folder.issue_client("alice", YEAR, NOW, replace=False)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "certs").iterdir()}
    assert modes == {
        "ca.pem": 0o644,
        "ca.key": 0o600,
        "node-1.pem": 0o644,
        "node-1.key": 0o600,
        "alice.pem": 0o644,
        "alice.key": 0o600,
    }
    assert is_issued_by(written.certificate.read_bytes(), folder.authority.read_bytes())


def test_nothing_is_replaced_unless_that_is_asked_for(tmp_path: Path) -> None:
    folder = CertificateFolder(tmp_path)
    folder.init("test", YEAR, NOW, replace=False)
    folder.issue_node("n1", [], YEAR, NOW, replace=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for again in (
        lambda: folder.init("test", YEAR, NOW, replace=False),
        lambda: folder.issue_node("n1", [], YEAR, NOW, replace=False),
        lambda: folder.issue_client("n1", YEAR, NOW, replace=False),
    ):
        with pytest.raises(FatalError) as failure:
            again()
        assert failure.value.code == "certs.exists"
        assert failure.value.hint is not None
        assert "--replace" in failure.value.hint
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    folder.issue_node("n1", [], YEAR, NOW, replace=True)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"n1.pem", "n1.key"}


@pytest.mark.parametrize("name", ["ca", "CA"])
def test_no_certificate_takes_the_authoritys_place(tmp_path: Path, name: str) -> None:
    folder = CertificateFolder(tmp_path)
    folder.init("test", YEAR, NOW, replace=False)
    for issue in (
        lambda: folder.issue_client(name, YEAR, NOW, replace=True),
        lambda: folder.issue_node(name, [], YEAR, NOW, replace=True),
    ):
        with pytest.raises(ConfigError):
            issue()


def test_without_an_authority_there_is_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(FatalError) as failure:
        CertificateFolder(tmp_path).issue_node("n1", [], YEAR, NOW, replace=False)
    assert failure.value.code == "certs.no_authority"
    assert failure.value.hint is not None


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError) as failure:
        CertificateFolder(tmp_path / "file" / "certs").init("test", YEAR, NOW, replace=False)
    assert failure.value.code == "certs.refused"
