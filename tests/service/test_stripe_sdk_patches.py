"""Each patch of stripe-python works, and is still needed: without it, stripe-python does what the patch prevents."""

import os
import subprocess
import sys
import tempfile

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
        command = [sys.executable, "-c", program]
        environment = {"PATH": os.environ["PATH"], "HOME": home, **environment}
        done = subprocess.run(command, cwd=APP, env=environment, stdout=-1, stderr=-2, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_asyncio_is_not_imported_until_something_uses_it():
    loaded = "import sys; print('asyncio' in sys.modules)\n"
    assert run(UNPATCHED + loaded) == "True\n"
    uses = "import asyncio.events; print(asyncio.run(asyncio.sleep(0, 'slept')))\n"
    uses += "from stripe import _http_client; print(_http_client.asyncio.sleep is asyncio.sleep)"
    assert run(PATCHED + loaded + uses) == "False\nslept\nTrue\n"


def test_a_program_that_has_imported_asyncio_keeps_it():
    program = "import asyncio\n" + PATCHED + "import sys; print(sys.modules['asyncio'] is asyncio)"
    assert run(program) == "True\n"


def test_stripe_python_reports_logs_and_searches_nothing():
    environment = {"STRIPE_LOG": "debug", "CLAUDECODE": "1"}
    evidence = {"telemetry_id", "pi_1_secret_2", "message='Request to Stripe api'", "claude_code"}
    unpatched, patched = run(UNPATCHED + CALLS, **environment), run(PATCHED + CALLS, **environment)
    assert {word for word in evidence if word in unpatched} == evidence
    assert {word for word in evidence if word in patched} == set()
