"""The agent of the collector's own machine: a child process with its own token and environment.

It knows nothing of the collector but an address: no secret of the collector's reaches it, and its
token is in a file that only this user can read, never on a command line.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from forge_collector.access import rules, store
from forge_collector.access.live import Keyring
from forge_collector.clock import Clock
from forge_collector.config import bare_environment, write_private
from forge_collector.db import Database
from forge_collector.events import CredentialRevoked
from forge_shared import backoff, codec
from forge_shared.messages import MintToken

_log = structlog.get_logger()

_FOLDER: Final = "local-agent"
_CONFIG_FILE: Final = "agent.toml"
_STOP_TIMEOUT_S: Final = 1.0
_STEADY_S: Final = 60.0


class LocalAgent:
    """Starts the agent, starts it again when it ends, and stops it with the collector. ``ca_file``:
    the authority by which it knows an https collector."""

    def __init__(
        self,
        data: Path,
        node_id: str,
        collector_url: str,
        *,
        ca_file: Path | None,
        db: Database,
        keyring: Keyring,
        clock: Clock,
    ) -> None:
        self._folder = data / _FOLDER
        self._node_id = node_id
        self._collector_url = collector_url
        self._ca_file = ca_file
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._credential_id = ""
        self._process: asyncio.subprocess.Process | None = None

    @staticmethod
    def is_installed() -> bool:
        return importlib.util.find_spec("forge_agent") is not None

    def on_revoked(self, event: CredentialRevoked) -> None:
        """Begin again with a new token: this machine is always in the fleet, unless the collector
        was started without an agent."""
        if event.credential_id == self._credential_id and self._process is not None:
            self._process.terminate()

    async def _prepare(self) -> None:
        """Write the agent's settings, with a token that is valid."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        token = self._kept_token()
        principal = self._keyring.by_token(token) if token else None
        if principal is None or principal.node_id != self._node_id:
            minted = rules.mint_token(MintToken(node_id=self._node_id), self._clock.now_ms())
            await self._db.write(lambda tx: store.add(tx, minted.credential))
            self._keyring.add(minted.credential)
            token, self._credential_id = minted.text, minted.credential.id
        else:
            self._credential_id = principal.credential_id
        settings = {
            "NODE_ID": self._node_id,
            "CENTRAL_URL": self._collector_url,
            "BEARER_TOKEN": token,
            **({"FORGE_CA_FILE": str(self._ca_file)} if self._ca_file is not None else {}),
        }
        write_private(self._config_path, _as_toml(settings))

    async def run(self) -> None:
        """Keep the agent running until cancelled."""
        failures = 0
        while True:
            started = asyncio.get_running_loop().time()
            await self._prepare()
            status = await self._run_once()
            lived_s = asyncio.get_running_loop().time() - started
            failures = 1 if lived_s > _STEADY_S else failures + 1
            _log.warning("local agent ended", status=status, lived_s=round(lived_s))
            # One agent a machine: there is nobody to spread the restarts among.
            await asyncio.sleep(backoff.full_jitter_s(failures, 1.0))

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "forge_agent",
            "run",
            "--config",
            str(self._config_path),
            "--state-dir",
            str(self._folder),
            "--parent-pid",
            str(os.getpid()),
            cwd=self._folder,
            env=bare_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._process = process
        try:
            await _relay_logs(process)
            return await process.wait()
        finally:
            self._process = None
            await _stop(process)

    def _kept_token(self) -> str | None:
        try:
            kept = tomllib.loads(self._config_path.read_text()).get("BEARER_TOKEN")
        except (OSError, ValueError):
            return None
        return kept if isinstance(kept, str) else None

    @property
    def _config_path(self) -> Path:
        return self._folder / _CONFIG_FILE


def _as_toml(settings: Mapping[str, str | None]) -> str:
    # A string of JSON is one of TOML too.
    return "".join(f"{name} = {codec.encode(text).decode()}\n" for name, text in settings.items())


async def _relay_logs(process: asyncio.subprocess.Process) -> None:
    """Pass the agent's log lines on as the collector's own."""
    if process.stderr is None:
        return
    async for line in process.stderr:
        try:
            said = codec.decode(line, dict[str, Any])
        except (codec.MalformedError, codec.InvalidError):
            said = {"event": "said", "line": line.decode(errors="replace").rstrip()}
        event = f"local agent: {said.pop('event', 'said')}"
        # When and how grave is told by the line that carries it.
        _log.info(event, **{f"agent_{key}": value for key, value in said.items() if key != "ts"})


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
