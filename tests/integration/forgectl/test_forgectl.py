"""forgectl as a process, against a real collector."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.forgectl.conftest import Forgectl
from tests.process import ADMIN_SECRET, CollectorProcess


def test_a_token_is_minted_listed_and_revoked(
    forgectl: Forgectl, collector: CollectorProcess
) -> None:
    env = {"FORGE_TOKEN": ADMIN_SECRET}
    token = forgectl("tokens", "mint", "nas-2", **env).stdout.strip()
    with collector.client(token) as node:
        assert node.get("/api/whoami")["node_id"] == "nas-2"
    listed = json.loads(forgectl("tokens", "list", "--json", **env).stdout)["tokens"]
    token_id = next(entry["id"] for entry in listed if entry["node_id"] == "nas-2")
    narrow = forgectl("tokens", "list", COLUMNS="62", **env).stdout
    assert token_id in narrow  # whole, to be copied
    assert narrow.split("\n")[0].split() == ["ID", "ROLE", "FOR", "MINTED"]
    assert "nas-2" in narrow
    assert "…" not in narrow
    assert token_id in forgectl("tokens", "list", COLUMNS="24", **env).stdout
    assert forgectl("tokens", "revoke", token_id[:-1], **env).returncode == 0
    with collector.client(token) as node:
        assert node.send("GET", "/api/whoami").status == 401


def test_a_login_is_kept_for_its_owner_alone_and_for_its_collector_alone(
    forgectl: Forgectl, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(ADMIN_SECRET + "\n")
    assert "admin" in forgectl("login", "--secret-file", str(secret)).stdout
    (kept,) = tmp_path.rglob("login.json")
    assert kept.stat().st_mode & 0o077 == 0
    assert forgectl("login-link", "--role", "viewer").stdout.startswith("http://127.0.0.1:")
    elsewhere = forgectl("tokens", "list", FORGE_URL="http://127.0.0.1:9")
    assert "There is no token for http://127.0.0.1:9" in elsewhere.stderr
    forgectl("logout")
    assert "forgectl login" in forgectl("tokens", "list").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "NODE_ID for a machine, or --role and --name"),
        (("nas-2", "--role", "viewer"), "NODE_ID for a machine, or --role and --name"),
        (("--role", "viewer"), "--role and --name go together"),
    ],
)
def test_minting_for_nobody_names_the_options(
    forgectl: Forgectl, arguments: tuple[str, ...], said: str
) -> None:
    done = forgectl("tokens", "mint", *arguments, FORGE_TOKEN=ADMIN_SECRET)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (("tokens", "list"), {"FORGE_TOKEN": "forge_wrong"}, "unknown or was revoked"),
        (("tokens", "list"), {"FORGE_TOKEN": "a\nb"}, "paste it again"),
        (("tokens", "list"), {"FORGE_TOKEN": "é"}, "paste it again"),
        (("tokens", "list"), {"FORGE_TOKEN": "a", "FORGE_URL": "http://[bad"}, "no address"),
        (("tokens", "list"), {"FORGE_TOKEN": "a", "FORGE_URL": "ftp://x"}, "no address"),
        (
            ("tokens", "list"),
            {"FORGE_TOKEN": "a", "FORGE_URL": "http://127.0.0.1:9"},
            "No collector answers",
        ),
        (("tokens", "mint", "a b"), {"FORGE_TOKEN": ADMIN_SECRET}, "a node id begins with"),
        (("tokens", "revoke", "../x"), {"FORGE_TOKEN": ADMIN_SECRET}, "There is no"),
    ],
)
def test_wrong_input_gets_one_sentence_that_says_what_to_do(
    forgectl: Forgectl, arguments: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    done = forgectl(*arguments, **env)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
