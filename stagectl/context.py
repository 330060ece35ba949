"""What the commands share: the credentials that were chosen, the output, and the option --stage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from chalicelib.aws.secret import SecretValue
from chalicelib.config import ConfigError
from stagectl import prompt, secrets_store, stages, target
from stagectl.errors import OperatorError
from stagectl.output import Output
from stagectl.target import Target


@dataclass(frozen=True)
class Context:
    """``profile``, ``region``: of the AWS configuration, None for the environment's."""

    profile: str | None
    region: str | None
    debug: bool
    output: Output

    def target(self, stage: str) -> Target:
        """Return a stage with these credentials, after checking that they are of its account.

        :raises OperatorError: they are not, or there is no such stage.
        """
        found = target.of(stage, self.profile, self.region)
        found.check_account()
        return found

    def claimed(self, stage: str) -> Target:
        """Do the same for a command that changes something: a stage that is not pinned yet is pinned."""
        found = target.of(stage, self.profile, self.region)
        if found.claim():
            resources = found.config.resources_stage
            self.output.note(f"{resources} is now pinned to account {found.home.account}, {found.home.region}.")
        return found


def _complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    try:
        return [name for name in stages.declared() if name.startswith(incomplete)]
    except ConfigError:
        return []  # a shell that completes is no place for an error


def stage_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --stage."""
    return click.option(
        "--stage", required=True, metavar="STAGE", shell_complete=_complete, help="A stage of .chalice/config.json."
    )(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --json, as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")(function)


def wait_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --wait."""
    return click.option(
        "--wait",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for each function to be seen using the key.",
    )(function)


def key_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --ask-key, for what the stage's own key should not be allowed to do."""
    return click.option(
        "--ask-key", is_flag=True, help="Use another Stripe key of the account, asked for and not stored."
    )(function)


def stripe_key(target: Target, ask: bool) -> SecretValue:
    """Return the Stripe key to work with: the stage's, or one that is asked for.

    :raises OperatorError: it is not stored, may not be read, or does not fit the stage.
    """
    name = target.config.parameter("stripe-key")
    if ask:
        value = prompt.secret(f"Stripe key of {target.stage}'s account, used once")
        secrets_store.check(target.config, "stripe-key", value)
        return value
    found = secrets_store.current(target.client("ssm"), name)
    if found is None:
        raise OperatorError(f"{name} is not stored.", f"stagectl secrets put --stage {target.stage}")
    if found.secret is None:
        raise OperatorError(
            f"These credentials may not read {name}.", "Let an administrator allow ssm:GetParameter, or give --ask-key."
        )
    return found.secret
