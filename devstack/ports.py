"""The ports of `make run`, checked before the slow imports start."""

import socket
from collections.abc import Mapping

# The variables that change a port on 127.0.0.1, and the defaults.
_DEFAULTS = {"API_PORT": 8000, "CONSOLE_PORT": 8001, "AWS_PORT": 4566, "STRIPE_PORT": 12111}


class StartError(Exception):
    """The stack can't start. The message gives the reason and the next step."""


def read_ports(environ: Mapping[str, str]) -> dict[str, int]:
    """Return the four ports by the names of their variables.

    :raises StartError: one of them is not a port, or two are the same.
    """
    chosen = {name: environ.get(name, str(default)) for name, default in _DEFAULTS.items()}
    for name, value in chosen.items():
        if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
            raise StartError(f"{name} is {value!r}, but must be a port from 1 to 65535.")
    ports = {name: int(value) for name, value in chosen.items()}
    if len(set(ports.values())) < len(ports):
        raise StartError(f"{', '.join(ports)} must be four different ports.")
    return ports


def check_free(ports: Mapping[str, int]) -> None:
    """Check that no process listens on any of the ports.

    :raises StartError: one does. The message lists the taken ports, and a command with free ones.
    """
    taken = {name: number for name, number in ports.items() if _is_taken(number)}
    if not taken:
        return
    free = (number for number in range(8100, 65536) if number not in ports.values() and not _is_taken(number))
    command = " ".join(
        f"{name}={next(free) if name in taken else number}"
        for name, number in ports.items()
        if name in taken or number != _DEFAULTS[name]
    )
    first, *others = taken.values()
    numbers = f"port {first} is taken" + "".join(f", and so is {number}" for number in others)
    raise StartError(
        f"{numbers}. Stop the process that listens there (another `make run`?), or choose other ports:\n\n"
        f"  {command} make run"
    )


def _is_taken(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
