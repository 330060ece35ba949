"""Rejects the requests that a web page sends to a port of this machine through a developer's browser.

A page can call 127.0.0.1, or a host name of its own that resolves to it (DNS rebinding). Programs other than browsers
send neither Origin nor Sec-Fetch-Site.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CONTENT_TYPE = "application/problem+json"
# What a browser sends for an address that a person typed, and for a request of the server's own page.
_OWN_SITES = {"none", "same-origin"}
_HEADERS = ("host", "origin", "sec-fetch-site")
_HOW_TO_ALLOW = (
    "Only the API accepts requests from other pages: the console's, and those of one origin that you choose with "
    "CORS_ORIGIN=http://localhost:3000 make run"
)

_Application = Callable[..., Iterable[bytes]]


@dataclass(frozen=True)
class Rejection:
    """Why a request is rejected, and the accepted values of the header."""

    code: str
    detail: str
    allowed: list[str]

    def body(self) -> bytes:
        """Return the body of the response, whose status is 403."""
        return json.dumps({"type": "about:blank", "title": "Forbidden", "status": 403, **vars(self)}).encode()


@dataclass(frozen=True)
class LoopbackOnly:
    """The rule of one port.

    ``port``: the port on which the server listens.
    ``origins``: the origins whose pages may call the server, beside its own. ``*`` for all.
    ``hosts``: values of Host that are accepted beside those of loopback.
    """

    port: int
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def check(self, headers: Mapping[str, str]) -> Rejection | None:
        """Return why a request is rejected, or None if it is accepted.

        :param headers: the request's headers, with names in lower case or without regard to case.
        """
        # A browser leaves out the port 80.
        own = [f"{name}:{self.port}".removesuffix(":80") for name in ("127.0.0.1", "localhost")]
        hosts = [*own, *self.hosts]
        if headers.get("host", "").lower() not in hosts:
            return Rejection("host_not_allowed", f"Host must be {' or '.join(hosts)}.", hosts)
        origins = [*(f"http://{host}" for host in own), *self.origins]
        origin = headers.get("origin")
        # A browser sends no Origin for an image, a script, a link, or a form that uses GET.
        is_own_site = origin is None and headers.get("sec-fetch-site", "none") in _OWN_SITES
        if is_own_site or origin in origins or "*" in origins:
            return None
        sender = "A page of another origin" if origin is None else f"The origin {origin!r}"
        return Rejection("origin_not_allowed", f"{sender} must not send this request. {_HOW_TO_ALLOW}", origins)

    def wrap(self, application: _Application) -> _Application:
        """Return a WSGI application that passes on the accepted requests."""

        def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            variables = {name: "HTTP_" + name.upper().replace("-", "_") for name in _HEADERS}
            rejection = self.check({name: environ[key] for name, key in variables.items() if key in environ})
            if rejection is None:
                return application(environ, start_response)
            body = rejection.body()
            start_response("403 Forbidden", [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))])
            return [body]

        return respond
