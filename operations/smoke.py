"""`stagectl smoke`: does the deployed API answer as it should."""

import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click

from chalicelib.billing import pricing
from operations import topic_probe
from stagectl import deployed, signed_http
from stagectl.context import Context, json_option, stage_option
from stagectl.errors import OperatorError
from stagectl.signed_http import Response
from stagectl.target import Target

_NOTES = 1


@dataclass(frozen=True)
class Probe:
    """``remedy``: what to do, empty where it is well."""

    probe: str
    ok: bool
    text: str
    remedy: str = ""


@click.command("smoke", epilog="Example:  stagectl smoke --stage dev")
@stage_option
@click.option("--url", metavar="URL", help="The API's address, where it has a domain of its own.")
@click.option("--wait", type=float, default=60, metavar="SECONDS", help="How long Stripe's webhook may take (60).")
@json_option
@click.pass_obj
def command(context: Context, stage: str, url: str | None, wait: float, as_json: bool) -> int:
    """Ask the deployed API: health, quote, an unsigned purchase (refused); on test stages also for a purchase.

    The purchase is paid with Stripe's test card and followed to the topic; the admin's phone gets its text. On prod
    no card is charged.
    """
    target = context.target(stage)
    address = url or deployed.url(target)
    if address is None:
        raise OperatorError(f"{stage} is not deployed.", f"stagectl deploy --stage {stage}")
    return 0 if run(context, target, address.rstrip("/"), wait=wait, as_json=as_json) else 1


def run(context: Context, target: Target, url: str, *, wait: float = 60, as_json: bool = False) -> bool:
    """Make the probes and show each.

    :param wait: seconds for a purchase to reach the topic; Stripe usually calls within a few.
    :return: whether all were well.
    """
    probes, remaining = [], _probes(target, url, wait)
    while True:
        with context.output.working("Asking the API", piped=False):
            probe = next(remaining, None)
        if probe is None:
            break
        probes.append(probe)
        if not as_json:
            context.output.mark("ok" if probe.ok else "fail", f"{probe.probe:<20} {probe.text}", probe.remedy)
    well = all(probe.ok for probe in probes)
    if as_json:
        context.output.json({"stage": target.stage, "url": url, "ok": well, "probes": [asdict(it) for it in probes]})
    return well


def _probes(target: Target, url: str, wait: float) -> Iterator[Probe]:
    logs = f"aws logs tail /aws/lambda/{target.function_name} --since 5m"
    health = signed_http.call(target, "GET", f"{url}/health")
    yield _probe(
        "health", health, health.status == 200 and health.body == {**_of(health), "stage": target.config.stage}, logs
    )
    quote = signed_http.call(target, "GET", f"{url}/billing/quote?storage={_NOTES}")
    right = quote.status == 200 and _of(quote).get("amount") == pricing.calculate_amount(_NOTES)
    yield _probe("quote", quote, right, logs)
    body = {"source": "tok_visa", "storage": _NOTES}
    refused = signed_http.call(target, "POST", f"{url}/billing", body, sign=False)
    yield _probe(
        "unsigned purchase",
        refused,
        refused.status == 403,
        "Anybody can charge cards: the route lacks its authorizer. Undo the change to app.py, and deploy.",
    )
    if not target.config.livemode:
        yield from _purchase(target, url, body, logs, wait)


def _purchase(target: Target, url: str, body: object, logs: str, wait: float) -> Iterator[Probe]:
    topic = f"arn:aws:sns:{target.region}:{target.home.account}:{target.config.note_purchased_topic}"
    with topic_probe.listening(target, topic) as listener:
        paid = signed_http.call(target, "POST", f"{url}/billing", body, Idempotency_Key=str(uuid.uuid4()))
        yield _probe("purchase", paid, paid.status == 200 and _of(paid).get("status") == "succeeded", logs)
        if paid.status != 200:
            return
        payment = str(_of(paid)["id"])
        told = listener.wait_for(payment, wait)
        if told is None:
            remedy = (
                f"stagectl doctor --stage {target.stage} checks the webhook; Stripe's dashboard shows its attempts."
            )
            yield Probe("announced", False, f"{payment} did not reach the topic.", remedy)
        else:
            yield Probe("announced", True, f"{payment} reached the topic as {told['event']}.")


def _probe(name: str, answer: Response, well: bool, remedy: str) -> Probe:
    code = _of(answer).get("code") or _of(answer).get("message") or ""
    text = f"{answer.status}{f' {code}' if code else ''} in {answer.milliseconds:.0f} ms"
    return Probe(name, well, text, "" if well else remedy)


def _of(answer: Response) -> dict[str, object]:
    return answer.body if isinstance(answer.body, dict) else {}
