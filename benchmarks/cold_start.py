"""What the parts of a cold start cost: `make bench`.

Each step is a fresh process, timed from its start to its end; the steps take turns, so that a machine that slows down
slows all of them. Figures are medians of wall time, and the share is of the whole: compare these, don't quote the ms.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from devstack.aws import AwsServer, leave_own_accounts

RUNS = 15
PROJECT = Path(__file__).resolve().parent.parent
WHOLE = "import app, key read"
STEPS = {
    "interpreter": "pass",
    "chalice": "import chalice.app",
    "boto3": "import boto3",
    "boto3 and its ssm client": "import boto3; boto3.client('ssm')",
    "stripe": "import stripe; stripe.StripeClient('none').v1.payment_intents",
    WHOLE: "import app",
}


def main() -> None:
    """Run every step in turn and print the table."""
    leave_own_accounts()
    aws = AwsServer().start()
    aws.put_secret("/stripeSecretKey/test", "sk_test_" + "0" * 24)
    environment = {**aws.environment(), "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": ""}
    seconds: dict[str, list[float]] = {name: [] for name in STEPS}
    for run in range(RUNS + 1):
        for name, program in STEPS.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], env=environment, cwd=PROJECT, check=True)  # noqa: S603
            if run:  # the first round warms the file cache and writes bytecode
                seconds[name].append(time.perf_counter() - begun)
    aws.stop()
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    idle = medians["interpreter"]
    print(f"{'step':<28}{'ms':>8}{'less interpreter':>18}{'of the whole':>14}   (medians of {RUNS})")
    for name, median in medians.items():
        share = median / medians[WHOLE]
        print(f"{name:<28}{median * 1000:>8.0f}{(median - idle) * 1000:>18.0f}{share:>14.2f}")


if __name__ == "__main__":
    main()
