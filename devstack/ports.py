"""The ports of `make run`, checked before the slow imports start."""

import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


class StartError(Exception):
    """The stack can't start. The message gives the reason and the next step."""


@dataclass(frozen=True)
class Ports:
    """Ports on 127.0.0.1. The variable with a field's name in upper case changes it."""

    api_port: int = 8000
    console_port: int = 8001
    aws_port: int = 4566
    stripe_port: int = 12111

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Ports":
        """Read API_PORT, CONSOLE_PORT, AWS_PORT and STRIPE_PORT.

        :raises StartError: one of them is not a port, or two are the same.
        """
        chosen = {field.name: environ.get(field.name.upper(), str(field.default)) for field in fields(cls)}
        for name, value in chosen.items():
            if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
                raise StartError(f"{name.upper()} is {value!r}, but must be a port from 1 to 65535.")
        if len(set(map(int, chosen.values()))) < len(chosen):
            raise StartError(f"{', '.join(name.upper() for name in chosen)} must be four different ports.")
        return cls(**{name: int(value) for name, value in chosen.items()})


def check_free(ports: Ports) -> None:
    """Check that no process listens on any of the ports.

    :raises StartError: one does. The message lists the taken ports, and a command with free ones.
    """
    chosen = asdict(ports)
    taken = {name: number for name, number in chosen.items() if _is_taken(number)}
    if not taken:
        return
    free = (number for number in range(8100, 65536) if number not in chosen.values() and not _is_taken(number))
    command = " ".join(
        f"{name.upper()}={next(free) if name in taken else number}"
        for name, number in chosen.items()
        if name in taken or number != getattr(Ports(), name)
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
