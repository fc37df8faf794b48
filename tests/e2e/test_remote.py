"""`wire pipeline` and `wire cluster` against real nodes: who is not known, what no leader means, what is refused."""

from __future__ import annotations

import contextlib
import json
import ssl
from pathlib import Path

from tests.e2e.command import Outcome, wire
from tests.e2e.nodes_kit import DEADLINE_S, NodeProcess, endless
from tests.waiting import comes_true


async def test_who_shows_no_certificate_is_told_how_to(tmp_path: Path) -> None:
    for words in (["init"], ["issue", "n1", "--host", "127.0.0.1"], ["issue", "ada", "--client"]):
        assert (await wire("certs", *words, cwd=tmp_path)).code == 0
    context = ssl.create_default_context(cafile=tmp_path / "certs" / "ca.pem")
    flags = ("--ca", "certs/ca.pem", "--cert", "certs/n1.pem", "--key", "certs/n1.key")
    node = NodeProcess(tmp_path, "n1", *flags, tls=context)
    environ = {"WIRE_CONTEXTS": "contexts.json"}
    async with node.running():

        async def asked(*words: str) -> Outcome:
            return await wire(*words, cwd=tmp_path, environ=environ)

        assert (await asked("context", "set", "c", "--server", node.url, "--ca", "certs/ca.pem")).code == 0
        refused = await asked("pipeline", "list")
        assert refused.code == 3
        assert "api.not_authenticated" in refused.err
        assert "wire certs issue NAME --client" in refused.err
        files = ("--cert", "certs/ada.pem", "--key", "certs/ada.key")
        assert (await asked("context", "set", "c", *files)).code == 0
        assert (await asked("pipeline", "list")).code == 0


async def test_without_most_nodes_there_is_no_leader_and_that_is_what_is_said(tmp_path: Path) -> None:
    nodes = [NodeProcess(tmp_path, "n1")]
    nodes += [NodeProcess(tmp_path, name, "--join", nodes[0].address) for name in ("n2", "n3")]
    spec = tmp_path / "p.yaml"
    spec.write_text(json.dumps(endless("p")))
    servers = [word for node in reversed(nodes) for word in ("--server", node.url)]

    async def members() -> list[str]:
        found = await wire("cluster", "members", *servers, "-o", "json", cwd=tmp_path)
        return [each["role"] for each in json.loads(found.out)] if found.code == 0 else []

    async def all_vote() -> bool:
        return sorted(await members()) == ["leader", "voter", "voter"]

    async def nobody_leads() -> bool:
        return await members() == ["voter", "voter", "voter"]

    async with contextlib.AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(node.running())
        await comes_true(all_vote, DEADLINE_S)
        applied = await wire("pipeline", "apply", spec, "--wait", *servers, cwd=tmp_path)
        assert applied.code == 0, applied.err
        await nodes[0].kill()
        paused = await wire("pipeline", "pause", "p", *servers, "--patience", "60s", cwd=tmp_path)
        assert paused.code == 0, "two of three are enough, once another one leads"
        await nodes[1].kill()
        await comes_true(nobody_leads, DEADLINE_S)
        status = await wire("cluster", "status", *servers, cwd=tmp_path)
        assert "leader   none now: most nodes must be up to agree on one" in status.out
        refused = await wire("pipeline", "resume", "p", *servers, "--patience", "2s", cwd=tmp_path)
        assert refused.code == 3
        assert "raft.no_leader" in refused.err
        assert "wire cluster members" in refused.err
        watched = await wire("top", "--once", *servers, cwd=tmp_path)
        assert (watched.code, "p  " in watched.out) == (0, True)
