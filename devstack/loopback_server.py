"""A web server on 127.0.0.1 for a WSGI application, such as a Flask app, which serves no other origin's pages."""

import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from devstack.loopback_only import LoopbackOnly

_S = TypeVar("_S", bound="LoopbackServer")


class LoopbackServer:
    """Serves an application in the background, with one thread per connection.

    ``stopping`` is set when the server stops: a response that waits or streams ends then.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], port: int) -> None:
        """Bind the port.

        :param port: 0 for any free one.
        :raises OSError: the port is taken.
        """
        self.stopping = threading.Event()
        # Bound here, because werkzeug exits the process when a port is taken.
        with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
            port = listener.getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            guarded = LoopbackOnly(port).wrap(application)
            self._server = ThreadedWSGIServer("127.0.0.1", port, guarded, _Handler, fd=listener.fileno())
        name = type(self).__name__
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name=name, daemon=True)

    def start(self: _S) -> _S:
        """Serve in the background."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # werkzeug writes a chunk in four pieces

    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing: `make run` shows payments and webhooks instead."""
