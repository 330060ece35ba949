"""Servers for tests of HTTP clients: each behaves as its test scripts it. And a certificate authority, and a proxy."""

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Authority:
    """A certificate authority with its certificate in a file."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key, self._name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string(f"CN={name}")
        # From Python 3.13, ssl's default context rejects an authority without key usage or key identifier.
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._certificate(self._name, self._key, x509.BasicConstraints(True, None), usage))

    def server_context(self, host: str) -> ssl.SSLContext:
        """Issue a certificate for a host, and return the TLS settings of a server with it."""
        key, named = ec.generate_private_key(ec.SECP256R1()), x509.SubjectAlternativeName([x509.DNSName(host)])
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        certificate = self._certificate(x509.Name.from_rfc4514_string(f"CN={host}"), key, named)
        file = self._folder / f"{self.file.stem}-{host}.pem"
        file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *own: x509.ExtensionType) -> bytes:
        now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
        public, serial = key.public_key(), x509.random_serial_number()
        builder = x509.CertificateBuilder(self._name, subject, public, serial, now - day, now + day)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for extension in (x509.SubjectKeyIdentifier.from_public_key(public), issuer, *own):
            builder = builder.add_extension(extension, isinstance(extension, (x509.BasicConstraints, x509.KeyUsage)))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class ScriptedServer:
    """Listens on loopback. Runs a script on each connection, in a thread of its own, over TLS if given."""

    def __init__(self, script: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self.accepted = 0
        self.stopped = threading.Event()
        self._script, self._tls = script, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> "ScriptedServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            secured = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with secured:
                self._script(secured)


def receive_request(connection: socket.socket) -> bytes:
    """Receive a whole request; nothing if the client has closed the connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += (more := connection.recv(65536))
        if not more:
            return b""
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def responding(response: bytes, requests: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """Return a script that sends a response to every request.

    :param requests: receives the requests.
    """

    def script(connection: socket.socket) -> None:
        while request := receive_request(connection):
            if requests is not None:
                requests.append(request)
            connection.sendall(response)

    return script


def tunnelling(requests: list[bytes], port: int) -> Callable[[socket.socket], None]:
    """Return the script of a proxy that accepts CONNECT for any host, and connects to a port of this machine."""

    def script(connection: socket.socket) -> None:
        requests.append(receive_request(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            threading.Thread(target=_copy, args=(upstream, connection), daemon=True).start()
            _copy(connection, upstream)

    return script


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            target.sendall(received)
