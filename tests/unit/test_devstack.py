"""Parts of the devstack that need no server."""

import socket

import pytest

from chalicelib.stripe_client.api import CALL_TIMEOUT, RESERVED_FOR_STRIPE
from devstack.console.fault_switches import SWITCHES
from devstack.ports import StartError, check_free, read_ports
from devstack.token_bucket import TokenBucket


@pytest.mark.parametrize("value", ["", "http", "0", "65536", "-1", "8001"])
def test_an_invalid_port_is_reported_with_its_variable(value: str):
    with pytest.raises(StartError, match="API_PORT"):
        read_ports({"API_PORT": value})


def test_every_taken_port_is_reported_with_a_free_one_for_its_variable():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = {"API_PORT": one.getsockname()[1], "CONSOLE_PORT": 1, "STRIPE_PORT": other.getsockname()[1]}
        with pytest.raises(StartError) as raised:
            check_free(ports)
    message, _, command = str(raised.value).splitlines()
    assert all(str(ports[name]) in message for name in ("API_PORT", "STRIPE_PORT"))
    chosen = dict(word.split("=") for word in command.split() if "=" in word)
    assert list(chosen) == list(ports)
    assert chosen["CONSOLE_PORT"] == "1"
    check_free({name: int(port) for name, port in chosen.items()})


@pytest.mark.parametrize(
    ("rate", "burst", "pause", "full", "refilled"),
    [(40, None, 0.5, 40, 20), (40, None, 60, 40, 40), (40, 1, 60, 1, 1), (0.5, None, 1, 1, 0), (0.5, None, 2, 1, 1)],
)
def test_a_bucket_has_its_burst_and_refills_at_its_rate(rate, burst, pause, full, refilled):
    now = 0.0
    bucket = TokenBucket(rate, lambda: now, burst=burst)
    assert sum(bucket.take() for _ in range(100)) == full
    now += pause
    assert sum(bucket.take() for _ in range(100)) == refilled


def test_the_switch_for_throttled_reads_states_how_long_the_service_retries():
    (effect,) = (switch.effect for switch in SWITCHES if switch.name == "ssm_throttled")
    assert f" {CALL_TIMEOUT - RESERVED_FOR_STRIPE:g} s" in effect
