"""A collector for each module, and forgectl as a process against it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forgectl import cli
from tests.integration.forgectl.jobs import Called
from tests.process import ADMIN_SECRET, CollectorProcess, environment, running_collector

Forgectl = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with running_collector(tmp_path_factory.mktemp("forgectl") / "data") as running:
        yield running


@pytest.fixture
def forgectl(collector: CollectorProcess, tmp_path: Path) -> Forgectl:
    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        settings = {"FORGE_URL": collector.url, "XDG_CONFIG_HOME": str(tmp_path), **env}
        settings.setdefault("HOME", str(tmp_path))
        done = subprocess.run(
            [sys.executable, "-m", "forgectl", *arguments],
            env=environment(**settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def called(collector: CollectorProcess, tmp_path: Path) -> Called:
    """Call a command of forgectl in this process: what a process costs is not always needed."""

    def call(*arguments: str, input: str | bytes = "", **env: str) -> Result:  # noqa: A002  click's
        settings = {
            "FORGE_URL": collector.url,
            "FORGE_TOKEN": ADMIN_SECRET,
            "FORGE_CA_FILE": "",
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
            "COLUMNS": "160",  # else it goes by the terminal that the tests run on
            **env,
        }
        done = CliRunner().invoke(cli.main, list(arguments), input=input, env=settings)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return done

    return call
