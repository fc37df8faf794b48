"""What is the node's own is out of every pipeline's reach, also where the operator allows the folder it lies in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.e2e.certificates_kit import Certificates
from tests.e2e.nodes_kit import DEADLINE_S, create, reaches, status
from tests.waiting import comes_true

GENERATE = {"type": "generate", "config": {"count": 1, "fields": {"n": "sequence"}}}
DROP = {"type": "drop"}
ASKING = {"type": "http", "url": "https://127.0.0.1:1/{n}", "select": "n AS m"}


def aimed_at(path: Path) -> Iterator[dict[str, Any]]:
    """Pipelines that would read a file, or write it, each in another way."""
    name = str(path)
    yield {"source": {"type": "file", "config": {"path": name, "format": {"type": "text"}}}, "sink": DROP}
    yield {"source": GENERATE, "sink": {"type": "file", "config": {"path": name}}}
    yield {"source": GENERATE, "sink": {"type": "http", "config": {"url": f"http://127.0.0.1:1/${{file:{name}}}"}}}
    lookup = {"file": name, "key": "n", "select": "n AS m"}
    yield {"source": GENERATE, "transforms": [{"lookup": lookup}], "sink": DROP}
    yield {"source": GENERATE, "transforms": [{"enrich": ASKING | {"tls": {"ca": name}}}], "sink": DROP}


async def test_no_pipeline_reaches_keys_certificates_configuration_or_the_data_folder_of_the_node(
    tmp_path: Path,
) -> None:
    pki = Certificates(tmp_path / "certs")
    configuration = tmp_path / "node.yaml"  # where a token for joining may be
    configuration.write_text("log_level: info\n")
    node = pki.node(tmp_path, "n1", "--allow-paths", tmp_path, "--config", configuration)
    own = [pki.path / each for each in ("n1.key", "n1.pem", "ca.key", "ca.pem")]
    own += [node.folder / "node.json", configuration]
    links = [tmp_path / f"link-{path.name}" for path in own]
    for link, path in zip(links, own, strict=True):
        link.symlink_to(path)
    (tmp_path / "folder").symlink_to(pki.path)
    (tmp_path / "data").symlink_to(node.folder)
    through = [tmp_path / "folder" / "ca.key", tmp_path / "folder" / ".." / "certs" / "n1.key"]
    through += [tmp_path / "data" / "node.json", tmp_path / "data" / "raft" / "new.jsonl"]
    reached = []
    async with node.running() as client:
        before = {path: path.read_bytes() for path in own}
        for path in (*own, *links, *through):
            for spec in aimed_at(path):
                response = await client.post("/api/v1/pipelines", json={"name": "thief"} | spec)
                found = response.json().get("errors", [])
                if response.status_code != HTTPStatus.UNPROCESSABLE_ENTITY or not all(
                    each["code"] == "config.not_allowed" and "--allow-paths" in each["hint"] for each in found
                ):
                    reached.append((path.relative_to(tmp_path), response.status_code, response.text))
                    await client.delete("/api/v1/pipelines/thief")
        assert not reached
        assert {path: path.read_bytes() for path in own} == before


async def test_what_is_found_only_while_the_pipeline_runs_is_refused_by_the_worker(tmp_path: Path) -> None:
    pki = Certificates(tmp_path / "certs")
    node = pki.node(tmp_path, "n1", "--allow-paths", tmp_path)
    (pki.path / "mine.jsonl").write_text('{"n":1}\n')
    async with node.running() as client:
        for name, pattern in (("keys", "*.key"), ("authority", "ca.*")):
            source = {"type": "file", "config": {"path": str(pki.path / pattern), "format": {"type": "text"}}}
            spec = {"name": name, "source": source, "sink": {"type": "file", "config": {"path": str(tmp_path / name)}}}
            await create(client, spec)

            async def failed(name: str = name) -> bool:
                return bool((await status(client, name))["state"] == "failed")

            await comes_true(failed, DEADLINE_S)
            assert "config.not_allowed" in json.dumps(await status(client, name))
            assert not (tmp_path / name).exists()
        source = {"type": "file", "config": {"path": str(pki.path / "mine.*")}}
        sink = {"type": "file", "config": {"path": str(pki.path / "copy.jsonl")}}
        await create(client, {"name": "mine", "source": source, "sink": sink})
        await reaches(client, "mine", "done")  # what else is in the folder is what the operator allows
        assert (pki.path / "copy.jsonl").read_text() == '{"n":1}\n'


async def test_a_certificate_that_is_a_link_is_out_of_reach_wherever_it_leads_after_a_renewal(tmp_path: Path) -> None:
    pki = Certificates(tmp_path / "certs")
    node = pki.node(tmp_path, "n1", "--allow-paths", tmp_path)
    key = pki.path / "n1.key"
    target = key.rename(tmp_path / "first.key")
    key.symlink_to(target)
    async with node.running() as client:
        renewed = tmp_path / "second.key"
        renewed.write_bytes(target.read_bytes())
        (tmp_path / "new").symlink_to(renewed)
        (tmp_path / "new").rename(key)
        for path in (key, renewed):
            source = {"type": "file", "config": {"path": str(path), "format": {"type": "text"}}}
            response = await client.post("/api/v1/pipelines", json={"name": "thief", "source": source, "sink": DROP})
            assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, path
            assert [each["code"] for each in response.json()["errors"]] == ["config.not_allowed"]
