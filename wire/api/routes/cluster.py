"""The cluster and its nodes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from wire.api import answers, views
from wire.api.openapi import BINARY_BODY, any_part, binary, body, nothing
from wire.api.openapi import answers as described
from wire.api.requests import (
    BINARY,
    MAX_LIMIT,
    AddBody,
    Asked,
    Asker,
    Body,
    Cursor,
    Limit,
    Paged,
    TokenBody,
    TransferBody,
    fields,
    file,
    flag,
    optional_text,
    read_cursor,
)
from wire.api.selecting import select

router = APIRouter(prefix="/api/v1/cluster", tags=["cluster"])
node_router = APIRouter(tags=["cluster"])

MemberId = Annotated[str, Path(description="The node's id, or its name.", examples=["n4"])]


@router.get("", responses=described(views.Cluster, "The cluster, as the answering node knows it."))
async def get_cluster(request: Request, services: Asked) -> Response:
    """Get the cluster and its members."""
    return answers.answer(request, services.cluster.cluster())


@router.post(
    "/members",
    status_code=201,
    responses=described(views.Member, "The node is a member, and knows it.", 201),
    openapi_extra=body({"address": {"type": "string"}}, {"address": "10.0.0.4:4001"}, "address"),
)
async def add_member(request: Request, services: Asked, sent: Body) -> Response:
    """Let in the node that waits at an address: one without a cluster, started with `--join`."""
    return answers.answer(request, await services.cluster.add(fields(sent, AddBody).address), 201)


@router.delete(
    "/members/{id:path}", status_code=204, responses=nothing("The node is no member, and will not be one again.")
)
async def remove_member(services: Asked, by: Asker, id: MemberId) -> Response:
    """Remove a node for good; its tasks are given to others."""
    await services.cluster.remove(id, by)
    return Response(status_code=204)


@router.post(
    "/members/{id:path}/leave",
    status_code=202,
    responses=described(views.Member, "The node is leaving: it is removed once others have its work.", 202),
)
async def let_member_leave(request: Request, services: Asked, by: Asker, id: MemberId) -> Response:
    """Let a node leave for good: its tasks are given to others, leadership too, then it is removed and ends."""
    return answers.answer(request, await services.cluster.leave(id, by), 202)


@router.put("/members/{id:path}/drain", responses=described(views.Member, "The node is given no work any more."))
async def drain_member(request: Request, services: Asked, by: Asker, id: MemberId) -> Response:
    """Give a node no work any more: what it has is given to others. Outlasts a restart of the node."""
    return answers.answer(request, await services.cluster.drain(id, by, draining=True))


@router.put("/members/{id:path}/undrain", responses=described(views.Member, "The node is given work again."))
async def undrain_member(request: Request, services: Asked, by: Asker, id: MemberId) -> Response:
    """Give a node work again."""
    return answers.answer(request, await services.cluster.drain(id, by, draining=False))


@router.post(
    "/transfer-leadership",
    responses=described(views.Cluster, "Another node leads."),
    openapi_extra=body({"to": {"type": ["string", "null"]}}, {"to": "n2"}),
)
async def transfer_leadership(request: Request, services: Asked) -> Response:
    """Let another node lead: the one that is named, or whichever is as far as the leader."""
    sent = fields(await optional_text(request), TransferBody)
    return answers.answer(request, await services.cluster.transfer_leadership(sent.to))


@router.post("/snapshots", status_code=201, responses=described(views.Snapshot, "The snapshot is on disk.", 201))
async def take_snapshot(request: Request, services: Asked) -> Response:
    """Take a snapshot of the answering node's state."""
    return answers.answer(request, await services.cluster.snapshot(), 201)


@router.post(
    "/tokens",
    status_code=201,
    responses=described(views.NewToken, "The token, whose secret is told this once.", 201),
    openapi_extra=body(
        {
            "expires": {"type": "string", "default": "1h", "description": "How long it is good, as in `30m`."},
            "uses": {
                "type": ["integer", "null"],
                "minimum": 1,
                "default": 1,
                "description": "How many nodes may join with it; null for any number.",
            },
        },
        {"expires": "1h", "uses": 3},
    ),
)
async def create_token(request: Request, services: Asked, by: Asker) -> Response:
    """Make a token that nodes join with (`join_token`)."""
    sent = fields(await optional_text(request), TokenBody)
    return answers.answer(request, await services.tokens.create(sent.expires, sent.uses, by), 201)


@router.get("/tokens", responses=described(views.Page[views.Token], "Tokens, by id; their secrets are not kept."))
async def list_tokens(request: Request, services: Asked, part: Paged) -> Response:
    """List the tokens that nodes join with."""
    return answers.page(request, await services.tokens.page(part))


@router.delete("/tokens/{id}", status_code=204, responses=nothing("Nobody joins with the token any more."))
async def revoke_token(
    services: Asked, by: Asker, id: Annotated[str, Path(description="The token's id.", examples=["9f3a61c04be27d18"])]
) -> Response:
    """Revoke a token. Nodes that have joined with it stay."""
    await services.tokens.revoke(id, by)
    return Response(status_code=204)


@router.get("/backup", responses=binary("The whole state, checksummed."))
async def take_backup(services: Asked) -> Response:
    """Get everything that is confirmed by now, as a file that can be restored into another cluster."""
    return StreamingResponse(await services.backups.take(), media_type=BINARY)


@router.post(
    "/backup",
    responses=described(views.Restored, "The pipelines of the backup are there, and those that were to run do."),
    openapi_extra=BINARY_BODY,
)
async def restore_backup(request: Request, services: Asked, by: Asker) -> Response:
    """Restore a backup into a cluster that has no pipelines: all of its pipelines or none, with their checkpoints."""
    return answers.answer(request, await services.backups.restore(await file(request), by))


@node_router.get("/nodes", responses=described(views.Page[views.Member], "Nodes, by name."))
async def list_nodes(
    request: Request,
    services: Asked,
    nonvoters: Annotated[str | None, Query(description="Also those that have no vote.")] = None,
    cursor: Cursor = None,
    limit: Limit = MAX_LIMIT,
) -> Response:
    """List the nodes that vote, as the answering node knows them."""
    after = None if cursor is None else read_cursor(cursor)
    return answers.page(request, services.cluster.nodes(after, limit, nonvoters=flag(nonvoters, "nonvoters")))


@node_router.get("/status", responses=any_part(views.NodeStatus, "The status; with `key`, that part of it."))
async def get_node_status(
    request: Request,
    services: Asked,
    key: Annotated[str | None, Query(description="Which part of it, as in `consensus.term`.", max_length=256)] = None,
) -> Response:
    """Get everything the answering node can tell of itself without asking anybody."""
    status = services.cluster.status()
    return answers.answer(request, status if key is None else select(status, key))
