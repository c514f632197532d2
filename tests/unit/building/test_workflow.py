"""The definition of the builds: it cannot run here, so what can be held of it is."""

from __future__ import annotations

import re
from pathlib import Path

from forge_shared import releases

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / ".github" / "workflows" / "build.yml").read_text(encoding="utf-8")


def test_every_platform_is_built_and_tested() -> None:
    build, test = TEXT.split("\n  test:\n")
    for job in (build, test):
        assert re.findall(r"platform: ([\w-]+),", job) == list(releases.PLATFORMS)


def test_actions_are_pinned_by_hash_and_say_their_version() -> None:
    used = re.findall(r"uses: (.+)", TEXT)
    assert len(used) >= 6
    for action in used:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_it_may_read_and_no_more_and_knows_no_secret() -> None:
    assert re.findall(r"permissions:\n(?:  .+\n)+", TEXT) == ["permissions:\n  contents: read\n"]
    assert "secrets." not in TEXT


def test_the_tests_that_it_names_are_there() -> None:
    named = set(re.findall(r"tests/[\w/.]+", TEXT))
    assert named
    assert all((ROOT / path).exists() for path in named)
