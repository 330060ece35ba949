"""Free ports, which several test runs can claim at once."""

import secrets
import socket


def free_port() -> int:
    """Return a port to listen on later, below the range that the system assigns to clients.

    Other test runs do not get it: each claims a port by binding the UDP port of the same number, which nothing uses.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            with socket.create_server(("127.0.0.1", port)):
                _claims.append(claim)
                return port
        except OSError:
            claim.close()


_claims: list[socket.socket] = []


def free_ports() -> dict[str, str]:
    """The variables that give `make run` ports of its own."""
    return {name: str(free_port()) for name in ("API_PORT", "CONSOLE_PORT", "AWS_PORT", "STRIPE_PORT")}
