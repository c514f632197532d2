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


def prepared(folder: Path) -> Path:
    """Return the folder with a checkout in it that has all it needs."""
    (folder / "scripts").mkdir()
    (folder / "scripts" / "prepare.sh").write_text(PREPARED)
    return folder


def test_help_is_given_before_anything_is_installed(tmp_path: Path) -> None:
    told = called(tmp_path, "--port", "8917", "--help")  # there is nothing to install it with
    assert "--with-prodplan" in told
    assert "forge-collector serve --help" in told


@pytest.mark.parametrize("port", [("--port", "8917"), ("--port=8917",)])
def test_the_login_that_is_suggested_goes_to_the_port_that_was_given(
    port: tuple[str, ...], tmp_path: Path
) -> None:
    told = called(prepared(tmp_path), "--with-prodplan", *port, "--data=kept", "--no-announce")
    assert "forgectl login --url http://localhost:8917 --secret-file" in told
    assert f"{tmp_path}/kept/admin-secret" in told
    assert told.endswith(f"-m forge_collector serve {' '.join(port)} --no-announce\n")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ((), ""),
        (("--host", "0.0.0.0", "--allow-plaintext"), ""),  # noqa: S104  it is only said
        (("--host=192.168.1.10", "--allow-plaintext"), " --url http://192.168.1.10:8750"),
        (("--host", "0.0.0.0", "--tls", "auto"), " --url https://localhost:8750 --ca {ca}"),  # noqa: S104
        (("--tls=auto", "--port=8917"), " --url https://localhost:8917 --ca {ca}"),
        (("--host", "fd00::1", "--tls", "auto"), " --url https://[fd00::1]:8750 --ca {ca}"),
        (
            ("--tls-cert", "c.pem", "--tls-key", "k.pem", "--public-url", "https://fleet.example"),
            " --url https://fleet.example",
        ),
        (("--tls-cert=c.pem",), " --url https://NAME-IN-THE-CERTIFICATE:8750"),
    ],
)
def test_the_login_that_is_suggested_leads_to_the_collector(
    options: tuple[str, ...], where: str, tmp_path: Path
) -> None:
    told = called(prepared(tmp_path), "--with-prodplan", *options, "--data", "kept")
    where = where.format(ca=f"{tmp_path}/kept/tls/ca.pem")
    assert f"forgectl login{where} --secret-file {tmp_path}/kept/admin-secret\n" in told
    assert told.endswith(" ".join(("serve", *options)) + "\n")
