"""From a request to typed values: bodies within bounds, names, guards, cursors. Used by the routes as dependencies.

Those are coroutines although they wait for nothing: what is none the framework runs in a thread, which costs more than
all it does there, and what makes ids is not made for threads.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Header, Path, Query, Request
from msgspec import Meta

from wire.api.ports import By, Consistency, Guard, Name, Part, Services, Submission
from wire.api.principals import actor_of
from wire.core.config import Config, MisfitError, parse
from wire.core.errors import ConfigError, Finding, RefusedError
from wire.core.paths import ROOT
from wire.core.units import Duration
from wire.core.uuids import Uuids
from wire.pipelines.document import parse as parse_document

C = TypeVar("C", bound=Config)

DEFAULT_NAMESPACE: Final = "default"
MAX_LIMIT: Final = 1000
MEDIA_TYPES: Final = (
    "application/json",
    "application/yaml",
    "application/x-yaml",
    "text/yaml",
    "text/x-yaml",
)
_LONGEST: Final = Duration(366 * 86_400_000)
BINARY: Final = "application/octet-stream"
_MAX_FILE_BYTES: Final = 256 << 20
_BODY_TIMEOUT_S: Final = 30.0
_FILE_TIMEOUT_S: Final = 300.0
_REVISION: Final = re.compile(r'"(\d{1,18})"')
_YAML_HINT: Final = "send it as application/yaml or application/json: --header 'Content-Type: application/yaml'"


Cursor = Annotated[str | None, Query(max_length=2048, description="`next` of the part before.")]

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The most items to return.")]


class RollBackBody(Config, frozen=True, kw_only=True):
    """What is sent to roll back."""

    version: Annotated[int, Meta(ge=1)]


class AddBody(Config, frozen=True, kw_only=True):
    """What is sent to let a node in."""

    address: Annotated[str, Meta(min_length=1, max_length=300)]


class TransferBody(Config, frozen=True, kw_only=True):
    """What may be sent to hand leadership over."""

    to: str | None = None


class TokenBody(Config, frozen=True, kw_only=True):
    """What may be sent to have a token made."""

    expires: Duration = Duration(3_600_000)
    uses: Annotated[int | None, Meta(ge=1)] = 1

    def __post_init__(self) -> None:
        if not 0 < self.expires.ms <= _LONGEST.ms:
            raise MisfitError("`expires` is out of bounds", f"make it longer than 0s, and {_LONGEST} at most")


def invalid(path: str, message: str, hint: str | None = None) -> ConfigError:
    """Return the error for a mistake outside the body; `path` names the parameter, as in `query.limit`."""
    return ConfigError([Finding(code="api.invalid", path=path, message=message, hint=hint)])


async def services(request: Request) -> Services:
    """Return what stands behind the routes."""
    found: Services = request.app.state.services
    return found


async def text(request: Request) -> str:
    """Read the body as text. Raises where it is too large, too slow, of another kind, or not UTF-8."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        given = f"`{kind}`" if kind else "no content type"
        raise RefusedError("api.media_type", f"expected YAML or JSON, found {given}", hint=_YAML_HINT)
    body = await _read(request, request.app.state.max_body_bytes, _BODY_TIMEOUT_S)
    try:
        return body.decode()
    except UnicodeDecodeError as exc:
        line = body.count(b"\n", 0, exc.start) + 1
        finding = Finding(
            code="config.syntax",
            path=ROOT,
            message="this is not UTF-8 text",
            hint="save it as UTF-8",
            line=line,
            column=1,
        )
        raise ConfigError([finding]) from None


async def file(request: Request) -> bytes:
    """Read a body that is a file. Raises where it is too large, too slow, or said to be something else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != BINARY:
        given = f"`{kind}`" if kind else "no content type"
        hint = f"send it as it is: --data-binary @FILE --header 'Content-Type: {BINARY}'"
        raise RefusedError("api.media_type", f"expected a file, found {given}", hint=hint)
    return await _read(request, _MAX_FILE_BYTES, _FILE_TIMEOUT_S)


async def optional_text(request: Request) -> str:
    """Read a body that may be left out."""
    lengths = (request.headers.get("content-length", "0"), request.headers.get("transfer-encoding"))
    return "" if lengths == ("0", None) else await text(request)


async def _read(request: Request, most: int, timeout_s: float) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:  # I8: of a body in chunks nobody says how long it will be
                    raise _too_large(most)
                chunks.append(chunk)
    except TimeoutError:
        raise RefusedError("api.body_too_slow", f"the body did not arrive within {timeout_s:.0f} s") from None
    return b"".join(chunks)


def _too_large(most: int) -> RefusedError:
    message = f"the body is larger than {most:,} bytes"
    return RefusedError("api.body_too_large", message, hint="a pipeline is a short text; is this a data file?")


def fields(body: str, kind: type[C]) -> C:
    """Read a small body into its fields. Raises ConfigError with every mistake."""
    findings: list[Finding] = []
    tree = parse_document(body).tree
    found: C | None = parse(kind, {} if tree is None else tree, ROOT, findings)
    if found is None:
        raise ConfigError(findings)
    return found


def flag(value: str | None, name: str) -> bool:
    """Read a parameter that may be given without a value, as in `?dry_run`."""
    words = {None: False, "": True, "true": True, "1": True, "false": False, "0": False}
    if value is None or value.lower() in words:
        return words[value if value is None else value.lower()]
    raise invalid(f"query.{name}", "expected true or false, or no value", f"?{name} alone is true")


async def declared_namespace(
    namespace: Annotated[str, Path(description="The namespace.", examples=["default"])],
) -> str:
    """Return the namespace of addresses that have one, and so declare it."""
    return namespace


async def namespace_of(request: Request) -> str:
    """Return the namespace that the address names, or else the default one."""
    return str(request.path_params.get("namespace", DEFAULT_NAMESPACE))


async def name_of(
    request: Request, name: Annotated[str, Path(description="The pipeline's name.", examples=["delayed-flights"])]
) -> Name:
    """Return the pipeline that the address names."""
    return Name(await namespace_of(request), name)


async def by(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=256, description="The same request under the same key is carried out once, however often."),
    ] = None,
) -> By:
    """Return who asks, under an id that is the same only for the very same request with the same key."""
    actor = actor_of(request.scope)
    if idempotency_key is None:
        uuids: Uuids = request.app.state.uuids
        return By(actor, uuids.next().bytes)
    conditions = [request.headers.get(name, "") for name in ("if-match", "if-none-match")]
    what = "\n".join([idempotency_key, actor, request.method, str(request.url.path), request.url.query, *conditions])
    return By(actor, hashlib.blake2b(what.encode(), digest_size=16).digest())


async def by_with_body(by_: Annotated[By, Depends(by)], body: Annotated[str, Depends(text)]) -> By:
    """Return who asks for what has a body: another body makes it another request."""
    return By(by_.actor, hashlib.blake2b(by_.request_id + body.encode(), digest_size=16).digest())


async def guard(
    if_match: Annotated[
        str | None, Header(description="Only if the pipeline has this revision (its ETag); * if there is one.")
    ] = None,
    if_none_match: Annotated[str | None, Header(description="`*`: only if there is no such pipeline.")] = None,
) -> Guard:
    """Return what must hold for a change to be made."""
    if if_none_match is not None and if_none_match.strip() != "*":
        raise invalid("header.If-None-Match", "expected *", "to change a certain revision, send its ETag as If-Match")
    if if_match is not None and if_none_match is not None:
        raise invalid("header.If-None-Match", "If-Match and If-None-Match can't both be given", "keep one of the two")
    if if_match is None:
        return Guard(exists=None if if_none_match is None else False)
    if if_match.strip() == "*":
        return Guard(exists=True)
    return Guard(revisions=frozenset(revisions(if_match, "header.If-Match")))


def revisions(etags: str, path: str) -> list[int]:
    """Read a list of ETags. One that none of ours looks like names no revision."""
    parts = [part.strip() for part in etags.split(",")]
    if not all(re.fullmatch(r'(W/)?"[^"]*"', part) for part in parts):
        raise invalid(path, "expected an ETag in double quotes, or *", 'as in "7", which GET answers as ETag')
    return [int(match[1]) for match in map(_REVISION.fullmatch, parts) if match]


async def consistency_of(
    consistency: Annotated[
        Consistency, Query(description="`stale` answers at once with what this node knows, also without a leader.")
    ] = "linearizable",
) -> Consistency:
    """Return how new the answer must be."""
    return consistency


async def part(
    consistency: Annotated[Consistency, Depends(consistency_of)],
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Part:
    """Return which part of a list is asked for."""
    return Part(None if cursor is None else read_cursor(cursor), limit, consistency)


def cursor_of(last: str) -> str:
    """Return the cursor that stands for what is behind an item."""
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """Return the item that a cursor names."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):  # of which the errors of encodings are some
        raise invalid("query.cursor", "this is no cursor", "pass `next` of the part before on as it is") from None


Note = Annotated[str, Query(max_length=1000, description="Why, for the history.")]
Start = Annotated[
    str | None,
    Query(
        max_length=64,
        description="Needed where the sources are not the same any more: `keep` goes on from the checkpoints all the "
        "same, `configured` starts where the sources' configuration says; `earliest`, `latest` and a time do so too, "
        "and see to it that the configuration says that.",
    ),
]


async def submission(spec: Annotated[str, Depends(text)], note: Note = "") -> Submission:
    """Return a spec that is sent to make a pipeline."""
    return Submission(spec, note=note)


async def change(spec: Annotated[str, Depends(text)], start: Start = None, note: Note = "") -> Submission:
    """Return a spec that is sent to change one, perhaps."""
    return Submission(spec, start, note)


Asked = Annotated[Services, Depends(services)]
Body = Annotated[str, Depends(text)]
NamedNamespace = Annotated[str, Depends(namespace_of)]
Named = Annotated[Name, Depends(name_of)]
Asker = Annotated[By, Depends(by)]
AskerWithBody = Annotated[By, Depends(by_with_body)]
Guarded = Annotated[Guard, Depends(guard)]
Fresh = Annotated[Consistency, Depends(consistency_of)]
Paged = Annotated[Part, Depends(part)]
DryRun = Annotated[str | None, Query(description="Change nothing, and say what would be changed.")]
Submitted = Annotated[Submission, Depends(submission)]
Changed = Annotated[Submission, Depends(change)]
