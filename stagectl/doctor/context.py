"""What checks look at and return. AWS is asked for each fact once, when a check first needs it."""

import shlex
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, TypeVar, cast

from stagectl import deployed, secrets_store
from stagectl.deployed import Api, Function
from stagectl.output import Level
from stagectl.secrets_store import Version
from stagectl.stack import Stack
from stagectl.target import Target

Fetch = TypeVar("Fetch", bound=Callable[..., Any])


@dataclass(frozen=True)
class Verdict:
    """The result of a check.

    ``check``: its name, which the runner adds. ``remedy``: what to do; empty if nothing is wrong, or if ``command`` is
    enough. ``command``: to paste. Lines are alternatives; steps are joined by ``&&`` on one line, because a step that
    prompts would read a second pasted line as its input.
    """

    check: str = field(default="", kw_only=True)
    level: Level
    text: str
    remedy: str = ""
    command: str = ""


# "warn": purchases work, but the operator should look at it.
ok, warn, fail = partial(Verdict, "ok"), partial(Verdict, "warn"), partial(Verdict, "fail")


def fetch_once(fetch: Fetch) -> Fetch:
    """Fetch a fact of a context at the first call, and return or raise the same at each later one.

    An error counts too, so that only one check waits for an unreachable service.
    """

    @wraps(fetch)
    def fact(context: "CheckContext", *arguments: Any) -> Any:
        key = (fetch, *arguments)
        if key not in context.facts:
            context.facts[key] = Future()
            try:
                context.facts[key].set_result(fetch(context, *arguments))
            except Exception as error:  # noqa: BLE001 - result() raises it
                context.facts[key].set_exception(error)
        return context.facts[key].result()

    return cast(Fetch, fact)


class CheckContext:
    """A stage, its configuration, and the facts that several checks need."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.config = target.config
        self.facts: dict[object, Future[Any]] = {}

    def stagectl(self, command: str, *, stage: str | None = None) -> str:
        """Return a `stagectl` command line that uses the same credentials.

        :param command: such as ``secrets put``.
        :param stage: the stage under check if left out.
        """
        return f"stagectl{self._profile} {command} --stage {stage or self.target.stage}"

    def aws(self, command: str) -> str:
        """Return a command line of the AWS CLI for the same account and region."""
        return f"aws{self._profile} --region {self.target.region} {command}"

    @property
    def _profile(self) -> str:
        profile = self.target.profile
        return f" --profile {shlex.quote(profile)}" if profile else ""

    @fetch_once
    def secret(self, name: str) -> Version | None:
        """Fetch the current version of a secret, named as in SECRETS; None if it is not stored."""
        return secrets_store.current(self.target.client("ssm"), self.config.parameter(name))

    @fetch_once
    def function(self, name: str) -> Function | None:
        """Fetch a Lambda function's configuration; None if it is not deployed."""
        return deployed.function(self.target, name)

    @property
    def functions(self) -> list[tuple[Function, str]]:
        """The deployed functions, each with Chalice's name for it."""
        api, notify = self.function(self.target.function_name), self.function(self.target.notify_name)
        return [(function, name) for function, name in ((api, "api_handler"), (notify, "notify")) if function]

    @fetch_once
    def apis(self) -> list[Api]:
        """Fetch the REST APIs that call the stage's function."""
        return deployed.apis(self.target)

    @property
    def stack(self) -> Stack:
        """The CloudFormation stack of the stage's resources."""
        return Stack(self.target.client("cloudformation"), self.config.resources_stage, lambda _line: None)

    @fetch_once
    def stack_status(self) -> str | None:
        """Fetch the stack's status; None if there is no stack."""
        return self.stack.status()
