"""A program folder as `install` makes it, versions and releases to put into it, and what stands in
for the service manager: it starts the launcher again whenever it has ended.

A version is a script that runs the real agent under another version's name, perhaps after doing
something bad. All processes are real; only the freezing of programs is left out.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from forge_agent import facts
from forge_agent.update import installed
from forge_agent.update.installed import Installed
from forge_shared import releases
from forge_shared.signatures import KeyPair
from scripts.releasing import folder as releasing
from tests.process import PATIENCE_S, CollectorProcess, environment, wait_for

NOW_MS: Final = 1_795_258_874_823
PLATFORM: Final = releases.platform_of(sys.platform, os.uname().machine) or "linux-x86_64"
_MAX_STARTS: Final = 20

# What a version can do besides its work.
GOOD: Final = ""
CRASHES_AT_ONCE: Final = "if 'run' in sys.argv: sys.exit(3)"
CRASHES_LATER: Final = (
    "import threading\nif 'run' in sys.argv: threading.Timer(1.0, os._exit, (3,)).start()"
)
HANGS: Final = "import time\nif 'run' in sys.argv: time.sleep(60)"
IS_REFUSED: Final = "os.environ['BEARER_TOKEN'] = 'forge_' + '0' * 32 + '_' + '0' * 64"
CANNOT_CONNECT: Final = (
    "if 'run' in sys.argv: sys.argv[sys.argv.index('--url') + 1] = 'http://127.0.0.1:1'"
)
SPEAKS_RUBBISH: Final = (
    "from forge_agent.core import values\nvalues.fitted = lambda measured: {'no key': 1.0}"
)
CANNOT_START: Final = "sys.exit('the C library is too old')"

_SCRIPT: Final = """#!{python}
import os, sys
import forge_shared
forge_shared.__version__ = {version!r}
from forge_agent.update import auto
auto.FIRST_AFTER_S = (0.5, 0.6)
{does}
from forge_agent.cli import main
sys.exit(main())
"""

# The launcher, less patient than people are.
_LAUNCHER: Final = """#!{python}
import sys
from pathlib import Path
from forge_agent.cli import main
from forge_agent.update import auto, launcher
from forge_agent.update.trial import Patience
auto.FIRST_AFTER_S = (0.5, 0.6)
if sys.argv[1] != "launch":
    sys.exit(main())
patience = Patience(
    start_s={start_s}, lasting_s={lasting_s}, push_s={push_s}, probe_s={probe_s}, look_s=0.05
)
sys.exit(
    launcher.launch(Path(sys.argv[3]), sys.argv[5:], patience=patience, as_parent={as_parent})
)
"""


def program(version: str, does: str = GOOD) -> bytes:
    return _SCRIPT.format(python=sys.executable, version=version, does=does).encode()


def make_program_dir(
    folder: Path,
    *,
    as_parent: bool = False,
    lasting_s: float = 0.5,
    start_s: float = 20.0,
    probe_s: float = 20.0,
    push_s: float = 20.0,
) -> Path:
    """A program folder with nothing but the launcher, of the version that is tested."""
    launcher = installed.program_of(folder, None)
    launcher.parent.mkdir(parents=True)
    launcher.write_text(
        _LAUNCHER.format(
            python=sys.executable,
            as_parent=as_parent,
            lasting_s=lasting_s,
            start_s=start_s,
            probe_s=probe_s,
            push_s=push_s,
        )
    )
    launcher.chmod(0o755)
    return folder


def archive(content: bytes) -> bytes:
    """An archive as builds are: the program, a file that is none, a link, a folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, body, mode in (
            ("forge-agent/forge-agent", content, 0o755),
            ("forge-agent/_internal/base.so", os.urandom(300_000), 0o644),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(body), mode
            tar.addfile(entry, io.BytesIO(body))
        link = tarfile.TarInfo("forge-agent/_internal/base.so.1")
        link.type, link.linkname = tarfile.SYMTYPE, "base.so"
        tar.addfile(link)
    return packed.getvalue()


def make_release(
    folder: Path,
    version: str,
    keys: KeyPair,
    does: str = GOOD,
    *,
    platform: str = PLATFORM,
    packed: bytes | None = None,
) -> Path:
    """A signed release in the folder; returns its archive."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / releases.file_name(version, platform, releases.FOLDER)
    path.write_bytes(archive(program(version, does)) if packed is None else packed)
    releasing.sign(folder, version=version, private_key=keys.private, now_ms=NOW_MS)
    return path


def update(
    program_dir: Path, *options: str, keys: str, url: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run `forge-agent update` until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "forge_agent", "update", *options],
        env=environment(
            FORGE_PROGRAM_DIR=str(program_dir),
            FORGE_RELEASE_KEYS=keys,
            CENTRAL_URL=url,
            XDG_CONFIG_HOME=str(program_dir),
            **env,
        ),
        cwd=program_dir,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


class Service:
    """Starts the launcher as a service does, and again when it has ended, until stopped."""

    def __init__(
        self, program_dir: Path, collector: CollectorProcess, node_id: str, **env: str
    ) -> None:
        self.node_id = node_id
        self.program_dir = program_dir
        self.state = program_dir.parent / "state"
        self.log_path = program_dir.parent / "agent.log"
        self.starts = 0
        # To ask for it takes one more process, at each of many first starts.
        self.state.mkdir(parents=True)
        known = {"boot_time": facts.boot_time_ms(), "cpu_model": "a CPU"}
        (self.state / "cpu-model.json").write_text(json.dumps(known))
        self._url = collector.url
        self._token = collector.mint(node_id=node_id)
        self._env = env
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def installed(self) -> Installed:
        return installed.load(self.program_dir)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.state / "status.json").read_bytes())
        except OSError:
            return {}
        return found

    def pushes(self, version: str) -> None:
        """Wait until this version has pushed in its present run."""
        self.until(lambda: self._has_pushed(version), f"{version} to push")

    def until(self, look: Callable[[], bool], what: str) -> None:
        try:
            wait_for(look, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.installed}\n{self.log()}") from None

    def _has_pushed(self, version: str) -> bool:
        status = self.status()
        return status.get("version") == version and status["last_push_at"] is not None

    def spooled(self) -> list[Path]:
        return list((self.state / "spool").glob("*.ndjson"))

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def said(self, name: str) -> dict[str, Any]:
        self.until(lambda: bool(self.events(name)), f"the agent to say {name}")
        return self.events(name)[-1]

    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def restart(self) -> None:
        """End the agent as a service manager does; it is started again."""
        before = self.starts
        assert self._process is not None
        self._process.terminate()
        wait_for(lambda: self.starts > before, "the service to start again")

    def stop(self) -> None:
        self._stopping.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set() and self.starts < _MAX_STARTS:
            self.starts += 1
            with self.log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        *(installed.program_of(self.program_dir, None), "launch"),
                        *("--program-dir", self.program_dir, "--"),
                        *("--node-id", self.node_id, "--url", self._url, "--interval", "1"),
                        *("--state-dir", self.state),
                    ],
                    env=environment(
                        BEARER_TOKEN=self._token,
                        XDG_CONFIG_HOME=str(self.program_dir),
                        **self._env,
                    ),
                    cwd=self.program_dir,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            if self._stopping.is_set():
                self._process.terminate()
            self._process.wait()
