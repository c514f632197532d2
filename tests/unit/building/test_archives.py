"""An archive says nothing of when, where and by whom it was made."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts.building import archives

_MOMENT = 1_700_000_000


def folder(parent: Path, names: list[str], mode: int) -> Path:
    root = parent / "forge-agent"
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"what {name} holds")
        path.chmod(mode)
    (root / "forge-agent").chmod(mode | 0o100)
    return root


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_the_same_files_make_the_same_archive(tmp_path: Path, suffix: str) -> None:
    names = ["forge-agent", "lib/a.so", "lib/b.so"]
    one = folder(tmp_path / "one", names, 0o600)
    other = folder(tmp_path / "other", names[::-1], 0o644)
    packed = []
    for number, source in enumerate((one, other)):
        archive = tmp_path / f"{number}{suffix}"
        archives.pack(source, archive, _MOMENT)
        packed.append(archive.read_bytes())
    assert packed[0] == packed[1]


def test_a_tar_tells_what_can_be_run(tmp_path: Path) -> None:
    archives.pack(folder(tmp_path, ["forge-agent", "lib/a.so"], 0o600), tmp_path / "a.tar.gz", 5)
    with tarfile.open(tmp_path / "a.tar.gz") as packed:
        found = {member.name: (member.mode, member.mtime) for member in packed}
    assert found == {
        "forge-agent": (0o755, 5),
        "forge-agent/forge-agent": (0o755, 5),
        "forge-agent/lib": (0o755, 5),
        "forge-agent/lib/a.so": (0o644, 5),
    }


def test_a_zip_holds_all_files(tmp_path: Path) -> None:
    archives.pack(folder(tmp_path, ["forge-agent", "lib/a.so"], 0o600), tmp_path / "a.zip", _MOMENT)
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert packed.read("forge-agent/lib/a.so") == b"what lib/a.so holds"
        assert packed.namelist() == ["forge-agent/forge-agent", "forge-agent/lib/a.so"]


def test_checksums_read_as_sha256sum_writes_them(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_bytes(b"")
    archives.write_checksums([tmp_path / "b", tmp_path / "a"], tmp_path / "SUMS")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert (tmp_path / "SUMS").read_text() == f"{empty}  a\n{empty}  b\n"
