"""`/metrics` over HTTP: what Prometheus reads, and who may."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from tests.integration.api.api_kit import Served, serving
from tests.integration.api.test_over_the_port import certificates, trusting
from tests.integration.node.listener_kit import serving_context
from tests.unit.node.metrics.kit import read
from wire.node.certificate_folder import CertificateFolder
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import listening
from wire.raft.transport.tls import TlsFiles

__all__ = ["certificates"]


async def test_it_tells_of_consensus_the_cluster_and_requests(api: Served) -> None:
    await api.create()
    assert (await api.client.get("/api/v1/pipelines/nobody")).status_code == 404
    response = await api.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    found = read(response.text)
    assert found["wire_raft_role{role=leader}"] == 1
    assert found["wire_raft_role{role=follower}"] == 0
    assert found["wire_raft_term"] >= 1
    assert found["wire_raft_commit_index"] == found["wire_raft_applied_index"] > 0
    assert found["wire_raft_log_bytes"] > found["wire_raft_log_entries"] > 0
    assert found["wire_raft_sync_seconds_count"] > 0
    assert found["wire_raft_propose_seconds_count"] == 1
    assert 1 <= found["wire_raft_apply_seconds_count"] <= found["wire_raft_applied_index"]
    assert found["wire_cluster_pipelines"] == 1
    assert [value for name, value in found.items() if name.startswith("wire_http_requests") and "status=404" in name]
    assert found["process_resident_memory_bytes"] > 1 << 20


async def test_a_scraper_that_would_rather_have_openmetrics_gets_it(api: Served) -> None:
    accept = {"accept": "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"}
    response = await api.client.get("/metrics", headers=accept)
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert "wire_raft_term" in {family.name for family in read_openmetrics(response.text)}


async def status(app: FastAPI, certificates: CertificateFolder, client: str | None) -> int:
    files = TlsFiles(certificates.authority, certificates.path / "n1.pem", certificates.path / "n1.key")
    context = serving_context(files)
    async with listening("127.0.0.1:0", HttpServer(app), tls=lambda: context) as listener:
        base, tls = f"https://{listener.addresses[0]}", trusting(certificates, client)
        async with httpx.AsyncClient(base_url=base, verify=tls, trust_env=False) as asking:
            for other in ("/nodes", "/api/v1/metrics"):
                assert (await asking.get(other)).status_code == (401 if client is None else 200)
            return (await asking.get("/metrics")).status_code


@pytest.mark.parametrize(("client", "expected"), [(None, 401), ("ada", 200)])
async def test_with_certificates_a_scraper_shows_one(
    client: str | None, expected: int, api: Served, certificates: CertificateFolder
) -> None:
    assert await status(api.app, certificates, client) == expected


async def test_an_operator_may_open_it_and_nothing_else(tmp_path: Path, certificates: CertificateFolder) -> None:
    async with serving(tmp_path / "node", metrics_open=True) as served:
        assert await status(served.app, certificates, None) == 200
