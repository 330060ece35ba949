"""The connection to Stripe: certificates, time limits, reuse, and proxies."""

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import stripe

from chalicelib.aws.credentials import Network, read_network
from chalicelib.aws.http_client import HttpClient
from chalicelib.stripe_client.connection import stripe_connection
from chalicelib.stripe_client.transport import StripeStaleConnectionError, StripeTimeout, StripeTransport
from tests.support.stack import PROJECT
from tests.support.tls_servers import OK, Authority, ScriptedServer, receive_request, responding, tunnelling


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def to_stripe(network: Network, base: str, **timeouts: float) -> StripeTransport:
    return StripeTransport(stripe_connection(network, base, **timeouts))


def get(transport: StripeTransport, base: str) -> int:
    return transport.request("get", f"{base}/v1/balance", {})[1]


def test_a_certificate_of_a_trusted_authority_is_accepted(authority: Authority):
    with ScriptedServer(responding(OK), authority.server_context("localhost")) as server:
        transport = to_stripe(read_network({"SSL_CERT_FILE": str(authority.file)}), server.url)
        body, status, headers = transport.request("get", f"{server.url}/v1/balance", {"X-Given": "1"})
    assert (body, status, headers["content-LENGTH"]) == (b"{}", 200, "2")


@pytest.mark.parametrize("wrong", ["another authority", "another host", "no such file"])
def test_nothing_is_sent_to_a_server_that_can_not_be_verified(authority: Authority, tmp_path: Path, wrong):
    received: list[bytes] = []
    context = authority.server_context("example.com" if wrong == "another host" else "localhost")
    trusted = {"another authority": Authority(tmp_path, "other").file, "no such file": tmp_path / "none.pem"}
    with ScriptedServer(lambda connection: received.append(connection.recv(100)), context) as server:
        transport = to_stripe(Network(ca_file=str(trusted.get(wrong, authority.file))), server.url)
        with pytest.raises(stripe.APIConnectionError) as raised:
            get(transport, server.url)
    assert not raised.value.should_retry
    assert ("none.pem" in str(raised.value)) is (wrong == "no such file")
    assert received == []


def test_stripes_own_certificates_are_the_default(authority: Authority):
    untrusted = pytest.raises(stripe.APIConnectionError, match="certificate verify failed")
    with ScriptedServer(responding(OK), authority.server_context("localhost")) as server, untrusted:
        get(to_stripe(Network(), server.url), server.url)
    assert server.accepted == 1
    ca_file = stripe_connection(Network(), server.url)._ca_file
    assert ca_file == stripe.ca_bundle_path
    assert Path(ca_file).is_file()


@pytest.mark.parametrize("base", ["http://api.stripe.com", "ftp://localhost", "api.stripe.com", ""])
def test_a_key_crosses_no_network_in_clear_text(base):
    with pytest.raises(ValueError, match="https"):
        to_stripe(Network(), base)


def test_a_key_is_sent_to_no_other_address():
    with ScriptedServer(responding(OK)) as server, pytest.raises(stripe.APIConnectionError, match="is not a URL of"):
        get(to_stripe(Network(), server.url), f"{server.url}.example.com")
    assert server.accepted == 0


def test_a_connection_is_reused_until_the_server_closes_it(authority: Authority):
    closing = threading.Event()

    def script(connection: socket.socket) -> None:
        for _ in range(3):
            receive_request(connection)
            connection.sendall(OK)
        closing.wait(10)

    with ScriptedServer(script, authority.server_context("localhost")) as server:
        transport = to_stripe(Network(ca_file=str(authority.file)), server.url)
        assert [get(transport, server.url) for _ in range(3)] == [200] * 3
        assert server.accepted == 1
        closing.set()
        time.sleep(0.1)
        assert get(transport, server.url) == 200
        assert server.accepted == 2


def test_a_connection_closed_during_a_call_is_a_stale_connection_and_is_replaced():
    def script(connection: socket.socket) -> None:
        receive_request(connection)
        connection.sendall(OK)
        receive_request(connection)  # and closes the connection: the call may have had its effect

    with ScriptedServer(script) as server:
        transport = to_stripe(Network(), server.url)
        assert get(transport, server.url) == 200
        with pytest.raises(StripeStaleConnectionError) as raised:
            get(transport, server.url)
        assert raised.value.should_retry
        assert get(transport, server.url) == 200
        assert server.accepted == 2


def test_a_connection_that_was_idle_for_long_is_not_reused(monkeypatch: pytest.MonkeyPatch):
    with ScriptedServer(responding(OK)) as server:
        transport = to_stripe(Network(), server.url)
        get(transport, server.url)
        clock = time.time
        monkeypatch.setattr(time, "time", lambda: clock() + 301)
        assert get(transport, server.url) == 200
    assert server.accepted == 2


def test_a_fork_does_not_use_its_parents_connections():
    with ScriptedServer(responding(OK)) as server:
        program = [sys.executable, "-m", "tests.support.forking_client", server.url]
        subprocess.run(program, cwd=PROJECT, check=True, timeout=60)
        assert server.accepted == 2


@pytest.mark.parametrize(
    "part", [b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b""]
)
def test_the_response_timeout_is_for_the_whole_response(part):
    def script(connection: socket.socket) -> None:
        receive_request(connection)
        connection.sendall(part)
        while part and not server.stopped.wait(0.1):
            connection.sendall(b"x")
        server.stopped.wait(10)

    with ScriptedServer(script) as server, pytest.raises(StripeTimeout, match=r"within 0\.5 s"):
        get(to_stripe(Network(), server.url, response_timeout=0.5), server.url)


def test_a_call_ends_by_the_deadline_of_its_thread():
    with ScriptedServer(lambda connection: (receive_request(connection), server.stopped.wait(10))) as server:
        transport = to_stripe(Network(), server.url, connect_timeout=60, response_timeout=60)
        transport.end_by(time.monotonic() + 0.3)
        with pytest.raises(StripeTimeout):
            get(transport, server.url)
        transport.end_by(time.monotonic() - 1)
        with pytest.raises(stripe.APIConnectionError) as raised:
            get(transport, server.url)
        assert not isinstance(raised.value, StripeTimeout)  # nothing was sent
        assert server.accepted == 1


def test_a_connection_that_is_not_opened_in_time_is_no_timeout_of_the_response(authority: Authority):
    server = ScriptedServer(lambda _connection: None)
    server.url = server.url.replace("http:", "https:")
    server._serve = lambda connection: server.stopped.wait(10)  # accepts, and never responds to the TLS client's hello
    with server, pytest.raises(stripe.APIConnectionError, match=r"not reached: no connection within 0\.2 s") as raised:
        get(to_stripe(Network(), server.url, connect_timeout=0.2), server.url)
    assert raised.value.should_retry
    assert not isinstance(raised.value, StripeTimeout)


def test_a_name_that_is_not_resolved_in_time_ends_the_call(monkeypatch: pytest.MonkeyPatch):
    has_ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: has_ended.wait(10) or [])
    with pytest.raises(stripe.APIConnectionError, match=r"no connection within 0\.1 s"):
        get(to_stripe(Network(), "https://api.stripe.test", connect_timeout=0.1), "https://api.stripe.test")
    has_ended.set()


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * 4_300_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
        b"SSH-2.0-nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
        b"",
    ],
    ids=["cut", "large", "cut between chunks", "invalid chunk", "another protocol", "long header", "nothing"],
)
def test_a_malformed_response_is_a_retryable_connection_error(response):
    def script(connection: socket.socket) -> None:
        receive_request(connection)
        connection.sendall(response)

    lost = pytest.raises(stripe.APIConnectionError, match="response was lost")
    with ScriptedServer(script) as server, lost as raised:
        get(to_stripe(Network(), server.url), server.url)
    assert raised.value.should_retry


@pytest.mark.parametrize(
    ("response", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 1),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 2),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 2),
    ],
    ids=["chunked", "continue", "close", "http 1.0"],
)
def test_every_form_of_a_response_is_read(response, connections):
    with ScriptedServer(responding(response)) as server:
        transport = to_stripe(Network(), server.url)
        assert [transport.request("get", f"{server.url}/", {})[:2] for _ in range(2)] == [(b"{}", 200)] * 2
        assert server.accepted == connections


def test_a_redirect_is_not_followed():
    with ScriptedServer(responding(OK)) as other:
        redirect = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        with ScriptedServer(responding(redirect)) as server:
            assert get(to_stripe(Network(), server.url), server.url) == 302
    assert other.accepted == 0


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("credentials", ["", "me:p%40ss@"])
def test_a_proxy_receives_connect_and_nothing_in_clear_text(authority: Authority, name, credentials):
    received: list[bytes] = []
    with (
        ScriptedServer(responding(OK), authority.server_context("api.stripe.test")) as server,
        ScriptedServer(tunnelling(received, server.port)) as proxy,
    ):
        proxied = read_network(
            {name: f"http://{credentials}127.0.0.1:{proxy.port}", "SSL_CERT_FILE": str(authority.file)}
        )
        transport = to_stripe(proxied, "https://api.stripe.test")
        for _ in range(2):
            assert get(transport, "https://api.stripe.test") == 200
    assert len(received) == 1
    assert received[0].startswith(b"CONNECT api.stripe.test:443 HTTP/1.")
    assert (b"Proxy-Authorization: Basic bWU6cEBzcw==" in received[0]) is bool(credentials)


def test_a_proxy_that_refuses_or_is_not_supported_is_a_connection_error():
    refusing = responding(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    with ScriptedServer(refusing) as proxy:
        for address, error in [
            (proxy.url, "407"),
            ("socks5://localhost", "http://"),
            ("https://localhost", "http://"),
            ("http://localhost:port", "Port"),
        ]:
            transport = to_stripe(Network(proxy=address), "https://api.stripe.test")
            with pytest.raises(stripe.APIConnectionError, match=error):
                get(transport, "https://api.stripe.test")


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
def test_no_proxy_lists_the_hosts_to_reach_directly(monkeypatch: pytest.MonkeyPatch, no_proxy, direct):
    resolved: list[str] = []
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *rest, **named):
        resolved.append(host)
        return resolve("127.0.0.1", *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    proxied = read_network({"HTTPS_PROXY": "http://proxy.test:1", "NO_PROXY": no_proxy})
    with pytest.raises(stripe.APIConnectionError):
        get(to_stripe(proxied, "https://api.stripe.test"), "https://api.stripe.test")
    assert resolved == ["api.stripe.test" if direct else "proxy.test"]


def test_this_machine_is_reached_without_a_proxy():
    with ScriptedServer(responding(OK)) as server:
        assert get(to_stripe(read_network({"HTTPS_PROXY": "http://proxy.invalid:1"}), server.url), server.url) == 200


def test_threads_share_connections_and_never_use_one_at_the_same_time():
    def script(connection: socket.socket) -> None:
        while received := receive_request(connection):
            time.sleep(0.02)
            body = received.partition(b"\r\n\r\n")[2]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with ScriptedServer(script) as server, ThreadPoolExecutor(8) as pool:
        client = HttpClient(server.url, Network())
        bodies = [str(number).encode() for number in range(80)]
        assert list(pool.map(lambda body: client.exchange("POST", "/", {}, body).body, bodies)) == bodies
        assert server.accepted <= 8


def test_a_connection_opened_ahead_is_used_by_the_first_call(authority: Authority):
    with ScriptedServer(responding(OK), authority.server_context("localhost")) as server:
        connection = stripe_connection(Network(ca_file=str(authority.file)), server.url)
        connection.open()
        connection.wait()
        assert server.accepted == 1
        time.sleep(0.05)  # TLS 1.3 sends its tickets now: what can be read is not the connection's end
        assert get(StripeTransport(connection), server.url) == 200
        assert server.accepted == 1


def test_a_connection_that_fails_to_open_ahead_is_retried_by_the_first_call():
    with ScriptedServer(responding(OK)) as server:
        connection = stripe_connection(Network(), "http://localhost:1")
        connection.open()
        connection.wait()
        with pytest.raises(stripe.APIConnectionError, match="refused"):
            get(StripeTransport(connection), "http://localhost:1")
        assert get(to_stripe(Network(), server.url), server.url) == 200
