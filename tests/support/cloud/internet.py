"""An emulated internet: a proxy that terminates TLS for known hosts and rejects all others.

A client that uses HTTPS_PROXY and trusts the certificate authority finds no difference from the real host.
"""

import http.client
import select
import socket
import ssl
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import SplitResult

from tests.support.tls_servers import Authority, ScriptedServer, receive_request

_IDLE = 60.0  # seconds
_CHUNK = 1 << 16  # bytes

Address = tuple[str, int]


class Internet:
    """The proxy and the hosts behind it. ``refused``: the unknown hosts that clients tried to reach."""

    def __init__(self, folder: Path, hosts: Mapping[str, Address]) -> None:
        """Bind a free port.

        :param folder: of the certificates.
        :param hosts: host names, whose first part may be `*`, each with the address of a plain HTTP server.
        """
        self.refused: list[str] = []
        self._authority = Authority(folder)
        self._hosts = {name: (address, self._authority.server_context(name)) for name, address in hosts.items()}
        self.proxy = ScriptedServer(self._forward)

    def environment(self) -> dict[str, str]:
        """Return the variables that make a process use this proxy and trust its certificates."""
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.proxy.port}",
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(self._authority.file),
            "REQUESTS_CA_BUNDLE": str(self._authority.file),
        }

    def connection(self, url: SplitResult, timeout: float) -> http.client.HTTPConnection:
        """Return a connection of this process to a host, not opened yet."""
        trust = ssl.create_default_context(cafile=str(self._authority.file))
        connection = http.client.HTTPSConnection("127.0.0.1", self.proxy.port, timeout=timeout, context=trust)
        connection.set_tunnel(str(url.hostname), url.port or 443)
        return connection

    def _forward(self, connection: socket.socket) -> None:
        """Respond to CONNECT, then forward what the client sends."""
        connect = receive_request(connection)
        if not connect:
            return
        host = connect.split()[1].decode().removesuffix(":443")
        found = next((about for name, about in self._hosts.items() if fnmatchcase(host, name)), None)
        if found is None:
            self.refused.append(host)
            connection.sendall(b"HTTP/1.1 403 No such host\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        address, context = found
        secured = context.wrap_socket(connection, server_side=True)
        with secured, socket.create_connection(address) as server:
            _relay(secured, server)


def _relay(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Forward data in both directions until one side closes."""
    for each in (client, server):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        readable = [client] if client.pending() else select.select([client, server], [], [], _IDLE)[0]
        if not readable:
            return
        for each in readable:
            data = each.recv(_CHUNK)
            if not data:
                return
            (server if each is client else client).sendall(data)
