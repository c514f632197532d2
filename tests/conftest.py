from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let what the tests start be interrupted: a shell that runs the tests in the background has
    them ignore SIGINT, and they would hand that on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
