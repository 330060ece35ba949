"""An emulated internet: a proxy that terminates TLS for known hosts and rejects all others.

A client that uses HTTPS_PROXY and trusts the certificate authority finds no difference from the real host.
"""

import datetime
import http.client
import re
import select
import socket
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_IDLE = 60.0  # seconds
_CHUNK = 1 << 16  # bytes

Address = tuple[str, int]


class Internet:
    """The proxy and the hosts behind it. ``refused``: the unknown hosts that clients tried to reach."""

    def __init__(self, folder: Path, hosts: Mapping[str, Address]) -> None:
        """Bind a free port.

        :param folder: of the certificates.
        :param hosts: regular expressions of host names, each with the address of a plain HTTP server.
        """
        self.refused: list[str] = []
        self._hosts = dict(hosts)
        self._authority = Authority(folder)
        self._server = _Server(("127.0.0.1", 0), _Proxy)
        self._server.internet = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="internet", daemon=True)
        self._port: int = self._server.server_address[1]

    def start(self) -> "Internet":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self) -> dict[str, str]:
        """Return the variables that make a process use this proxy and trust its certificates."""
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self._port}",
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(self._authority.certificate),
            "REQUESTS_CA_BUNDLE": str(self._authority.certificate),
        }

    def connection(self, url: SplitResult, timeout: float) -> http.client.HTTPConnection:
        """Return a connection of this process to a host, not opened yet."""
        host = url.hostname or ""
        if url.scheme == "http":
            return http.client.HTTPConnection(host, url.port, timeout=timeout)
        trust = ssl.create_default_context(cafile=str(self._authority.certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=timeout, context=trust)
        connection.set_tunnel(host, url.port or 443)
        return connection

    def address(self, host: str) -> Address | None:
        """Return the address of a host's server; None for an unknown host."""
        for pattern, address in self._hosts.items():
            if re.fullmatch(pattern, host):
                return address
        self.refused.append(host)
        return None

    def tls(self, host: str) -> ssl.SSLContext:
        """Return a server's TLS context with a certificate of a host."""
        return self._authority.tls(host)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    internet: Internet

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: the client closed the connection."""


class _Proxy(BaseHTTPRequestHandler):
    server: _Server

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        address = self.server.internet.address(host) if port == "443" else None
        self.close_connection = True
        if address is None:
            self.send_error(403, "No such host")
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        context = self.server.internet.tls(host)
        with (
            context.wrap_socket(self.connection, server_side=True) as client,
            socket.create_connection(address) as host_,
        ):
            _relay(client, host_)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def _relay(client: ssl.SSLSocket, host: socket.socket) -> None:
    """Forward data in both directions until one side closes."""
    for each in (client, host):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        readable = [client] if client.pending() else select.select([client, host], [], [], _IDLE)[0]
        if not readable:
            return
        for each in readable:
            data = each.recv(_CHUNK)
            if not data:
                return
            (host if each is client else client).sendall(data)


class Authority:
    """A certificate authority of this test run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests of notes-billing")])
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.certificate = folder / "authority.pem"
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        own = self._signed(self._name, self._key.public_key(), [x509.BasicConstraints(ca=True, path_length=0), usage])
        self.certificate.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def tls(self, host: str) -> ssl.SSLContext:
        with self._lock:
            if host not in self._contexts:
                self._contexts[host] = self._context(host)
            return self._contexts[host]

    def _context(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "host")])
        certificate = self._signed(name, key.public_key(), [x509.SubjectAlternativeName([x509.DNSName(host)])])
        file = self._folder / f"{host}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(self, name: x509.Name, key: Any, extensions: list[Any]) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())
