"""What a build is said to take is what it takes."""

from __future__ import annotations

from pathlib import Path

from scripts.building import cli


def test_what_links_lead_to_counts_once(tmp_path: Path) -> None:
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    library = libraries / "libsolver.so.9.1"
    library.write_bytes(bytes(100_000))
    (libraries / "libsolver.so.9").symlink_to(library.name)
    (libraries / "libsolver.so").hardlink_to(library)
    (tmp_path / "other").symlink_to(libraries)
    (tmp_path / "notes").write_bytes(bytes(2_000))
    assert cli.size_of(library) == 100_000
    # A link by itself takes the few bytes of its target's name.
    assert cli.size_of(tmp_path) == 102_000 + len(library.name)
