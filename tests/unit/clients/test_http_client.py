"""The HTTP client against real servers, with and without TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.certificates import Authority
from tests.services.web import Reply, WebServer
from wire.clients.http import HttpConnection, place_of
from wire.clients.http_client import Answer, Codes, HttpClient, reach
from wire.clients.tls import Tls
from wire.core.errors import RecordError, RetryableError, UnavailableError, WireError

CODES = Codes("sink.http.invalid_request", "sink.http.tls", "sink.http.unreachable")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.pem`, `server.pem`, `client.pem` and the `other.pem` of another authority."""
    folder, authority = tmp_path_factory.mktemp("pki"), Authority()
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "other.pem").write_bytes(Authority().pem)
    for name in ("server", "client"):
        authority.issue(name).write(folder / f"{name}.pem")
    return folder


@pytest.fixture
def secure(pki: Path) -> Iterator[WebServer]:
    """A server that wants to see a client's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.pem"))
    context.load_cert_chain(pki / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that a refusal is part of the handshake
    with WebServer(lambda _: Reply(200, b"hello"), context) as server:
        yield server


async def ask(url: str, tls: Tls | None = None, **options: int) -> Answer:
    client = HttpClient(
        HttpConnection(tls=tls or Tls()), CODES, connections=1, max_answer=options.get("max_answer", 1 << 20)
    )
    try:
        return await client.request("GET", url)
    finally:
        await client.close()
        await client.close()


def files(pki: Path, ca: str = "ca.pem", cert: str | None = "client.pem") -> Tls:
    return Tls(ca=str(pki / ca), cert=cert and str(pki / cert))


async def test_both_sides_prove_who_they_are(secure: WebServer, pki: Path) -> None:
    assert (await ask(secure.url, files(pki))).body == b"hello"
    await reach(secure.url, HttpConnection(tls=files(pki)), CODES)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_of_another_authority_is_not_trusted(secure: WebServer, pki: Path, host: str) -> None:
    url = secure.url.replace("127.0.0.1", host)
    for attempt in (ask(url, files(pki, ca="other.pem")), reach(url, HttpConnection(), CODES)):
        with pytest.raises(UnavailableError, match=r"sink\.http\.tls.*not trusted.*`tls.ca`"):
            await attempt


async def test_trust_can_be_given_up(secure: WebServer, pki: Path) -> None:
    tls = Tls(cert=str(pki / "client.pem"), verify="none")
    assert (await ask(secure.url, tls)).body == b"hello"


async def test_a_missing_client_certificate_is_pointed_out(secure: WebServer, pki: Path) -> None:
    with pytest.raises(WireError) as caught:
        await ask(secure.url, files(pki, cert=None))
    assert isinstance(caught.value, RetryableError)
    assert caught.value.code in ("sink.http.tls", "sink.http.unreachable")


@pytest.mark.parametrize(
    ("content", "message"), [(None, "`tls.ca`: there is no file"), ("not a certificate", "the files of `tls` can't be")]
)
async def test_a_file_that_cannot_be_used_is_named_as_the_trouble(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(UnavailableError, match=rf"sink\.http\.tls: {message}"):
        await ask("https://127.0.0.1:1/", Tls(ca=str(tmp_path / "ca.pem")))


async def test_tls_to_a_port_without_it_is_said_so() -> None:
    with WebServer(lambda _: Reply()) as server, pytest.raises(RetryableError, match=r"sink\.http\.tls.*speaks TLS"):
        await ask(server.url.replace("http:", "https:"))


async def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    with WebServer(lambda _: Reply(200, b"x" * 100_000)) as server:
        answer = await ask(server.url, max_answer=1000)
    assert (len(answer.body), answer.cut) == (1000, True)


async def test_environment_variables_lead_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with WebServer(lambda _: Reply(200, b"direct")) as server:
        assert (await ask(server.url)).body == b"direct"


@pytest.mark.parametrize("url", ["http://", "http://a b/", "http://[::1", "http://x:99999/", "ftp://x/"])
async def test_a_url_that_cannot_be_asked_concerns_its_record(url: str) -> None:
    with pytest.raises(RecordError, match=r"sink\.http\.invalid_request"):
        await ask(url)


async def test_a_name_nobody_has_is_said_so() -> None:
    with pytest.raises(UnavailableError, match=r"sink\.http\.unreachable.*does not answer"):
        await reach("http://nobody.invalid/", HttpConnection(), CODES)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("99999999999", 3600), ("Tue, 14 Nov 2023 22:14:20 GMT", 60), ("soon", 0), ("-1", 0), ("", 0)],
)
def test_how_long_to_wait_is_read_and_bounded(header: str, seconds: float) -> None:
    answer = Answer(503, {"retry-after": header}, b"", cut=False)
    assert answer.after_s(1_700_000_000_000) == seconds


def test_what_is_shown_of_a_url_holds_no_secret() -> None:
    assert place_of("https://me:pw@example.com:8443/a/b?token=s3cret#x") == "https://example.com:8443/a/b"


def test_the_beginning_of_an_answer_is_shown_in_one_line() -> None:
    answer = Answer(400, {}, b"no\n such\xff" + b"x" * 10_000, cut=False)
    assert answer.summary().startswith("400: no such\ufffdxxx")
    assert len(answer.summary()) < 300
