"""scripts/simulate as a process, against collectors that are well."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.process import ADMIN_SECRET, CollectorProcess, environment, running_collector, wait_for

SIMULATE = Path(__file__).resolve().parents[3] / "scripts" / "simulate"
PATIENCE_S = 60


def simulate(*options: str, token: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SIMULATE, *options],
        env=environment(FORGE_TOKEN=token),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def nodes_of(collector: CollectorProcess) -> list[dict[str, Any]]:
    with collector.client() as admin:
        nodes: list[dict[str, Any]] = admin.get("/api/fleet")["nodes"]
        return nodes


def test_it_starts_a_collector_of_its_own_and_reports(tmp_path: Path) -> None:
    report_path, data = tmp_path / "report.json", tmp_path / "data"
    ran = simulate(
        *("--nodes", "30", "--interval", "1", "--seconds", "4"),
        *("--json", str(report_path), "--data", str(data)),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "errors        none" in ran.stdout
    assert "/#/login/" not in ran.stdout  # the link is for a terminal alone
    report = json.loads(report_path.read_bytes())
    assert report["errors"] == {}
    assert report["nodes"] == 30
    assert report["pushes_sent"] == report["pushes_acknowledged"]
    assert 110 <= report["pushes_acknowledged"] <= 120
    assert 0 < report["acknowledged_ms"]["p50"] <= report["acknowledged_ms"]["max"]
    assert report["simulator"]["cpu_s"] >= 0
    assert report["collector"]["rss_bytes"] > 10_000_000
    assert report["storage"]["bytes_per_snapshot"] > 0

    with running_collector(data) as collector:  # what it kept is there for a look
        assert len(nodes_of(collector)) == 30


def test_every_node_shows_in_a_running_collector(tmp_path: Path) -> None:
    with running_collector(tmp_path / "data") as collector:
        ran = simulate(
            *("--url", collector.url, "--nodes", "30", "--interval", "1", "--seconds", "4"),
            token=ADMIN_SECRET,
        )
        nodes = nodes_of(collector)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(nodes) == 30
    assert {node["host"]["platform"] for node in nodes} == {"linux", "windows", "darwin"}
    assert all(len(node["latest"]["values"]) >= 30 for node in nodes)
    assert any("lab" in node["tags"] for node in nodes)
    assert any(node["ephemeral"] for node in nodes)


def test_some_fall_silent(tmp_path: Path) -> None:
    with running_collector(tmp_path / "data") as collector:
        ran = simulate(
            *("--url", collector.url, "--nodes", "8", "--interval", "0.5", "--seconds", "3"),
            *("--offline-share", "0.5"),
            token=ADMIN_SECRET,
        )
        pushes = [points_of(collector, node["id"]) for node in nodes_of(collector)]
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(pushes) == 8
    assert pushes.count(1) >= 2  # after their first push
    assert sum(count >= 5 for count in pushes) == 4


def points_of(collector: CollectorProcess, node_id: str) -> int:
    with collector.client() as admin:
        return len(admin.get(f"/api/nodes/{node_id}/snapshot")["points"])


def test_clean_leaves_nothing_behind(tmp_path: Path) -> None:
    with running_collector(tmp_path / "data") as collector:
        ran = simulate(
            *("--url", collector.url, "--nodes", "10", "--interval", "1", "--seconds", "0.5"),
            "--clean",
            token=ADMIN_SECRET,
        )
        with collector.client() as admin:
            tokens = admin.get("/api/tokens")["tokens"]
        nodes = nodes_of(collector)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (nodes, tokens) == ([], [])


def test_a_signal_ends_it_with_its_report(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [SIMULATE, "--nodes", "5", "--interval", "0.2", "--seconds", "0", "--data", tmp_path],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: database_has_nodes(tmp_path), "the first pushes")
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert "errors        none" in said
    assert collector_is_gone(tmp_path)


def database_has_nodes(data: Path) -> bool:
    log = data / "collector.log"
    return log.exists() and b"node.added" in log.read_bytes()


def collector_is_gone(data: Path) -> bool:
    """Tell whether nobody holds the data folder: a second collector could start on it."""
    with running_collector(data) as collector:
        return collector.process.poll() is None


def test_without_its_collector_it_says_so_and_does_not_spin(tmp_path: Path) -> None:
    with running_collector(tmp_path / "data") as collector:
        process = subprocess.Popen(
            [
                *(SIMULATE, "--url", collector.url, "--nodes", "200", "--interval", "0.5"),
                *("--seconds", "5", "--json", tmp_path / "report.json"),
            ],
            env=environment(FORGE_TOKEN=ADMIN_SECRET),
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_for(lambda: len(nodes_of(collector)) == 200, "the first pushes")
        collector.kill()
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, said
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report["errors"]["unreachable"] > 200
    assert report["simulator"]["cpu_share"] < 0.5


def test_it_asks_for_what_it_needs() -> None:
    ran = simulate("--url", "http://127.0.0.1:1", "--nodes", "1", "--seconds", "1")
    assert ran.returncode == 2
    assert "FORGE_TOKEN" in ran.stderr
    ran = simulate("--url", "http://127.0.0.1:1", "--nodes", "1", "--seconds", "1", token="t" * 20)
    assert ran.returncode == 1
    assert "does not answer" in ran.stderr
