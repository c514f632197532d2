"""The plugins of this machine, as the worker offers and starts them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from forge_agent.config import Settings
from forge_agent.log import Log
from forge_agent.work import (
    confinement,
    owner,
    plugins,
    processes,
    programs,
    suggested,
    withheld,
)
from forge_agent.work.child import JobSpec, new_work_dir, remove_work_dir
from forge_agent.work.holding import LONGEST_REASON
from forge_agent.work.owner import Owner
from forge_agent.work.plugins import Plugin

_JOBS: Final = "jobs"

Grants = Mapping[str, list[str]]


class Catalogue:
    """What is there now; a job keeps the plugin that it was started with. ``unavailable``: plugins
    whose jobs could not be done here, by name, and why; nobody is offered them."""

    def __init__(self, settings: Settings, log: Log, grants: Grants = MappingProxyType({})) -> None:
        self._settings = settings
        self._log = log
        self._grants = grants
        self._folders = settings.plugins or plugins.usual_folders(settings.state_dir)
        self._stamp = self._seen = self._look()
        self._found: list[tuple[Plugin, str]] = []
        self.unavailable: dict[str, str] = {}
        self._plugins: dict[str, Plugin] = {}
        self._load()

    def look_again(self) -> bool:
        """Take up plugins that came, went or changed, and what was opened to jobs, or closed;
        return whether there is anything to tell of it. A plugin only when nothing has changed since
        the last look: one that is being copied is not whole yet."""
        before, self._seen = self._seen, self._look()
        if self._seen == self._stamp:
            return self._changes(self._sort)
        if self._seen != before:
            return False
        self._stamp = self._seen
        return self._changes(self._load)

    def allow(self, grants: Grants) -> bool:
        """Go by what the owner grants now; return whether there is anything to tell of it."""
        if grants == self._grants:
            return False
        self._grants = grants
        return self._changes(self._sort)

    def _changes(self, what: Callable[[], None]) -> bool:
        told = (self.offers(), self.unavailable)
        what()
        return told != (self.offers(), self.unavailable)

    def _look(self) -> tuple[object, ...]:
        modules = [folder.stat().st_mtime_ns for folder in programs.packages() if folder.is_dir()]
        return (*plugins.stamp(self._folders), *modules)

    def _load(self) -> None:
        found = plugins.discover(self._folders)
        self._found = [(plugin, programs.lacking(plugin)) for plugin in found.plugins]
        for problem in found.problems:
            reason = " ".join(problem.sentences)
            self._log.event("plugin_unusable", folder=str(problem.folder), reason=reason)
        self._sort()

    def _sort(self) -> None:
        """Part what can be done here from what cannot."""
        before = self.unavailable
        lacking = {plugin.name: lacks or self._withheld(plugin) for plugin, lacks in self._found}
        self.unavailable = {name: reason for name, reason in lacking.items() if reason}
        self._plugins = {
            plugin.name: plugin for plugin, _ in self._found if not lacking[plugin.name]
        }
        for name, reason in self.unavailable.items():
            if before.get(name) != reason:
                self._log.event("plugin_unavailable", plugin=name, reason=reason)

    def _withheld(self, plugin: Plugin) -> str:
        """Return what a plugin needs and its jobs could not have; or ""."""
        state_dir = self._settings.state_dir
        return (
            withheld.never(plugin, state_dir)
            or self._not_granted(plugin)
            or withheld.closed(plugin, state_dir)
        )

    def _not_granted(self, plugin: Plugin) -> str:
        """Return what the owner has not granted, and how to; or ""."""
        refused = plugins.refused(plugin, self._grants.get(plugin.name, ()))
        if not refused:
            return ""
        granting = suggested.granting(plugin.name, refused)
        command = suggested.command_here(granting, self._settings.state_dir)
        return f"it was not granted {', '.join(refused)}: `{command}`"

    def plugin(self, job_type: str) -> Plugin | None:
        return self._plugins.get(job_type)

    def types(self) -> list[str]:
        """Return what is claimed: types with the plugins' versions."""
        return [f"{plugin.name}@{plugin.version}" for plugin in self._plugins.values()]

    def offers(self) -> dict[str, list[dict[str, Any]]]:
        """Return what the collector is told of the plugins, as fields of a heartbeat."""
        return {
            "plugins": [_offer(plugin) for plugin in self._plugins.values()],
            "unavailable": [
                {"name": name, "reason": reason[:LONGEST_REASON]}
                for name, reason in self.unavailable.items()
            ],
        }

    def new_work_dir(self) -> Path:
        """Make a folder for one job; raises OSError."""
        return new_work_dir(self._settings.state_dir / owner.FOLDER / _JOBS)

    def remove_work_dirs(self) -> None:
        """Remove what an earlier worker's jobs have left: they run on where their keeper was killed
        with it."""
        with contextlib.suppress(FileNotFoundError):
            for path in list((self._settings.state_dir / owner.FOLDER / _JOBS).iterdir()):
                processes.kill_all_at_home(path)
                remove_work_dir(path)

    def spec(
        self,
        plugin: Plugin,
        document: Mapping[str, Any],
        work_dir: Path,
        allowed: Owner,
        *,
        verify: bool = False,
        wall_s: float | None = None,
    ) -> JobSpec:
        """Return how a program is started, under what its owner allows."""
        return JobSpec(
            plugin=plugin,
            document=_json(document),
            work_dir=work_dir,
            granted=plugins.granted(plugin, allowed.grants.get(plugin.name, ()), os.environ),
            protected=withheld.protected(self._settings.state_dir),
            trust_plugins=allowed.trust_plugins,
            trusting=suggested.command_here(confinement.TRUSTING, self._settings.state_dir),
            verify=verify,
            wall_s=wall_s,
        )


def _offer(plugin: Plugin) -> dict[str, Any]:
    offer: dict[str, Any] = {
        "name": plugin.name,
        "version": plugin.version,
        "resource_class": plugin.resource_class,
        "title": plugin.title,
        "attempts": plugin.attempts,
        "backoff_s": plugin.backoff_s,
    }
    if plugin.payload_schema is not None:
        offer["payload_schema"] = plugin.payload_schema
    return offer


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
