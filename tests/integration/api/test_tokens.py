"""Tokens over HTTP."""

from __future__ import annotations

import datetime
import hashlib

import pytest

from tests.integration.api.api_kit import Served
from wire.cluster import commands as c

TOKENS = "/api/v1/cluster/tokens"


async def test_a_token_is_told_once_and_only_a_salted_hash_of_it_is_kept(api: Served) -> None:
    before = datetime.datetime.now(datetime.UTC)
    response = await api.client.post(TOKENS)
    assert response.status_code == 201
    made = response.json()
    id_, _, secret = made["token"].partition(".")
    assert (made["id"], made["uses"], len(secret)) == (id_, 1, 43)
    good_for = datetime.datetime.fromisoformat(made["expires_at"]) - before
    assert datetime.timedelta(minutes=59) < good_for < datetime.timedelta(minutes=70)
    kept = api.machine.state.tokens[id_]
    assert kept.digest == hashlib.sha256(kept.salt + secret.encode()).digest()
    assert secret not in repr(api.machine.state.tokens)
    listed = await api.client.get(TOKENS)
    assert secret not in listed.text
    assert listed.json()["items"] == [{"id": id_, "expires_at": made["expires_at"], "uses_left": 1, "created_by": ""}]


async def test_two_tokens_have_nothing_in_common(api: Served) -> None:
    first, second = [(await api.client.post(TOKENS)).json()["token"] for _ in range(2)]
    assert not set(first.split(".")) & set(second.split("."))
    one, other = api.machine.state.tokens.values()
    assert one.salt != other.salt


async def test_it_is_good_for_as_long_and_as_many_as_is_said(api: Served) -> None:
    several = (await api.client.post(TOKENS, json={"expires": "10m", "uses": 3})).json()
    any_number = (await api.client.post(TOKENS, json={"uses": None})).json()
    assert (several["uses"], any_number["uses"]) == (3, None)
    left = {each["id"]: each["uses_left"] for each in (await api.client.get(TOKENS)).json()["items"]}
    assert left == {several["id"]: 3, any_number["id"]: None}
    assert several["expires_at"] < any_number["expires_at"]


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ({"uses": 0}, "$.uses"),
        ({"expires": "0s"}, "$.expires"),
        ({"expires": "400d"}, "$.expires"),
        ({"expires": 60}, "$.expires"),
        ({"use": 1}, "$.use"),
    ],
)
async def test_what_makes_no_token_is_said(api: Served, sent: dict[str, object], path: str) -> None:
    response = await api.client.post(TOKENS, json=sent)
    assert response.status_code == 422
    assert [each["path"] for each in response.json()["errors"]] == [path]
    assert not api.machine.state.tokens


async def test_tokens_are_listed_in_parts(api: Served) -> None:
    made = sorted([(await api.client.post(TOKENS)).json()["id"] for _ in range(3)])
    first = (await api.client.get(TOKENS, params={"limit": 2})).json()
    rest = (await api.client.get(TOKENS, params={"limit": 2, "cursor": first["next"]})).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == made
    assert rest["next"] is None


async def test_a_token_that_is_revoked_is_there_no_more(api: Served) -> None:
    made = (await api.client.post(TOKENS)).json()
    assert (await api.client.delete(f"{TOKENS}/{made['id']}")).status_code == 204
    assert (await api.client.get(TOKENS)).json()["items"] == []
    again = await api.client.delete(f"{TOKENS}/{made['id']}")
    assert (again.status_code, again.json()["code"]) == (404, "cluster.unknown_token")


async def test_the_same_request_makes_one_token_and_does_not_tell_another_secret(api: Served) -> None:
    key = {"idempotency-key": "k"}
    first = await api.client.post(TOKENS, headers=key)
    again = await api.client.post(TOKENS, headers=key)
    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "cluster.token_made_before")
    assert list(api.machine.state.tokens) == [first.json()["id"]]


async def test_no_more_are_kept_than_is_allowed(api: Served) -> None:
    for n in range(1000):
        await api.propose(c.CreateToken(at_ms=1, id=f"t{n}", salt=b"s", digest=b"d", expires_ms=1 << 60, uses=1))
    response = await api.client.post(TOKENS)
    assert (response.status_code, response.json()["code"]) == (409, "cluster.too_many_tokens")
