"""The proxy for https: which hosts bypass it, and how a connection goes through it."""

from base64 import b64encode
from http.client import HTTPConnection
from urllib.parse import unquote, urlsplit

from .credentials import Network


def use_proxy(connection: HTTPConnection, network: Network) -> None:
    """Let a connection that is not open yet go through the proxy, unless its host bypasses it.

    :raises ValueError: the proxy's address is invalid or not supported.
    """
    if _is_bypassed(connection.host, connection.port, network.no_proxy):
        return
    proxy = urlsplit(network.proxy if "://" in network.proxy else f"http://{network.proxy}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise ValueError("HTTPS_PROXY must be an http:// address: no other kind of proxy is supported")
    headers = {}
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    connection.set_tunnel(connection.host, connection.port, headers)
    connection.host, connection.port = proxy.hostname, proxy.port or 80


def _is_bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Return whether ``no_proxy``, a list of hosts, domains and ``host:port``, contains a host, as curl reads it."""
    for entry in no_proxy.lower().split(","):
        name, _, only_port = entry.strip().lstrip(".").partition(":")
        matches = name == "*" or (name and f".{host}".endswith(f".{name}"))
        if matches and only_port in ("", str(port)):
            return True
    return False
