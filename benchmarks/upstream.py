"""Parameter Store and Stripe as stubs in one process. Their responses are constant, so that the clients' cost shows.

The devstack's emulators would be most of what is measured: moto takes longer to respond to a GetParameter than a
container to start. The bodies are the devstack's: see :mod:`benchmarks.purchases`. ::

    python -m benchmarks.upstream     # reads a line of settings, writes a line of ports; then a line of counts per line
"""

import asyncio
import contextlib
import json
import re
import ssl
import sys

_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\nContent-Length: {}\r\n\r\n"
_CONTENT_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")


class _Service:
    """One of the two services, with the number of its calls and connections."""

    def __init__(self, body: str, delay: float) -> None:
        self.response = (_HEAD.format(len(body.encode())) + body).encode()
        self.delay = delay
        self.calls = self.connections = 0

    async def listen(self, tls: ssl.SSLContext | None) -> int:
        """Listen on a free port, and return it."""
        server = await asyncio.start_server(self._respond, "127.0.0.1", 0, ssl=tls)
        return int(server.sockets[0].getsockname()[1])

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _CONTENT_LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                self.calls += 1
                await asyncio.sleep(self.delay)
                writer.write(self.response)


async def serve(bodies: list[str], delay: float, certificate: str | None) -> None:
    """Respond until standard input ends.

    :param bodies: Parameter Store's and Stripe's.
    :param delay: seconds before each response, as a network's round trip would add.
    :param certificate: a PEM file for TLS, or None for plain HTTP.
    """
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    services = [_Service(body, delay) for body in bodies]
    print(json.dumps([await service.listen(tls) for service in services]), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps([[service.calls, service.connections] for service in services]), flush=True)
        for service in services:
            service.calls = service.connections = 0


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.stdin.readline())))
