"""The emulator on a port of loopback."""

import threading
import time
from collections.abc import Callable
from typing import Any

from devstack.loopback_only import CONTENT_TYPE, LoopbackOnly
from devstack.stripe import admin
from devstack.stripe.account import Clock, create_accounts
from devstack.stripe.api import Api
from devstack.stripe.connections import Listener
from devstack.stripe.emulator import Emulator
from devstack.stripe.listeners import EventFeed
from devstack.stripe.messages import Request, Response
from devstack.stripe.webhook_delivery import Attempt
from devstack.stripe.webhooks import Webhooks


class StripeServer(Emulator):
    """Stripe on loopback: the API, and the addresses of :mod:`devstack.stripe.admin`."""

    def __init__(
        self,
        port: int = 0,
        on_event: Callable[[dict[str, Any]], None] | None = None,
        clock: Clock = time.time,
        on_delivery: Callable[[Attempt], None] | None = None,
        webhook_pause: float = 1.0,
        hosts: tuple[str, ...] = (),
    ) -> None:
        """Bind the port; :meth:`start` begins to serve.

        :param port: 0 for any free port.
        :param on_event: receives each Stripe event in order, between the change of state and the response to the call
            that caused it. It may call this server.
        :param clock: the time in Unix seconds.
        :param on_delivery: receives each attempt to deliver an event to a webhook endpoint when it has ended. It may
            call this server.
        :param webhook_pause: seconds from a delivery's first failure to its second attempt; doubled each time, up to 60
            times this.
        :param hosts: values of Host that are accepted beside those of loopback, such as a proxy's.
        :raises OSError: the port is taken.
        :raises ValueError: the pause is not above 0.
        """
        accounts = create_accounts()
        webhooks = Webhooks(accounts, clock, webhook_pause, on_delivery)
        super().__init__(Api(accounts, webhooks, EventFeed(on_event), clock))
        self._listener = Listener(("127.0.0.1", port), self.respond, self.stopping)
        self._thread: threading.Thread | None = None
        self.port: int = self._listener.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._only = LoopbackOnly(self.port, hosts=hosts)

    def start(self) -> "StripeServer":
        """Serve in the background."""
        run = self._listener.serve_forever
        self._thread = threading.Thread(target=run, args=(0.05,), name="Stripe emulator", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection, end every thread, and free the port."""
        self.stopping.set()
        if self._thread is not None:
            self._listener.shutdown()
            self._thread.join()
            self._thread = None
        self._listener.server_close()
        self._listener.close_connections()
        self.webhooks.stop()

    def __enter__(self) -> "StripeServer":
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def connections(self) -> int:
        """The number of connections accepted so far."""
        return self._listener.accepted

    def respond(self, request: Request) -> Response | None:
        """Respond to a call of the API or of the emulator's own addresses; see :meth:`Emulator.respond`."""
        if rejection := self._only.check(request.headers):
            return Response(403, rejection.body(), {"Content-Type": CONTENT_TYPE})
        if request.path.startswith(admin.PREFIX):
            return admin.respond(self, self.connections, request)
        return super().respond(request)
