"""What every request must satisfy, and every answer carry, before anybody asks who is calling."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from forge_collector.http.auth import may_use_cookie
from forge_collector.http.limits import leave_compressed_unread
from forge_collector.http.problems import ProblemError

_NAME_AND_PORT = re.compile(r"(?:\[(?P<literal>[^]]+)]|(?P<name>[^]:[]+))(?::[0-9]*)?")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# The page is wholly its own: no inline script or style, nothing from elsewhere, in nobody's frame.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Server": "forge-collector",  # and not which versions of what it is made of
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Checks Host, against DNS rebinding, and Origin, against forged writes. ``public_url``: as
    browsers write an origin. ``certified``: returns the names, in lower case, in the certificate
    that is served now."""

    def __init__(
        self,
        allowed_hosts: Iterable[str],
        public_url: str | None = None,
        certified: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._public_url = public_url
        self._certified = certified
        self._allowed = {host.lower().removesuffix(".") for host in allowed_hosts}
        # Every request asks, nearly all with the same few names.
        self._knows = lru_cache(maxsize=1024)(self._is_own_name)

    def middleware(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            leave_compressed_unread(request)
            self.check(request)
            return await handler(request)

        return guard

    def check(self, request: web.Request) -> None:
        """Raise ProblemError 421 for a foreign Host, 403 for a foreign Origin on a write."""
        if not self._knows(request.host, self._certified()):
            raise ProblemError(
                "unknown_host",
                f"Host {request.host[:100]!r} is not one of this collector's names. If it should "
                "be, start the collector with --allowed-host NAME.",
            )
        if request.method not in _SAFE_METHODS and may_use_cookie(request):
            self._check_origin(request)

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get("Origin")
        # Browsers name the Origin on every write; a caller without one brings no ambient cookie.
        if origin is None and "Cookie" not in request.headers:
            return
        if origin is None or not self._is_own_page(origin.lower(), request):
            raise ProblemError(
                "cross_origin",
                "A write with a cookie needs an Origin header that equals the collector's own "
                "address. Scripts send `Authorization: Bearer TOKEN` instead.",
            )

    def _is_own_page(self, origin: str, request: web.Request) -> bool:
        if origin == self._public_url:
            return True
        # Without TLS of ours a proxy may stand in front and speak https for us; where we know that
        # https is spoken, a page that came by http is anybody's.
        with_tls = request.secure or f"https://{request.host.lower()}" == self._public_url
        schemes = ("https",) if with_tls else ("http", "https")
        return origin in {f"{scheme}://{request.host.lower()}" for scheme in schemes}

    def _is_own_name(self, host_header: str, certified: frozenset[str]) -> bool:
        host = _without_port(host_header).lower().removesuffix(".")
        # A certificate that was given may be for all names of a domain.
        if not {host, f"*.{host.partition('.')[2]}"}.isdisjoint(self._allowed | certified):
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True


async def add_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"


def _without_port(host: str) -> str:
    match = _NAME_AND_PORT.fullmatch(host)
    return match["literal"] or match["name"] if match else host
