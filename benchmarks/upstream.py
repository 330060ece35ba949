"""Parameter Store and Stripe, as lean as can be: one process, canned answers, so that the clients' cost is what shows.

The devstack's own would be most of what is measured: moto takes longer to answer a GetParameter than a container to
start. The answers are the devstack's, word for word: :mod:`benchmarks.purchases`. ::

    python -m benchmarks.upstream     # a line of settings in, a line of ports out; then a line of counts a line
"""

import asyncio
import json
import ssl
import sys
from typing import Any

_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\nContent-Length: {}\r\n\r\n"


class _Service:
    """What one of the two answers, and how often it was asked."""

    def __init__(self, answer: str, delay: float) -> None:
        self.answer = _HEAD.format(len(answer.encode())).encode() + answer.encode()
        self.delay = delay
        self.calls = self.connections = 0


class _Connection(asyncio.Protocol):
    def __init__(self, service: _Service) -> None:
        self._service = service
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._service.connections += 1
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            self._received = b""
            self._service.calls += 1
            asyncio.get_running_loop().call_later(self._service.delay, self._transport.write, self._service.answer)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _listen(service: _Service, tls: ssl.SSLContext | None) -> int:
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(service), "127.0.0.1", 0, ssl=tls)
    return int(server.sockets[0].getsockname()[1])


async def serve(answers: list[str], delay: float, certificate: str | None) -> None:
    """Answer until standard input ends.

    :param answers: Parameter Store's and Stripe's bodies.
    :param delay: seconds that each answer is late, as a network's way there and back would make it.
    :param certificate: a PEM file for TLS, or None for plain HTTP.
    """
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    services = [_Service(answer, delay) for answer in answers]
    print(json.dumps([await _listen(service, tls) for service in services]), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps([[service.calls, service.connections] for service in services]), flush=True)
        for service in services:
            service.calls = service.connections = 0


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.stdin.readline())))
