"""The credentials, the output and the options that the commands share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from stagectl import deployed, project, stages, target
from stagectl.aws.secret import SecretValue
from stagectl.operator_error import OperatorError
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
        checked = target.of(stage, self.profile, self.region)
        checked.check_account()
        return checked

    def ensure_pinned(self, stage: str) -> Target:
        """Return a stage as :meth:`target` does, for a command that changes something, and pin it if needed."""
        checked = self.target(stage)
        if checked.ensure_pinned():
            pin = checked.account_region
            self.output.note(f"{checked.config.resources_stage} is now pinned to account {pin.account}, {pin.region}.")
        return checked

    def verify(self, config: Any, name: str, secret: SecretValue) -> None:
        """Have the issuer verify a secret, if the app has a check for it (VERIFY in operations).

        :param name: the name of a row of SECRETS.
        :raises OperatorError: the issuer does not accept it.
        """
        row = project.current().secret(name)
        check = project.hook("VERIFY").get(row.verify)
        if check:
            with self.output.working(f"Verifying the {row.label} with its issuer"):
                check(config, secret)


@dataclass(frozen=True)
class Step:
    """A step of a deploy. ``before``, ``after``: of an app's step, the name of the core step that it is next to."""

    name: str
    about: str
    run: Callable[[Context, Target], None]
    before: str = ""
    after: str = ""


class Names(click.Choice[str]):
    """A choice of names that the project defines. They are unknown until a project is loaded."""

    def __init__(self, names: Callable[[], list[str]], *, is_checked: bool = True) -> None:
        """:param is_checked: whether click rejects another name; if not, the command does."""
        self._names, self._is_checked, self.case_sensitive = names, is_checked, True

    @property
    def choices(self) -> list[str]:  # type: ignore[override]
        """The names; none without a valid project, so that --help and completion work there too."""
        try:
            return self._names()
        except OperatorError:
            return []

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, if it is one of the choices."""
        return super().convert(value, param, ctx) if self._is_checked else value

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """Return the choices on one line."""
        return (super().get_missing_message(param, ctx) or "").replace("\n\t", " ")


def _secret_names() -> list[str]:
    return [row.name for row in project.current().config.SECRETS]


# Options and arguments that several commands share. Without KIND a command works on the first secret.
stage_option = click.option(
    "--stage", required=True, type=Names(stages.declared, is_checked=False), help="A stage of .chalice/config.json."
)
secret_argument = click.argument("kind", type=Names(_secret_names), default=lambda: _secret_names()[0])
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
no_verify_option = click.option("--no-verify", is_flag=True, help="Don't verify the value with its issuer.")
yes_option = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for each function to use the new version.",
)


def example(*commands: str) -> str:
    """Return the end of a command's --help: commands, each on a line of its own."""
    return "\n".join(("\b", "Example:", *(f"  {command}" for command in commands)))


def deployed_url(target: Target) -> str:
    """Return the address of the stage's API.

    :raises OperatorError: it is not deployed.
    """
    url = deployed.url(target)
    if url is None:
        raise OperatorError(f"{target.stage} is not deployed.", "Deploy it:", f"stagectl deploy --stage {target.stage}")
    return url
