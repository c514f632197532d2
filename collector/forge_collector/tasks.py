"""Background work that lives as long as the collector."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

_log = structlog.get_logger()
_RESTART_AFTER_S: Final = 1.0


class Tasks:
    """Runs each piece of work until ``stop``; one that fails is logged and begun again."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(_keep_running(name, work), name=name))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _keep_running(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001  a fault in one piece of work must not end the others
            _log.exception("background work failed", work=name)
        await asyncio.sleep(_RESTART_AFTER_S)
