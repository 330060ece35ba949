"""The connection to Stripe: certificates, time limits, reuse, and proxies."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import stripe

from chalicelib.aws.credentials import Network, read_network
from chalicelib.aws.http_client import HttpClient
from chalicelib.stripe_client.connection import stripe_connection
from chalicelib.stripe_client.transport import StripeStaleConnectionError, StripeTimeout, StripeTransport
from tests.support.tls_servers import OK, Authority, ScriptedServer, receive_request, responding, tunnelling

Serve = Callable[..., ScriptedServer]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server for the time of the test."""
    with ExitStack() as running:
        yield lambda *arguments: running.enter_context(ScriptedServer(*arguments))


class Client:
    """A Stripe client of an address. ``get`` calls it, and returns the status."""

    def __init__(self, base: str, network: Network = Network(), **timeouts: float) -> None:  # noqa: B008 - immutable
        self.base = base
        self.connection = stripe_connection(network, base, **timeouts)
        self.transport = StripeTransport(self.connection)

    def get(self, base: str = "") -> int:
        return self.transport.request("get", f"{base or self.base}/v1/balance", {})[1]


def test_the_key_is_sent_as_given_whatever_netrc_has(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    received: list[bytes] = []
    server = serve(responding(OK, received))
    client = Client(server.url, read_network({"HTTPS_PROXY": "http://proxy.invalid:1"}))  # loopback needs none
    response = client.transport.request("post", f"{server.url}/", {"Authorization": "Bearer key"}, "amount=1")
    assert (*response[:2], response[2]["content-LENGTH"]) == (b"{}", 200, "2")
    assert b"\r\nAuthorization: Bearer key\r\n" in received[0]
    assert received[0].endswith(b"\r\n\r\namount=1")


@pytest.mark.parametrize("wrong", ["another authority", "another host", "no such file"])
def test_nothing_is_sent_to_a_server_that_can_not_be_verified(
    serve: Serve, authority: Authority, tmp_path: Path, wrong: str
):
    received: list[bytes] = []
    context = authority.server_context("example.com" if wrong == "another host" else "localhost")
    trusted = {"another authority": Authority(tmp_path, "other").file, "no such file": tmp_path / "none.pem"}
    server = serve(lambda connection: received.append(connection.recv(100)), context)
    with pytest.raises(stripe.APIConnectionError) as raised:
        Client(server.url, Network(ca_file=str(trusted.get(wrong, authority.file)))).get()
    assert not raised.value.should_retry
    assert ("none.pem" in str(raised.value)) is (wrong == "no such file")
    assert received == []


def test_stripes_own_certificates_are_the_default(serve: Serve, authority: Authority, monkeypatch: pytest.MonkeyPatch):
    used: list[str | None] = []
    monkeypatch.setattr(HttpClient, "__init__", lambda _self, *_, ca_file, **__: used.append(ca_file))
    stripe_connection(Network(), "https://api.stripe.com")
    monkeypatch.undo()
    assert used == [stripe.ca_bundle_path]
    server = serve(responding(OK), authority.server_context("localhost"))
    with pytest.raises(stripe.APIConnectionError, match="certificate verify failed"):
        Client(server.url).get()


@pytest.mark.parametrize("base", ["http://api.stripe.com", "ftp://localhost", "api.stripe.com", ""])
def test_a_key_crosses_no_network_in_clear_text(base: str):
    with pytest.raises(ValueError, match="https"):
        Client(base)


def test_a_key_is_sent_to_no_other_address(serve: Serve):
    server, other = serve(responding(OK)), serve(responding(OK))
    for base in (f"{server.url}.example.com", other.url):
        with pytest.raises(stripe.APIConnectionError, match="is not a URL of"):
            Client(server.url).get(base)
    redirect = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n".encode()
    assert Client(serve(responding(redirect)).url).get() == 302
    assert (server.accepted, other.accepted) == (0, 0)


def test_a_connection_is_reused_until_the_server_closes_it(serve: Serve, authority: Authority):
    closing = threading.Event()

    def script(connection: socket.socket) -> None:
        for _ in range(3):
            receive_request(connection)
            connection.sendall(OK)
        closing.wait(10)

    server = serve(script, authority.server_context("localhost"))
    client = Client(server.url, Network(ca_file=str(authority.file)))
    assert [client.get() for _ in range(3)] == [200] * 3
    assert server.accepted == 1
    closing.set()
    time.sleep(0.1)
    assert client.get() == 200
    assert server.accepted == 2


def test_a_connection_closed_during_a_call_is_a_stale_connection_and_is_replaced(serve: Serve):
    def script(connection: socket.socket) -> None:
        receive_request(connection)
        connection.sendall(OK)
        receive_request(connection)  # and closes the connection: the call may have had its effect

    server = serve(script)
    client = Client(server.url)
    assert client.get() == 200
    with pytest.raises(StripeStaleConnectionError) as raised:
        client.get()
    assert raised.value.should_retry
    assert client.get() == 200
    assert server.accepted == 2


@pytest.mark.parametrize("change", ["idle for long", "another process"])
def test_a_connection_is_not_reused_after(serve: Serve, monkeypatch: pytest.MonkeyPatch, change: str):
    server = serve(responding(OK))
    client, clock = Client(server.url), time.time
    client.get()
    if change == "idle for long":
        monkeypatch.setattr(time, "time", lambda: clock() + 301)
    else:  # a fork has the number of another process, and its parent's connections
        monkeypatch.setattr(os, "getpid", lambda: -1)
    assert client.get() == 200
    assert server.accepted == 2


@pytest.mark.parametrize(
    "part", [b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b""]
)
def test_the_response_timeout_is_for_the_whole_response(serve: Serve, part: bytes):
    def drip(connection: socket.socket) -> None:
        receive_request(connection)
        connection.sendall(part)
        while not server.stopped.wait(0.05):
            connection.sendall(b"x" if part else b"")

    server = serve(drip)
    started = time.monotonic()
    with pytest.raises(StripeTimeout, match=r"within 0\.2 s"):
        Client(server.url, response_timeout=0.2).get()
    assert time.monotonic() - started < 5


def test_a_call_ends_by_the_deadline_of_its_thread(serve: Serve):
    server = serve(lambda connection: receive_request(connection) and server.stopped.wait(10))
    client = Client(server.url, connect_timeout=60, response_timeout=60)
    client.transport.end_by(time.monotonic() + 0.2)
    with pytest.raises(StripeTimeout):
        client.get()
    client.transport.end_by(time.monotonic() - 1)
    with pytest.raises(stripe.APIConnectionError) as raised:
        client.get()
    assert not isinstance(raised.value, StripeTimeout)  # nothing was sent
    assert server.accepted == 1


def test_a_connection_that_is_not_opened_in_time_is_no_timeout_of_the_response(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:  # never responds to the TLS client's hello
        silent = Client(f"https://localhost:{listener.getsockname()[1]}", connect_timeout=0.1)
        with pytest.raises(stripe.APIConnectionError, match=r"not reached: no connection within 0\.1 s") as raised:
            silent.get()
    assert raised.value.should_retry
    assert not isinstance(raised.value, StripeTimeout)
    has_ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: has_ended.wait(10) or [])
    with pytest.raises(stripe.APIConnectionError, match=r"no connection within 0\.1 s"):
        Client("https://api.stripe.test", connect_timeout=0.1).get()
    has_ended.set()


OF_200 = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OF_200 + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("response", "connections"),
    [
        (CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 1),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 2),
        (OF_200 + b"Content-Length: 9\r\n\r\n{}", None),
        (OF_200 + b"Content-Length: 99999999\r\n\r\n" + b" " * 4_300_000, None),
        (CHUNKED + b"2\r\n{}\r\n", None),
        (CHUNKED + b"no number\r\n", None),
        (b"SSH-2.0-nonsense\r\n\r\n", None),
        (OF_200 + b"X-Long: " + b"x" * 70_000 + b"\r\n\r\n", None),
        (b"", None),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else None,
)
def test_every_form_of_a_response_is_read_and_a_malformed_one_can_be_requested_again(
    serve: Serve, response, connections
):
    def script(connection: socket.socket) -> None:
        receive_request(connection)
        connection.sendall(response)

    server = serve(responding(response) if connections else script)
    client = Client(server.url)
    if connections:
        assert [client.get(), client.get(), server.accepted] == [200, 200, connections]
    else:
        with pytest.raises(stripe.APIConnectionError, match="response was lost") as raised:
            client.get()
        assert raised.value.should_retry


@pytest.mark.parametrize(("name", "credentials"), [("HTTPS_PROXY", ""), ("https_proxy", "me:p%40ss@")])
def test_a_proxy_receives_connect_and_nothing_in_clear_text(
    serve: Serve, authority: Authority, name: str, credentials: str
):
    received: list[bytes] = []
    server = serve(responding(OK), authority.server_context("api.stripe.test"))
    address = f"http://{credentials}127.0.0.1:{serve(tunnelling(received, server.port)).port}"
    client = Client("https://api.stripe.test", read_network({name: address, "SSL_CERT_FILE": str(authority.file)}))
    assert [client.get(), client.get()] == [200, 200]
    (connect,) = received
    assert connect.startswith(b"CONNECT api.stripe.test:443 HTTP/1.")
    assert (b"Proxy-Authorization: Basic bWU6cEBzcw==" in connect) is bool(credentials)


def test_a_proxy_that_refuses_or_is_not_supported_is_a_connection_error(serve: Serve):
    refusing = serve(responding(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"))
    for address, reason in [
        (refusing.url, "407"),
        ("socks5://localhost", "http://"),
        ("https://localhost", "http://"),
        ("http://localhost:port", "Port"),
    ]:
        with pytest.raises(stripe.APIConnectionError, match=reason):
            Client("https://api.stripe.test", Network(proxy=address)).get()


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("api.stripe.test", True),
        (" example.com , .stripe.test", True),
        ("STRIPE.test:443", True),
        ("*", True),
        ("stripe.test:80,example.com", False),
        ("pe.test", False),
        ("", False),
    ],
)
def test_no_proxy_lists_the_hosts_to_reach_directly(monkeypatch: pytest.MonkeyPatch, no_proxy: str, direct: bool):
    resolved: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: resolved.append(host) or [])
    environment = {"HTTPS_PROXY": "http://proxy.test:1", "NO_PROXY": no_proxy}
    with pytest.raises(stripe.APIConnectionError):
        Client("https://api.stripe.test", read_network(environment)).get()
    assert resolved == ["api.stripe.test" if direct else "proxy.test"]


def test_threads_share_connections_and_never_use_one_at_the_same_time(serve: Serve):
    def script(connection: socket.socket) -> None:
        while received := receive_request(connection):
            time.sleep(0.01)
            body = received.partition(b"\r\n\r\n")[2]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    server = serve(script)
    client = HttpClient(server.url, Network())
    bodies = [str(number).encode() for number in range(80)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda body: client.exchange("POST", "/", {}, body).body, bodies)) == bodies
    assert server.accepted <= 8


def test_a_connection_opened_ahead_is_used_by_the_first_call(serve: Serve, authority: Authority):
    server = serve(responding(OK), authority.server_context("localhost"))
    client = Client(server.url, Network(ca_file=str(authority.file)))
    client.connection.open()
    client.connection.wait()
    assert server.accepted == 1
    time.sleep(0.05)  # TLS 1.3 sends its tickets now: what can be read is not the connection's end
    assert client.get() == 200
    assert server.accepted == 1
