"""`stagectl smoke`: sends requests to the deployed API and checks the responses."""

import uuid
from collections.abc import Iterator

import click
from requests import Response

from chalicelib.billing import pricing
from operations import topic_probe
from stagectl import deployed, signed_http
from stagectl.commands import doctor
from stagectl.context import Context, json_option, stage_command
from stagectl.doctor.context import Verdict, fail, ok
from stagectl.operator_error import OperatorError
from stagectl.target import Target

_NOTES = 1


@stage_command(None, "smoke", "stagectl smoke --stage dev")
@click.option("--url", metavar="URL", help="The API's address, if it has a domain of its own.")
@click.option(
    "--wait", type=float, default=60, show_default=True, metavar="SECONDS", help="Longest wait for Stripe's webhook."
)
@json_option
def command(context: Context, target: Target, url: str | None, wait: float, as_json: bool) -> int:
    """Send requests to the deployed API; buy on test stages.

    The requests are for health, a quote, and an unsigned purchase, which must be refused. On a test stage a purchase is
    paid with Stripe's test card and followed to the topic; the admin's phone gets its text. On a live stage no card is
    charged.
    """
    address = url or deployed.url(target)
    return 0 if run(context, target, address.rstrip("/"), wait=wait, as_json=as_json) else 1


def deploy(context: Context, target: Target) -> None:
    """Send the requests as a step of `stagectl deploy`."""
    if not run(context, target, deployed.url(target)):
        raise OperatorError(f"{target.stage} is deployed, but does not respond as it should.", "See the lines above.")


def run(context: Context, target: Target, url: str, *, wait: float = 60, as_json: bool = False) -> bool:
    """Send the requests and show each result.

    :param wait: seconds for a purchase to reach the topic; Stripe usually calls within a few.
    :return: whether all results are ok.
    :raises OperatorError: the API cannot be reached.
    """
    verdicts = doctor.show(context, _probes(target, url, wait), "Calling the API", quiet=as_json)
    is_ok = all(verdict.level == "ok" for verdict in verdicts)
    if as_json:
        probes = [
            {"probe": it.check, "ok": it.level == "ok", "text": it.text, "remedy": it.remedy, "command": it.command}
            for it in verdicts
        ]
        context.output.json({"stage": target.stage, "url": url, "ok": is_ok, "probes": probes})
    return is_ok


def _probes(target: Target, url: str, wait: float) -> Iterator[Verdict]:
    logs = "See the function's log:", f"aws logs tail /aws/lambda/{target.function_name} --since 5m"
    health = signed_http.call(target, "GET", f"{url}/health")
    is_healthy = health.status_code == 200 and _fields(health).get("stage") == target.config.stage
    yield _probe("health", health, is_healthy, *logs)
    quote = signed_http.call(target, "GET", f"{url}/billing/quote?storage={_NOTES}")
    is_right = quote.status_code == 200 and _fields(quote).get("amount") == pricing.calculate_amount(_NOTES)
    yield _probe("quote", quote, is_right, *logs)
    body = {"source": "tok_visa", "storage": _NOTES}
    unsigned = signed_http.call(target, "POST", f"{url}/billing", body, sign=False)
    yield _probe(
        "unsigned purchase",
        unsigned,
        unsigned.status_code == 403,
        "Anybody can charge cards: the route lacks its authorizer. Undo the change to app.py, then deploy:",
        f"stagectl deploy --stage {target.stage}",
    )
    if not target.config.livemode:
        yield from _purchase(target, url, body, logs, wait)


def _purchase(target: Target, url: str, body: object, logs: tuple[str, str], wait: float) -> Iterator[Verdict]:
    with topic_probe.subscribed(target) as queue_url:
        paid = signed_http.call(target, "POST", f"{url}/billing", body, Idempotency_Key=str(uuid.uuid4()))
        yield _probe("purchase", paid, paid.status_code == 200 and _fields(paid).get("status") == "succeeded", *logs)
        if paid.status_code != 200:
            return
        payment = str(_fields(paid)["id"])
        message = topic_probe.wait_for(target, queue_url, payment, wait)
        if message is None:
            yield fail(
                f"{payment} did not reach the topic.",
                "Stripe's dashboard shows its attempts to call the webhook. To check the webhook:",
                f"stagectl doctor --stage {target.stage}",
                check="announced",
            )
        else:
            yield ok(f"{payment} reached the topic as {message['event']}.", check="announced")


def _probe(name: str, response: Response, is_ok: bool, remedy: str, command: str) -> Verdict:
    code = _fields(response).get("code") or _fields(response).get("message") or ""
    text = f"{response.status_code}{f' {code}' if code else ''} in {response.elapsed.total_seconds() * 1000:.0f} ms"
    return ok(text, check=name) if is_ok else fail(text, remedy, command, check=name)


def _fields(response: Response) -> dict[str, object]:
    """Return the fields of a JSON object; none if the body is not one."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
