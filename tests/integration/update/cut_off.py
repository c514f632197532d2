"""Updates that are killed before each of their steps on disk, one after the other.

Run as a program of its own, since it forks; it prints a line for each step.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Final

from forge_agent.update import command, installed
from forge_agent.update.command import Wanted
from forge_agent.update.installed import Installed, Trial
from forge_agent.update.sources import Folder
from tests.integration.update.program import PLATFORM

_STEPS: Final = {
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.symlink", "os.truncate"),
    "subprocess.Popen",
}
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_MOST: Final = 200
BEFORE: Final = Installed(current="0.1.5", highest="0.1.5")
AFTER: Final = Installed(current="0.1.5", trial=Trial("0.2.0"), highest="0.2.0")


def main(folder: Path, release: Path, key: str) -> None:
    wanted = Wanted(Folder(release), (key,), PLATFORM)
    whole = _tree_after(folder / "whole", wanted)
    for step in range(1, _MOST):
        program_dir = _fresh(folder / str(step))
        name = _killed_before(step, program_dir, wanted)
        if not name:
            print("done")  # noqa: T201
            return
        _check(program_dir, whole)
        command.update(program_dir, wanted, lambda _: None)
        assert installed.load(program_dir) == AFTER
        assert _tree(program_dir) == whole, name
        print(name)  # noqa: T201
    raise AssertionError("it never ends")


def _tree_after(program_dir: Path, wanted: Wanted) -> dict[str, bytes]:
    command.update(_fresh(program_dir), wanted, lambda _: None)
    return _tree(program_dir)


def _fresh(program_dir: Path) -> Path:
    old = installed.program_of(program_dir, BEFORE.current)
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\n")
    old.chmod(0o755)
    installed.save(program_dir, BEFORE)
    return program_dir


def _killed_before(step: int, program_dir: Path, wanted: Wanted) -> str:
    """Update in a child that is killed before its so manieth step; return what that was."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        steps = 0

        def count(event: str, args: tuple[Any, ...]) -> None:
            nonlocal steps
            if event in _STEPS or (event == "open" and args[2] & _WRITES):
                steps += 1
                if steps == step:
                    os.write(tell, f"{event} {args[0]}".encode())
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        command.update(program_dir, wanted, lambda _: None)
        os._exit(0)
    os.close(tell)
    with os.fdopen(told, "rb") as pipe:
        name = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) == bool(name)
    return name


def _check(program_dir: Path, whole: dict[str, bytes]) -> None:
    """What is there after a kill can be run: the version before, or the new one, whole."""
    found, tree = installed.load(program_dir), _tree(program_dir)
    assert found.current == BEFORE.current
    assert tree["versions/0.1.5/forge-agent"] == whole["versions/0.1.5/forge-agent"]
    new = {path for path in whole if path.startswith("versions/0.2.0/")}
    if found.trial is not None:
        assert found == AFTER
        assert new <= tree.keys()
    for path in tree:
        if path.startswith("versions/") and ".partial/" not in path:
            assert tree[path] == whole[path]
    if (program_dir / "versions" / "0.2.0").exists():
        assert new <= tree.keys()


def _tree(program_dir: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(program_dir)): path.read_bytes()
        for path in program_dir.rglob("*")
        if path.is_file() and path.suffix != ".lock" and path.name != "release.json"
    }


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    finally:
        shutil.rmtree(sys.argv[1])
