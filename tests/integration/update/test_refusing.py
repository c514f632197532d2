"""What `forge-agent update` refuses: nothing of it reaches the disk as something to be run."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from forge_agent.lock import FileLock
from forge_agent.update import command, installed
from forge_agent.update.command import UpdateError, Wanted
from forge_agent.update.download import Patience
from forge_agent.update.installed import Installed, Trial
from forge_agent.update.sources import Collector, Folder, Source
from forge_shared import releases, signatures
from forge_shared.signatures import KeyPair
from tests import small_disk
from tests.integration.update import program
from tests.integration.update.program import PLATFORM, make_program_dir, make_release, update
from tests.process import CollectorProcess, environment
from tests.small_disk import SmallDisk

ELSEWHERE = "/tmp/forge-fleet-escaped"  # noqa: S108
QUICK = Patience(waits_s=(0.01, 0.01))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "release"


def wanted(source: Source | Path, keys: KeyPair, platform: str = PLATFORM) -> Wanted:
    source = Folder(source) if isinstance(source, Path) else source
    return Wanted(source, (keys.public,), platform)


def said_by(program_dir: Path, what: Wanted) -> str:
    said: list[str] = []
    with contextlib.closing(what.source):
        command.update(program_dir, what, said.append, QUICK)
    return said[-1]


def refusal(program_dir: Path, what: Wanted) -> str:
    """Return why it is refused; nothing is left that could be run."""
    with pytest.raises(UpdateError) as caught, contextlib.closing(what.source):
        command.update(program_dir, what, lambda _: None, QUICK)
    assert installed.load(program_dir).trial is None
    versions = installed.versions_folder(program_dir)
    assert not versions.exists() or all(
        path.name.endswith(".partial") for path in versions.iterdir()
    )
    return str(caught.value)


# --- signatures ---------------------------------------------------------------------------------


def test_a_manifest_that_was_changed(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    make_release(folder, "0.2.0", keys)
    manifest = folder / releases.MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b"0.2.0", b"9.2.0"))
    assert "not signed with a key that is trusted here" in refusal(
        program_dir, wanted(folder, keys)
    )


def test_a_signature_that_was_changed(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    make_release(folder, "0.2.0", keys)
    signature = folder / releases.SIGNATURE
    signature.write_bytes(bytes(64))
    assert "not signed" in refusal(program_dir, wanted(folder, keys))
    signature.write_bytes(b"short")
    assert "not signed" in refusal(program_dir, wanted(folder, keys))


def test_a_release_of_somebody_else(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    make_release(folder, "0.2.0", signatures.make_keys())
    assert "not signed with a key" in refusal(program_dir, wanted(folder, keys))


def test_an_archive_that_was_changed(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    archive = make_release(folder, "0.2.0", keys)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    assert "is not the file that was signed" in refusal(program_dir, wanted(folder, keys))
    assert list((program_dir / "download").iterdir()) == []


def test_no_key_at_all(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    make_release(folder, "0.2.0", keys)
    assert "set FORGE_RELEASE_KEYS" in refusal(program_dir, wanted(folder, keys)._replace(keys=()))


# --- versions and platforms ---------------------------------------------------------------------


def test_versions_only_rise(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    make_release(folder, "0.2.0", keys)
    what = wanted(folder, keys)
    installed.save(program_dir, Installed(current="0.2.0", highest="0.2.0"))
    assert said_by(program_dir, what) == "0.2.0 is up to date."
    installed.save(program_dir, Installed(current="0.3.0", highest="0.3.0"))
    assert "0.3.0 is up to date: 0.2.0, which is offered, is older" in said_by(program_dir, what)
    # One that did not work was higher: nothing below it is taken either.
    installed.save(program_dir, Installed(current="0.1.5", rejected=("0.2.1",), highest="0.2.1"))
    assert "is older than what was here already" in said_by(program_dir, what)
    assert installed.load(program_dir).trial is None


def test_another_platform(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    make_release(folder, "0.2.0", keys, platform="windows-x86_64")
    why = refusal(program_dir, wanted(folder, keys))
    assert f"0.2.0 is not for this platform, {PLATFORM}: there are windows-x86_64" in why


def test_a_program_that_cannot_be_started_here(
    program_dir: Path, folder: Path, keys: KeyPair
) -> None:
    make_release(folder, "0.2.0", keys, program.CANNOT_START)
    why = refusal(program_dir, wanted(folder, keys))
    assert "0.2.0 cannot be started on this machine" in why
    assert "the C library is too old" in why
    assert "did not work" in said_by(program_dir, wanted(folder, keys))


def test_a_machine_that_is_full_is_no_programs_fault(
    program_dir: Path, folder: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    make_release(folder, "0.2.0", keys)
    with monkeypatch.context() as machine:
        machine.setattr(subprocess, "run", fails)
        assert os.strerror(errno.EAGAIN) in refusal(program_dir, wanted(folder, keys))
    assert "0.2.0 is installed" in said_by(program_dir, wanted(folder, keys))


def test_a_program_of_another_version(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    packed = program.archive(program.program("0.1.1"))
    make_release(folder, "0.2.0", keys, packed=packed)
    assert "it says 'forge-agent 0.1.1'" in refusal(program_dir, wanted(folder, keys))


# --- archives -----------------------------------------------------------------------------------


def tarred(*entries: tuple[str, bytes, str]) -> bytes:
    """An archive with entries of name, type and target."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, kind, target in (("forge-agent/forge-agent", tarfile.REGTYPE, ""), *entries):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size, entry.mode = kind, target, 0, 0o755
            tar.addfile(entry, io.BytesIO())
    return packed.getvalue()


@pytest.mark.parametrize(
    "entry",
    [
        ("../escaped", tarfile.REGTYPE, ""),
        ("forge-agent/../../escaped", tarfile.REGTYPE, ""),
        (ELSEWHERE, tarfile.REGTYPE, ""),
        ("escaped", tarfile.REGTYPE, ""),
        ("forge-agent/link", tarfile.SYMTYPE, "/etc/passwd"),
        ("forge-agent/link", tarfile.SYMTYPE, "../../.."),
        ("forge-agent/link", tarfile.SYMTYPE, "link"),
        ("forge-agent/hard", tarfile.LNKTYPE, "forge-agent/forge-agent"),
        ("forge-agent/pipe", tarfile.FIFOTYPE, ""),
        ("forge-agent/device", tarfile.CHRTYPE, ""),
        ("forge-agent/forge-agent", tarfile.REGTYPE, ""),
        ("forge-agent\\..\\..\\escaped", tarfile.REGTYPE, ""),
    ],
)
def test_an_archive_that_reaches_outside(
    entry: tuple[str, bytes, str], program_dir: Path, folder: Path, keys: KeyPair
) -> None:
    make_release(folder, "0.2.0", keys, packed=tarred(entry))
    before = {path for path in program_dir.parent.rglob("*") if path.is_file()}
    assert "cannot be unpacked" in refusal(program_dir, wanted(folder, keys))
    after = {path for path in program_dir.parent.rglob("*") if path.is_file()}
    assert {path.name for path in after - before} <= {
        *("update.lock", "release.lock", "release.json", "forge-agent")
    }
    assert not Path(ELSEWHERE).exists()


def test_links_that_lead_outside_by_way_of_each_other(
    program_dir: Path, folder: Path, keys: KeyPair
) -> None:
    packed = tarred(
        ("forge-agent/a/b/up", tarfile.SYMTYPE, "../.."),
        ("forge-agent/out", tarfile.SYMTYPE, "a/b/up/../../.."),
    )
    make_release(folder, "0.2.0", keys, packed=packed)
    assert "leads outside" in refusal(program_dir, wanted(folder, keys))


@pytest.mark.parametrize("name", ["../escaped", "C:/escaped", "forge-agent/../../escaped"])
def test_a_zip_that_reaches_outside(
    name: str, program_dir: Path, folder: Path, keys: KeyPair
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("forge-agent/forge-agent.exe", b"program")
        archive.writestr(name, b"escaped")
    make_release(folder, "0.2.0", keys, platform="windows-x86_64", packed=packed.getvalue())
    what = wanted(folder, keys, platform="windows-x86_64")
    assert "would lie outside" in refusal(program_dir, what)


def test_an_archive_that_is_none(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    make_release(folder, "0.2.0", keys, packed=b"not an archive")
    assert "it is damaged" in refusal(program_dir, wanted(folder, keys))
    assert list(installed.versions_folder(program_dir).iterdir()) == []


# --- the way ------------------------------------------------------------------------------------


class Cutting:
    """A relay to the collector that lets so many bytes of answers through, then hangs up."""

    def __init__(self, port: int, allowance: int) -> None:
        self.allowance = allowance
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with near, socket.create_connection(("127.0.0.1", self._target)) as far:
                asking = threading.Thread(target=self._ask, args=(near, far), daemon=True)
                asking.start()
                self._answer(near, far)
                asking.join(5)

    @staticmethod
    def _ask(near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := near.recv(65_536):
                far.sendall(piece)
            far.shutdown(socket.SHUT_RDWR)

    def _answer(self, near: socket.socket, far: socket.socket) -> None:
        while self.allowance > 0:
            piece = far.recv(min(65_536, self.allowance))
            if not piece:
                break
            self.allowance -= len(piece)
            near.sendall(piece)
        for each in (near, far):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cutting(collector: CollectorProcess) -> Iterator[Cutting]:
    relay = Cutting(collector.port, 0)
    yield relay
    relay.close()


def test_a_download_that_breaks_off_is_gone_on_with(
    program_dir: Path, offered: Path, keys: KeyPair, cutting: Cutting
) -> None:
    archive = make_release(offered, "0.2.0", keys)
    cutting.allowance = 200_000
    why = refusal(program_dir, wanted(Collector(cutting.url, None), keys))
    assert f"The download of {archive.name} broke off at 0 of" in why
    cutting.allowance = 280_000
    why = refusal(program_dir, wanted(Collector(cutting.url, None), keys))
    assert "broke off at 262,144 of" in why
    assert (program_dir / "download" / archive.name).stat().st_size == 262_144
    # The rest is small.
    cutting.allowance = 60_000
    assert "✓ 0.2.0 is installed" in said_by(
        program_dir, wanted(Collector(cutting.url, None), keys)
    )


def test_what_was_begun_and_is_another_file_now_is_fetched_anew(
    program_dir: Path, offered: Path, keys: KeyPair, collector: CollectorProcess
) -> None:
    archive = make_release(offered, "0.2.0", keys)
    download = program_dir / "download"
    download.mkdir()
    (download / archive.name).write_bytes(b"of the day before")
    assert "✓ 0.2.0" in said_by(program_dir, wanted(Collector(collector.url, None), keys))


def test_a_collector_that_cannot_be_reached_or_has_nothing(
    program_dir: Path, keys: KeyPair, tmp_path: Path
) -> None:
    nowhere = Collector("http://127.0.0.1:1", None)
    assert "nothing listens there" in refusal(program_dir, wanted(nowhere, keys))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert said_by(program_dir, wanted(empty, keys)) == "The folder offers no release."
    mistyped = tmp_path / "emtpy"
    assert f"there is no folder {mistyped}" in refusal(program_dir, wanted(mistyped, keys))


@pytest.mark.parametrize("kind", small_disk.KINDS)
def test_a_full_disk_is_told_and_left_clean(
    kind: str, tmp_path: Path, folder: Path, keys: KeyPair
) -> None:
    make: Callable[[Path], AbstractContextManager[SmallDisk]] = small_disk.KINDS[kind]
    make_release(folder, "0.2.0", keys)
    with make(tmp_path / "disk") as disk:
        program_dir = make_program_dir(disk.path / "program")
        installed.save(program_dir, Installed(current="0.1.5", highest="0.1.5"))
        disk.fill(os.getpid(), leave_kib=64)
        try:
            why = refusal(program_dir, wanted(folder, keys))
        finally:
            disk.make_room()
        assert "The disk is full" in why
        assert installed.load(program_dir).current == "0.1.5"
        assert list((program_dir / "download").iterdir()) == []
        assert list(installed.versions_folder(program_dir).iterdir()) == []
        assert "✓ 0.2.0" in said_by(program_dir, wanted(folder, keys))


# --- the command --------------------------------------------------------------------------------


def test_two_at_once(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    make_release(folder, "0.2.0", keys)
    lock = FileLock(program_dir / "update.lock")
    assert "Another update is at work" in refusal(program_dir, wanted(folder, keys))
    lock.release()


def test_check_installs_nothing(
    program_dir: Path, offered: Path, keys: KeyPair, collector: CollectorProcess
) -> None:
    make_release(offered, "0.2.0", keys)
    checked = update(program_dir, "--check", keys=keys.public, url=collector.url)
    assert (checked.returncode, checked.stdout) == (0, "0.2.0 is there; this is 0.1.0.\n")
    assert installed.load(program_dir) == Installed()
    assert {path.name for path in program_dir.iterdir()} == {"launcher"}
    # What runs counts, and not the launcher that was asked.
    installed.save(program_dir, Installed(current="0.2.0"))
    checked = update(program_dir, "--check", keys=keys.public, url=collector.url)
    assert checked.stdout == "This is 0.2.0; the collector offers 0.2.0.\n"


def test_exit_codes_and_sentences(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    make_release(folder, "0.2.0", signatures.make_keys())
    refused = update(program_dir, "--from", str(folder), keys=keys.public)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("forge-agent: release.json is not signed")
    wrong = update(program_dir, "--from", str(folder), keys="nonsense")
    assert wrong.returncode == 2
    assert "FORGE_RELEASE_KEYS: 'nonsense' is no key" in wrong.stderr
    nowhere = update(program_dir, keys=keys.public)
    assert nowhere.returncode == 2
    assert "CENTRAL_URL is missing" in nowhere.stderr


def test_the_folder_it_is_run_in_has_no_say(program_dir: Path, folder: Path, keys: KeyPair) -> None:
    """An administrator may stand in a folder that others can write."""
    make_release(folder, "0.2.0", keys)
    (program_dir / ".env").write_text(f"FORGE_RELEASE_KEYS={keys.public}\n")
    refused = update(program_dir, "--from", str(folder), keys="")
    assert refused.returncode == 2
    assert "No key is known" in refused.stderr


def test_a_python_package_says_how_it_is_updated(
    tmp_path: Path, folder: Path, keys: KeyPair
) -> None:
    make_release(folder, "0.2.0", keys)
    refused = subprocess.run(
        [sys.executable, "-m", "forge_agent", "update", "--from", str(folder)],
        env=environment(FORGE_RELEASE_KEYS=keys.public, XDG_CONFIG_HOME=str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert refused.returncode == 2
    assert "pip install --upgrade forge-fleet" in refused.stderr


def test_root_becomes_the_service_before_it_touches_what_is_the_services(
    tmp_path: Path, offered: Path, keys: KeyPair, collector: CollectorProcess
) -> None:
    """As with a service of systemd's: its state is another user's, and the way to it is closed."""
    make_release(offered, "0.2.0", keys)
    state = tmp_path / "private" / "state"
    program_dir = make_program_dir(state / "program")
    service = 65_534 if os.geteuid() == 0 else os.geteuid()
    for path in (state, program_dir):
        os.chown(path, service, -1)
    (tmp_path / "private").chmod(0o700)
    done = update(program_dir, keys=keys.public, url=collector.url)
    assert done.returncode == 0, done.stderr
    made = [path for path in program_dir.rglob("*") if "launcher" not in path.parts]
    assert {path.lstat().st_uid for path in made} == {service}
    assert installed.load(program_dir).trial == Trial("0.2.0")


def test_root_follows_no_link_that_the_service_has_made(
    tmp_path: Path, folder: Path, keys: KeyPair
) -> None:
    make_release(folder, "0.2.0", keys)
    elsewhere = make_program_dir(tmp_path / "elsewhere")
    program_dir = tmp_path / "state" / "program"
    program_dir.parent.mkdir()
    program_dir.symlink_to(elsewhere)
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(program_dir.parent, 65_534, -1)
    done = update(program_dir, "--from", str(folder), keys=keys.public)
    told = f"forge-agent: {program_dir}: Not a directory.\n"
    assert (done.returncode, done.stderr) == ((1, told) if is_root else (0, ""))
