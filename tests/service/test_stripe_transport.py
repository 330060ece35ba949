"""The connection to Stripe: whom it trusts, how long it waits, when it is kept, and which way it goes."""

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
from tests.support.tls_servers import OK, Authority, Peer, answering, request, tunnelling


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def to_stripe(read_network: Network, base: str, **limits: float) -> StripeTransport:
    return StripeTransport(stripe_connection(read_network, base, **limits))


def get(transport: StripeTransport, base: str) -> int:
    return transport.request("get", f"{base}/v1/balance", {})[1]


def test_a_certificate_of_a_trusted_authority_is_taken(authority: Authority):
    with Peer(answering(OK), authority.server_context("localhost")) as peer:
        transport = to_stripe(read_network({"SSL_CERT_FILE": str(authority.file)}), peer.url)
        body, status, headers = transport.request("get", f"{peer.url}/v1/balance", {"X-Given": "1"})
    assert (body, status, headers["content-LENGTH"]) == (b"{}", 200, "2")


@pytest.mark.parametrize("wrong", ["stranger", "another host", "no such file"])
def test_a_certificate_that_does_not_verify_ends_it_before_anything_is_sent(
    authority: Authority, tmp_path: Path, wrong
):
    received: list[bytes] = []
    context = authority.server_context("example.com" if wrong == "another host" else "localhost")
    trusted = {"stranger": Authority(tmp_path, "other").file, "no such file": tmp_path / "none"}
    with Peer(lambda connection: received.append(connection.recv(100)), context) as peer:
        transport = to_stripe(Network(ca_file=str(trusted.get(wrong, authority.file))), peer.url)
        with pytest.raises(stripe.APIConnectionError) as raised:
            get(transport, peer.url)
    assert not raised.value.should_retry
    assert received == []


def test_without_a_ca_file_of_the_environment_stripes_own_certificates_count(authority: Authority):
    unknown = pytest.raises(stripe.APIConnectionError, match="certificate verify failed")
    with Peer(answering(OK), authority.server_context("localhost")) as peer, unknown:
        get(to_stripe(Network(), peer.url), peer.url)
    assert peer.accepted == 1
    ca_file = stripe_connection(Network(), peer.url)._ca_file
    assert ca_file == stripe.ca_bundle_path
    assert Path(ca_file).is_file()


@pytest.mark.parametrize("base", ["http://api.stripe.com", "ftp://localhost", "api.stripe.com", ""])
def test_a_key_crosses_no_network_in_the_clear(base):
    with pytest.raises(ValueError, match="https"):
        to_stripe(Network(), base)


def test_a_key_goes_to_no_other_address():
    with Peer(answering(OK)) as peer, pytest.raises(stripe.APIConnectionError, match="not an address of"):
        get(to_stripe(Network(), peer.url), f"{peer.url}.example.com")
    assert peer.accepted == 0


def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_is_replaced(authority: Authority):
    closing = threading.Event()

    def talk(connection: socket.socket) -> None:
        for _ in range(3):
            request(connection)
            connection.sendall(OK)
        closing.wait(10)

    with Peer(talk, authority.server_context("localhost")) as peer:
        transport = to_stripe(Network(ca_file=str(authority.file)), peer.url)
        assert [get(transport, peer.url) for _ in range(3)] == [200] * 3
        assert peer.accepted == 1
        closing.set()
        time.sleep(0.1)
        assert get(transport, peer.url) == 200
        assert peer.accepted == 2


def test_a_connection_that_is_closed_while_a_call_is_sent_is_no_answer_and_the_next_call_has_a_new_one():
    def talk(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(OK)
        request(connection)  # and hangs up: whether it did what it was asked, nobody can tell

    with Peer(talk) as peer:
        transport = to_stripe(Network(), peer.url)
        assert get(transport, peer.url) == 200
        with pytest.raises(StripeStaleConnectionError) as raised:
            get(transport, peer.url)
        assert raised.value.should_retry
        assert get(transport, peer.url) == 200
        assert peer.accepted == 2


def test_a_connection_that_was_idle_for_long_is_not_trusted(monkeypatch: pytest.MonkeyPatch):
    with Peer(answering(OK)) as peer:
        transport = to_stripe(Network(), peer.url)
        get(transport, peer.url)
        clock = time.time
        monkeypatch.setattr(time, "time", lambda: clock() + 301)
        assert get(transport, peer.url) == 200
    assert peer.accepted == 2


def test_a_fork_does_not_use_its_parents_connection():
    with Peer(answering(OK)) as peer:
        program = [sys.executable, "-m", "tests.support.forking_client", peer.url]
        subprocess.run(program, cwd=PROJECT, check=True, timeout=60)
        assert peer.accepted == 2


@pytest.mark.parametrize(
    "part", [b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b""]
)
def test_an_answer_that_trickles_ends_with_the_time_for_all_of_it(part):
    def talk(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(part)
        while part and not peer.stopped.wait(0.1):
            connection.sendall(b"x")
        peer.stopped.wait(10)

    with Peer(talk) as peer, pytest.raises(StripeTimeout, match=r"within 0\.5 s"):
        get(to_stripe(Network(), peer.url, answer=0.5), peer.url)


def test_a_call_ends_when_the_answer_to_the_customer_is_due():
    with Peer(lambda connection: (request(connection), peer.stopped.wait(10))) as peer:
        transport = to_stripe(Network(), peer.url, connect=60, answer=60)
        transport.end_by(time.monotonic() + 0.3)
        with pytest.raises(StripeTimeout):
            get(transport, peer.url)
        transport.end_by(time.monotonic() - 1)
        with pytest.raises(stripe.APIConnectionError) as raised:
            get(transport, peer.url)
        assert not isinstance(raised.value, StripeTimeout)  # nothing was sent
        assert peer.accepted == 1


def test_a_connection_that_is_not_made_in_time_is_no_lost_answer(authority: Authority):
    peer = Peer(lambda _connection: None)
    peer.url = peer.url.replace("http:", "https:")
    peer._serve = lambda connection: peer.stopped.wait(10)  # accepts, and never answers the TLS client's hello
    with peer, pytest.raises(stripe.APIConnectionError, match=r"not reached: no connection within 0\.2 s") as raised:
        get(to_stripe(Network(), peer.url, connect=0.2), peer.url)
    assert raised.value.should_retry
    assert not isinstance(raised.value, StripeTimeout)


def test_a_name_that_is_not_resolved_in_time_ends_the_call(monkeypatch: pytest.MonkeyPatch):
    given_up = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: given_up.wait(10) or [])
    with pytest.raises(stripe.APIConnectionError, match=r"no connection within 0\.1 s"):
        get(to_stripe(Network(), "https://api.stripe.test", connect=0.1), "https://api.stripe.test")
    given_up.set()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * 4_300_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
        b"SSH-2.0-nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
        b"",
    ],
    ids=["cut", "large", "cut between chunks", "no chunk", "another protocol", "long header", "nothing"],
)
def test_an_answer_that_is_none_is_an_error_of_the_connection(answer):
    def talk(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(answer)

    with Peer(talk) as peer, pytest.raises(stripe.APIConnectionError, match="answer was lost") as raised:
        get(to_stripe(Network(), peer.url), peer.url)
    assert raised.value.should_retry


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 1),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 2),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 2),
    ],
    ids=["chunked", "continue", "close", "http 1.0"],
)
def test_every_form_of_an_answer_is_read(answer, connections):
    with Peer(answering(answer)) as peer:
        transport = to_stripe(Network(), peer.url)
        assert [transport.request("get", f"{peer.url}/", {})[:2] for _ in range(2)] == [(b"{}", 200)] * 2
        assert peer.accepted == connections


def test_a_redirect_is_not_followed():
    with Peer(answering(OK)) as other:
        redirect = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        with Peer(answering(redirect)) as peer:
            assert get(to_stripe(Network(), peer.url), peer.url) == 302
    assert other.accepted == 0


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("credentials", ["", "me:p%40ss@"])
def test_a_proxy_is_asked_to_connect_and_sees_nothing_else(authority: Authority, name, credentials):
    asked: list[bytes] = []
    with (
        Peer(answering(OK), authority.server_context("api.stripe.test")) as peer,
        Peer(tunnelling(asked, peer.port)) as proxy,
    ):
        proxied = read_network(
            {name: f"http://{credentials}127.0.0.1:{proxy.port}", "SSL_CERT_FILE": str(authority.file)}
        )
        transport = to_stripe(proxied, "https://api.stripe.test")
        for _ in range(2):
            assert get(transport, "https://api.stripe.test") == 200
    assert len(asked) == 1
    assert asked[0].startswith(b"CONNECT api.stripe.test:443 HTTP/1.")
    assert (b"Proxy-Authorization: Basic bWU6cEBzcw==" in asked[0]) is bool(credentials)


def test_a_proxy_that_refuses_or_is_none_is_an_error_of_the_connection():
    refusing = answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    with Peer(refusing) as proxy:
        for address, why in [(proxy.url, "407"), ("socks5://localhost", "http://"), ("https://localhost", "http://")]:
            transport = to_stripe(Network(proxy=address), "https://api.stripe.test")
            with pytest.raises(stripe.APIConnectionError, match=why):
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
def test_no_proxy_names_who_is_reached_directly(monkeypatch: pytest.MonkeyPatch, no_proxy, direct):
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
    with Peer(answering(OK)) as peer:
        assert get(to_stripe(read_network({"HTTPS_PROXY": "http://proxy.invalid:1"}), peer.url), peer.url) == 200


def test_threads_share_connections_and_never_one_at_the_same_time():
    def talk(connection: socket.socket) -> None:
        while received := request(connection):
            time.sleep(0.02)
            body = received.partition(b"\r\n\r\n")[2]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with Peer(talk) as peer, ThreadPoolExecutor(8) as pool:
        client = HttpClient(peer.url, Network())
        bodies = [str(number).encode() for number in range(80)]
        assert list(pool.map(lambda body: client.exchange("POST", "/", {}, body).body, bodies)) == bodies
        assert peer.accepted <= 8


def test_a_connection_opened_ahead_is_used_by_the_first_call(authority: Authority):
    with Peer(answering(OK), authority.server_context("localhost")) as peer:
        connection = stripe_connection(Network(ca_file=str(authority.file)), peer.url)
        connection.open()
        connection.wait()
        assert peer.accepted == 1
        time.sleep(0.05)  # TLS 1.3 sends its tickets now: what can be read is not the connection's end
        assert get(StripeTransport(connection), peer.url) == 200
        assert peer.accepted == 1


def test_a_connection_that_can_not_be_opened_ahead_is_tried_again_by_the_first_call():
    with Peer(answering(OK)) as peer:
        connection = stripe_connection(Network(), "http://localhost:1")
        connection.open()
        connection.wait()
        with pytest.raises(stripe.APIConnectionError, match="refused"):
            get(StripeTransport(connection), "http://localhost:1")
        assert get(to_stripe(Network(), peer.url), peer.url) == 200


def test_asyncio_is_left_out_until_somebody_uses_it():
    program = (
        "import sys; from chalicelib.stripe_client.sdk_without_asyncio import stripe; from stripe import _http_client\n"
        "assert 'asyncio' not in sys.modules\n"
        "assert not stripe.enable_telemetry\n"
        "import asyncio.events\n"
        "assert asyncio.run(asyncio.sleep(0, 'slept')) == 'slept'\n"
        "assert _http_client.asyncio.sleep is asyncio.sleep\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)
