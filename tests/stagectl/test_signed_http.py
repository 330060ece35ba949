"""Requests to the deployed API over TLS."""

import socket

import pytest

from operations import smoke
from stagectl import signed_http
from stagectl.operator_error import OperatorError
from tests.support.fake_dev import FakeDev
from tests.support.tls_servers import OK, Authority, ScriptedServer, receive_request


def test_a_host_with_an_unknown_authority_receives_nothing(dev: FakeDev, tmp_path, monkeypatch):
    authority, received = Authority(tmp_path), list[bytes]()
    monkeypatch.setenv("NO_PROXY", "localhost")

    def respond(connection: socket.socket) -> None:
        received.append(receive_request(connection))
        connection.sendall(OK)

    with ScriptedServer(respond, authority.server_context("localhost")) as server:
        with pytest.raises(OperatorError):
            smoke.run(dev.context, dev.target(), server.url)
        with pytest.raises(OperatorError):
            signed_http.call(dev.target(), "POST", f"{server.url}/billing", {"source": "tok_visa"})
        assert received == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
        assert signed_http.call(dev.target(), "POST", f"{server.url}/billing", {"source": "tok_visa"}).ok
        assert b"\r\nAuthorization: AWS4-HMAC-SHA256 " in received[0]
