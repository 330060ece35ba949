"""The credentials, the output and the options that the commands share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from stagectl import accounts, prompt, stages, target
from stagectl.aws_sessions import AwsSessions
from stagectl.operator_error import OperatorError
from stagectl.output import Output
from stagectl.target import Target


@dataclass(frozen=True)
class Context:
    """``sessions``: of the chosen profile."""

    sessions: AwsSessions
    debug: bool
    output: Output

    def target(self, stage: str) -> Target:
        """Return a stage with these credentials. See :func:`stagectl.target.of`."""
        return target.of(stage, self.sessions)

    def ensure_named(self, target: Target) -> None:
        """Pin a live stage if it is not pinned, before its key is entered."""
        if target.config.livemode:
            self.ensure_pinned(target)

    def ensure_pinned(self, target: Target) -> None:
        """Pin a stage if it is not pinned, before a command changes something of it.

        A test stage is pinned to the account of the credentials. That of a live stage has to be named.

        :raises OperatorError: it is named by nobody, or is not the credentials' account.
        """
        resources, actual = target.config.resources_stage, target.account_region
        if target.config.livemode and accounts.pinned(resources) is None:
            target.check_named(prompt.account_id(resources))
        target.check_account()  # again: another command may have pinned it during a prompt
        if accounts.pinned(resources) is None:
            accounts.pin(resources, actual)
            self.output.note(f"{resources} is now pinned to account {actual.account}, {actual.region}.")


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


# Options that several commands share.
stage_option = click.option(
    "--stage", required=True, type=Names(stages.declared, is_checked=False), help="A stage of .chalice/config.json."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
yes_option = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")


def example(*commands: str) -> str:
    """Return the end of a command's --help: commands, each on a line of its own."""
    return "\n".join(("\b", "Example:", *(f"  {command}" for command in commands)))


def stage_command(
    group: click.Group | None, name: str, *examples: str, entry: bool | str = False
) -> Callable[[Callable[..., int | None]], click.Command]:
    """Make a command on one stage of a function of the context, the target and the options below it.

    The function is called after a check of the target's account.

    :param group: what to add the command to; None if the caller adds it.
    :param entry: whether the operator enters a secret, or the name of the flag that makes the command read one. The
        function gets a SecretInput after the target; None without that flag.
    """
    as_command = group.command if group else click.command

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @wraps(function)
        def run(context: Context, /, stage: str, **options: Any) -> int | None:
            # First of all: what may prompt or call AWS must find nothing in the pipe.
            is_entered = options.pop(entry) if isinstance(entry, str) else entry
            entries = (prompt.SecretInput() if is_entered else None,) if entry else ()
            target = context.target(stage)
            target.check_account()
            return function(context, target, *entries, **options)

        return as_command(name, epilog=example(*examples))(stage_option(click.pass_obj(run)))

    return decorate
