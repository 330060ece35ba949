"""Where the parts listen. Told before anything that takes long to import is."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields


class PortsError(Exception):
    """The ports can't be had; the message says why, and what to do."""


@dataclass(frozen=True)
class Ports:
    """Where the parts listen, on 127.0.0.1. Each can be changed by the variable of its upper-case name."""

    api_port: int = 8000
    console_port: int = 8001
    aws_port: int = 4566
    stripe_port: int = 12111

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Ports":
        """Read API_PORT, CONSOLE_PORT, AWS_PORT and STRIPE_PORT.

        :raises PortsError: one of them is not a port, or two are the same.
        """
        chosen = {field.name: environ.get(field.name.upper(), str(field.default)) for field in fields(cls)}
        for name, value in chosen.items():
            if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
                raise PortsError(f"{name.upper()} is {value!r}: it must be a port, 1 to 65535.")
        if len(set(map(int, chosen.values()))) < len(chosen):
            raise PortsError(f"{', '.join(name.upper() for name in chosen)} must be four different ports.")
        return cls(**{name: int(value) for name, value in chosen.items()})


def refuse_taken(ports: Ports) -> None:
    """Refuse to start while anybody listens on any of the ports.

    :raises PortsError: somebody does; the message names them all, and a command with ports that are free.
    """
    taken = {field.name: getattr(ports, field.name) for field in fields(ports) if _listens(getattr(ports, field.name))}
    if not taken:
        return
    chosen = {field.name: getattr(ports, field.name) for field in fields(ports)}
    free = (number for number in range(8100, 65536) if number not in chosen.values() and not _listens(number))
    command = " ".join(
        f"{name.upper()}={next(free) if name in taken else number}"
        for name, number in chosen.items()
        if name in taken or number != getattr(Ports(), name)
    )
    first, *others = taken.values()
    numbers = f"port {first} is taken" + "".join(f", and so is {number}" for number in others)
    raise PortsError(f"{numbers}: end what listens there (another `make run`?), or choose others: {command} make run")


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return bool(client.connect_ex(("127.0.0.1", port)) == 0)
