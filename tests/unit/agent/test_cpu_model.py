"""The processor's name, told by Linux or found out by py-cpuinfo."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_agent import cpu_model

# As Linux tells it on a PC, and on an ARM.
PC = """processor\t: 0
vendor_id\t: GenuineIntel
model\t\t: 142
model name\t: Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz
cpu MHz\t\t: 1800.000

processor\t: 1
model name\t: another
"""
ARM = """processor\t: 0
BogoMIPS\t: 108.00
CPU part\t: 0xd08

Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(cpu_model, "_TOLD_BY_LINUX", path)
    return path


def test_the_name_that_linux_tells(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told.write_text(PC)
    assert cpu_model.print_it() == 0
    assert capsys.readouterr().out == "Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz\n"


def test_bytes_that_are_no_text(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told.write_bytes(b"model name: a\xff CPU\n")
    assert cpu_model.print_it() == 0
    assert capsys.readouterr().out == "a\ufffd CPU\n"


@pytest.mark.parametrize("text", [ARM, "", "model name\t:\n", None])
def test_without_it_py_cpuinfo_is_asked(
    told: Path, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it finds is tried with the frozen agent, where Linux is kept from telling."""
    if text is not None:
        told.write_text(text)
    monkeypatch.setattr("cpuinfo.get_cpu_info", lambda: {"brand_raw": "found out"})
    assert cpu_model._told() == ""
    assert cpu_model._found_out() == "found out"


def test_nobody_knows(
    told: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cpuinfo.get_cpu_info", dict)
    assert cpu_model.print_it() == 1
    assert capsys.readouterr().out == "\n"
