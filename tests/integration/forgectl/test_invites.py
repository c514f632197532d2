"""forgectl invite: a join string that a real agent joins with, listed and revoked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from forge_shared import joining
from tests.integration.forgectl.conftest import Forgectl
from tests.process import ADMIN_SECRET, CollectorProcess, environment

ENV = {"FORGE_TOKEN": ADMIN_SECRET}


def test_the_line_it_prints_makes_an_agent_a_member(
    forgectl: Forgectl, collector: CollectorProcess, tmp_path: Path
) -> None:
    printed = forgectl("invite", "--node", "attic", "--expires", "30m", **ENV).stdout
    join_string = printed.split()[0]
    assert f"forge-agent join --install {join_string}\n" in printed
    assert "one machine, which becomes attic, until 20" in printed
    assert "listens on this machine alone" in printed  # and "this" it does
    assert joining.parse(join_string).url == collector.url

    settings = tmp_path / "agent.toml"
    joined = subprocess.run(
        [sys.executable, "-m", "forge_agent", "join", "-", "--config", str(settings)],
        input=join_string,
        cwd=tmp_path,
        env=environment(HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert joined.returncode == 0, joined.stderr
    assert settings.stat().st_mode & 0o077 == 0
    assert "attic" in forgectl("tokens", "list", **ENV).stdout
    (row,) = [
        line for line in forgectl("invites", "list", **ENV).stdout.splitlines() if "attic" in line
    ]
    assert "used up" in row
    assert "1 of 1" in row
    assert row.split()[-1] == "attic"


def test_an_invite_is_revoked(forgectl: Forgectl) -> None:
    made = json.loads(forgectl("invite", "--uses", "3", "--expires", "7d", "--json", **ENV).stdout)
    assert made["invite"]["uses"] == 3
    assert made["invite"]["expires_at"] - made["invite"]["created_at"] == 7 * 86_400_000
    invite_id = made["invite"]["id"]
    assert invite_id in forgectl("invites", "list", COLUMNS="60", **ENV).stdout
    assert forgectl("invites", "revoke", invite_id[:-1], **ENV).returncode == 0
    listed = json.loads(forgectl("invites", "list", "--json", **ENV).stdout)["invites"]
    assert [one["status"] for one in listed if one["id"] == made["invite"]["id"]] == ["revoked"]
    assert joining.parse(made["join_string"]).code not in json.dumps(listed)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("invite", "--expires", "soon"), 2, "30m, 1h, 7d"),
        (("invite", "--expires", "31d"), 2, "between 1m and 30d"),
        (("invite", "--expires", "1s"), 2, "between 1m and 30d"),
        (("invite", "--uses", "0"), 2, "1<=x<=10000"),
        (("invite", "--uses", "many"), 2, "not a valid integer"),
        (("invite", "--node", "a b"), 1, "a node id begins with"),
        (("invite", "--node", "a", "--uses", "2"), 2, "for one machine"),
        (("invites", "revoke", "../x"), 1, "There is no"),
    ],
)
def test_wrong_input_gets_a_sentence_that_says_what_to_do(
    forgectl: Forgectl, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = forgectl(*arguments, **ENV)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stdout == ""
