"""Names of dependencies that the project replaces: setting one that is gone would go unnoticed."""

import subprocess
import sys


def test_stripe_python_has_the_names_that_sdk_without_asyncio_replaces():
    # In a process of its own: in this one they may be replaced already.
    program = (
        "import stripe; from stripe import _api_requestor as it\n"
        "it.log_debug, it.log_info, it._APIRequestor.AI_AGENTS, stripe.enable_telemetry"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
