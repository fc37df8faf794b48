"""What an enrichment asks, whom, and what it makes of the answers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from wire.clients.http import HttpConnection, check_url
from wire.clients.mongodb import MongoConnection
from wire.core.config import Config, Expression, MisfitError, doc
from wire.core.units import Duration

Missing = Literal["keep", "drop", "fail"]
OnFailure = Literal["fail", "keep", "dead_letter"]
_OnFailure = Annotated[
    OnFailure,
    doc(
        "When asking fails: `fail` tries again as `retry` of the pipeline says and stops where that can't help, "
        "`keep` goes on with NULLs, `dead_letter` treats the record as one that can't be processed."
    ),
]
_Retries = Annotated[int, Meta(ge=0, le=10, description="How often to ask again at once, before that.")]


class CacheConfig(Config, frozen=True, kw_only=True):
    """What is remembered of answers, in memory."""

    ttl: Annotated[Duration, doc("How long an answer is good; `0s` to ask every time.")] = Duration(300_000)
    missing_ttl: Annotated[Duration, doc("How long it is good that there is none.")] = Duration(30_000)
    max_entries: Annotated[
        int, Meta(ge=1, description="How many answers to remember; the one longest unused goes first.")
    ] = 10_000


class HttpBatch(Config, frozen=True, kw_only=True):
    """Asks for many keys in one request, whose body is a JSON list of them, and whose answer is a list of objects."""

    key: Annotated[Expression, doc("What to ask for, computed from the record.")]
    column: Annotated[str, doc("The field of an object in the answer that holds its key.")]
    field: Annotated[str | None, doc("Send `{field: [keys]}` instead of the bare list.")] = None
    max_keys: Annotated[int, Meta(ge=1, description="Keys per request.")] = 100


class HttpEnrich(HttpConnection, frozen=True, kw_only=True, tag="http", tag_field="type"):
    """Asks an HTTP service that answers in JSON."""

    url: Annotated[
        str, doc("What to ask. `{expression}` stands for its value for the record, escaped; NULL: nothing is asked.")
    ]
    method: Annotated[Literal["GET", "POST"], doc("How to ask.")] = "GET"
    body: Annotated[Expression | None, doc("What a POST sends, as JSON.")] = None
    batch: Annotated[HttpBatch | None, doc("Asks for many keys at once, by POST.")] = None
    result: Annotated[str | None, doc("Where in the answer it is: `data.customer`; the whole answer if absent.")] = None
    select: Annotated[Expression, doc('What to add to the record: fields of the answer, as in `"name AS customer"`.')]
    missing: Annotated[
        Missing, doc("A record for which there is no answer: `keep` it, with NULLs, `drop` it, or `fail` it.")
    ] = "keep"
    on_failure: _OnFailure = "fail"
    timeout: Annotated[Duration, doc("The longest a request may take, its answer included.")] = Duration(5000)
    retries: _Retries = 2
    concurrency: Annotated[int, Meta(ge=1, le=1000, description="Requests under way at once.")] = 8
    cache: Annotated[CacheConfig, doc("What is remembered of answers, in memory.")] = CacheConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.body is not None and self.method != "POST":
            raise MisfitError("`body` needs `method: POST`", "set it, or put what is asked for into the URL")
        if self.batch is not None and (self.method != "POST" or self.body is not None or "{" in self.url):
            raise MisfitError(
                "`batch` takes `method: POST`, no `body`, and a URL without placeholders",
                "the keys are sent as a JSON list",
            )
        if "{" not in self.url:
            check_url(self.url, "url")


class MongoEnrich(MongoConnection, frozen=True, kw_only=True, tag="mongodb", tag_field="type"):
    """Looks up documents of a MongoDB collection."""

    database: Annotated[str, doc("The database.")]
    collection: Annotated[str, doc("The collection; `column` should be indexed.")]
    key: Annotated[
        Expression,
        doc('What to look for, computed from the record; an ObjectId is `{"$oid": …}`, as the source reads.'),
    ]
    column: Annotated[str, doc("The field of documents to look in.")] = "_id"
    select: Annotated[Expression, doc('What to add to the record: fields of the document, as in `"name AS customer"`.')]
    missing: Annotated[
        Missing, doc("A record for which there is no document: `keep` it, with NULLs, `drop` it, or `fail` it.")
    ] = "keep"
    on_failure: _OnFailure = "fail"
    timeout: Annotated[Duration, doc("The longest a query may take.")] = Duration(5000)
    retries: _Retries = 2
    concurrency: Annotated[int, Meta(ge=1, le=1000, description="Queries under way at once.")] = 8
    max_keys: Annotated[int, Meta(ge=1, description="Keys per query.")] = 500
    cache: Annotated[CacheConfig, doc("What is remembered of documents, in memory.")] = CacheConfig()


EnrichConfig = HttpEnrich | MongoEnrich
