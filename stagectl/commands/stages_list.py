"""`stagectl stages`: every stage on a line."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from stagectl import accounts, deployed, secrets_store, stages, target
from stagectl.ages import age
from stagectl.context import Context, json_option
from stagectl.errors import explain


@dataclass(frozen=True)
class Row:
    """What is known of a stage. ``note``: why the rest is not."""

    stage: str
    resources_stage: str
    parameter: str
    mode: str
    account: str | None
    region: str | None
    version: int | None = None
    age: str | None = None
    url: str | None = None
    note: str | None = None


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the group the options of this command."""
    return json_option(function)


def run(context: Context, as_json: bool) -> None:
    """Show the stages. Of those whose account the credentials are not of, only what the repository knows."""
    with context.output.working("Asking AWS"):
        rows = [_row(context, stage) for stage in stages.declared()]
    if as_json:
        context.output.json([asdict(row) for row in rows])
        return
    context.output.table(
        ("STAGE", "RESOURCES", "KEY PARAMETER", "MODE", "ACCOUNT", "SECRET", "URL"),
        [
            (
                row.stage,
                row.resources_stage,
                row.parameter,
                row.mode,
                f"{row.account} {row.region}" if row.account else None,
                f"version {row.version}, {row.age}" if row.version else row.note,
                row.url,
            )
            for row in rows
        ],
    )


def _row(context: Context, stage: str) -> Row:
    config = stages.config_of(stage)
    home = accounts.pinned(config.resources_stage)
    row = Row(
        stage,
        config.resources_stage,
        config.parameter("stripe-key"),
        "live" if config.livemode else "test",
        home.account if home else None,
        home.region if home else None,
    )
    try:
        found = target.of(stage, context.profile, context.region)
        if home is None:
            return Row(**{**asdict(row), "note": "not pinned"})
        if found.home != home:
            return Row(**{**asdict(row), "note": f"other credentials ({found.home.account} {found.home.region})"})
        secret = secrets_store.current(found.client("ssm"), config.parameter("stripe-key"))
        url = deployed.url(found)
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        return Row(**{**asdict(row), "note": known.what})
    if secret is None:
        return Row(**{**asdict(row), "url": url, "note": "not stored"})
    return Row(**{**asdict(row), "url": url, "version": secret.number, "age": age(secret.modified)})
