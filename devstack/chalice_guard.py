"""Adds the check of Host and Origin to `chalice local`, which has no setting for it."""

import sys

from chalice.local import ChaliceRequestHandler

from devstack.loopback_only import CONTENT_TYPE, LoopbackOnly


def guard(handler: type[ChaliceRequestHandler], origins: list[str]) -> None:
    """Change a handler, so that it rejects requests from pages of other origins.

    :param origins: whose pages may call the API. With ``*``, all may, and the API's own CORS headers are sent.
    """
    parse, send = handler.parse_request, handler.send_header

    def parse_request(self: ChaliceRequestHandler) -> bool:
        if not parse(self):
            return False
        rejection = LoopbackOnly(self.server.server_address[1], tuple(origins)).check(self.headers)
        if rejection is None:
            return True
        sys.stderr.write(f"{rejection.code}: {rejection.detail}\n")
        self._parse_payload()  # a client that is still sending would not read the response
        self.close_connection = True
        self._send_http_response(403, {"Content-Type": CONTENT_TYPE}, rejection.body())
        return False

    def send_header(self: ChaliceRequestHandler, name: str, value: str) -> None:
        if name == "Access-Control-Allow-Origin" and origins and "*" not in origins:
            value = self.headers.get("Origin", origins[0])  # parse_request has accepted it
        send(self, name, value)

    handler.parse_request = parse_request
    handler.send_header = send_header
