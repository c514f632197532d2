"""scripts/run: its own options, and those it hands on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[3] / "scripts" / "run"
# In place of what installs packages from the network: a collector and an agent that only tell how
# they were started.
PREPARED = """
ROOT=$(dirname "${BASH_SOURCE[0]}")/.. VENV=$ROOT/.venv PYTHON=echo
say() { echo "$*"; }
python_packages() { :; }
page() { :; }
mkdir -p "$VENV/bin"
printf '#!/bin/sh\\n' >"$VENV/bin/forge-agent"
chmod +x "$VENV/bin/forge-agent"
"""


def called(folder: Path, *options: str) -> str:
    """Run the script as it is in a checkout of its own."""
    scripts = folder / "scripts"
    scripts.mkdir(exist_ok=True)
    shutil.copy(RUN, scripts)
    done = subprocess.run(
        [str(scripts / "run"), *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def test_help_is_given_before_anything_is_installed(tmp_path: Path) -> None:
    told = called(tmp_path, "--port", "8917", "--help")  # there is nothing to install it with
    assert "--with-prodplan" in told
    assert "forge-collector serve --help" in told


@pytest.mark.parametrize("port", [("--port", "8917"), ("--port=8917",)])
def test_the_login_that_is_suggested_goes_to_the_port_that_was_given(
    port: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "prepare.sh").write_text(PREPARED)
    told = called(tmp_path, "--with-prodplan", *port, "--data=kept", "--no-announce")
    assert "forgectl login --url http://localhost:8917 --secret-file" in told
    assert f"{tmp_path}/kept/admin-secret" in told
    assert told.endswith(f"-m forge_collector serve {' '.join(port)} --no-announce\n")
