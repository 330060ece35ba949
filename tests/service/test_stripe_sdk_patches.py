"""Each patch of stripe-python works, and is still needed: without it, stripe-python does what the patch prevents."""

import os
import subprocess
import sys
import tempfile

import pytest

from tests.support.stack import APP

PATCHED = "from chalicelib.stripe_client.sdk_without_asyncio import stripe\n"
UNPATCHED = "import stripe\n"

# Makes two calls over a transport that prints each request's headers.
CALLS = """
class Transport(stripe.HTTPClient):
    name = "test"
    def request(self, method, url, headers, post_data=None):
        for name, value in headers.items():
            print(f"{name}: {value}")
        return b'{"id": "pi_1", "client_secret": "pi_1_secret_2"}', 200, {"request-id": "req_1"}
    def close(self):
        pass
client = stripe.StripeClient("sk_test_1234", http_client=Transport())
for _ in range(2):
    client.raw_request("post", "/v1/payment_intents", payment_method="pm_card_visa")
"""


def run(program: str, **environment: str) -> str:
    """Run a program in a new process, with no other variables. Returns what it wrote to both streams."""
    with tempfile.TemporaryDirectory() as home:  # stripe-python's telemetry writes there
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=APP,
            env={"PATH": os.environ["PATH"], "HOME": home, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_asyncio_is_not_imported_until_something_uses_it():
    loaded = "import sys; print('asyncio' in sys.modules)\n"
    assert run(UNPATCHED + loaded) == "True\n"
    assert run(PATCHED + loaded) == "False\n"
    uses = "import asyncio.events; print(asyncio.run(asyncio.sleep(0, 'slept')))\n"
    uses += "from stripe import _http_client; print(_http_client.asyncio.sleep is asyncio.sleep)"
    assert run(PATCHED + uses) == "slept\nTrue\n"


def test_a_program_that_has_imported_asyncio_keeps_it():
    program = "import asyncio\n" + PATCHED + "import sys; print(sys.modules['asyncio'] is asyncio)"
    assert run(program) == "True\n"


@pytest.mark.parametrize(
    ("environment", "evidence"),
    [
        ({}, "telemetry_id"),
        ({"STRIPE_LOG": "debug"}, "pi_1_secret_2"),
        ({"STRIPE_LOG": "info"}, "message='Request to Stripe api'"),
        ({"CLAUDECODE": "1"}, "claude_code"),
    ],
    ids=["telemetry", "log_debug", "log_info", "AI_AGENTS"],
)
def test_stripe_python_no_longer(environment: dict[str, str], evidence: str):
    assert evidence in run(UNPATCHED + CALLS, **environment)
    assert evidence not in run(PATCHED + CALLS, **environment)
