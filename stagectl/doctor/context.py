"""A stage under examination: what several checks look at is asked for once."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import stripe

from chalicelib.aws.secret import SecretValue
from operations import stripe_account, webhook_endpoint
from operations.webhook_endpoint import Endpoint
from stagectl import deployed, secrets_store
from stagectl.deployed import Api, Function
from stagectl.errors import OperatorError
from stagectl.output import Level
from stagectl.secrets_store import Version
from stagectl.stack import Stack
from stagectl.target import Target

T = TypeVar("T")


@dataclass(frozen=True)
class Verdict:
    """The result of a check. ``remedy``: what to do, empty if nothing is wrong. ``command``: to paste, if any."""

    level: Level
    text: str
    remedy: str = ""
    command: str = ""


def ok(text: str) -> Verdict:
    """Return a verdict: nothing is wrong."""
    return Verdict("ok", text)


def warn(text: str, remedy: str, command: str = "") -> Verdict:
    """Return a verdict: something needs a look, but purchases go on."""
    return Verdict("warn", text, remedy, command)


def fail(text: str, remedy: str, command: str = "") -> Verdict:
    """Return a verdict: something is wrong."""
    return Verdict("fail", text, remedy, command)


class Once(Generic[T]):
    """A property that asks at the first question, and gives the same answer ever after, an error too.

    Whoever can't be reached is waited for once, and not by every check.
    """

    def __init__(self, ask: Callable[["CheckContext"], T]) -> None:
        self._ask = ask
        self.__doc__ = ask.__doc__

    def __get__(self, examined: "CheckContext", _owner: object = None) -> T:
        """Return the answer, or raise the error that it was."""
        if self not in examined.answers:
            try:
                examined.answers[self] = self._ask(examined)
            except Exception as error:  # noqa: BLE001 - raised below, each time it is asked
                examined.answers[self] = _Raised(error)
        answer: T | _Raised = examined.answers[self]
        if isinstance(answer, _Raised):
            raise answer.error
        return answer


@dataclass(frozen=True)
class _Raised:
    error: Exception


class CheckContext:
    """Asks AWS and Stripe at the first question, and remembers."""

    def __init__(self, target: Target) -> None:
        """Nothing is asked yet."""
        self.target = target
        self.config = target.config
        self.answers: dict[object, Any] = {}

    def client(self, service: str) -> Any:
        """Return boto3's client of a service."""
        return self.target.client(service)

    def stagectl(self, command: str, *, stage: str | None = None) -> str:
        """Return a command line that does something about the stage with the same credentials.

        :param command: such as ``secrets put``.
        :param stage: another one than that under examination.
        """
        return f"stagectl{self._profile} {command} --stage {stage or self.target.stage}"

    def aws(self, command: str) -> str:
        """Return a command line of the AWS CLI, for the same account and region."""
        return f"aws{self._profile} --region {self.target.region} {command}"

    @property
    def _profile(self) -> str:
        profile = self.target.profile
        return f" --profile {shlex.quote(profile)}" if profile else ""

    @Once
    def key(self) -> Version | None:
        """The stored Stripe key."""
        return secrets_store.current(self.client("ssm"), self.config.parameter("stripe-key"))

    @Once
    def webhook_secret(self) -> Version | None:
        """The stored signing secret."""
        return secrets_store.current(self.client("ssm"), self.config.parameter("webhook-secret"))

    @Once
    def fitting_key(self) -> SecretValue | None:
        """The Stripe key, if it is stored, may be read, and is of the stage's mode."""
        secret = self.key.secret if self.key else None
        if secret is None or self.config.validate("stripe-key", secret.reveal()):
            return None
        return secret

    @Once
    def usable_key(self) -> SecretValue | None:
        """The fitting key, if Stripe accepts it."""
        if self.fitting_key is None:
            return None
        try:
            stripe_account.verify(self.config, self.fitting_key)
        except OperatorError:
            return None
        return self.fitting_key

    @Once
    def api_function(self) -> Function | None:
        """The function of the routes."""
        return deployed.function(self.target, self.target.function_name)

    @Once
    def notify_function(self) -> Function | None:
        """The function that texts the admin."""
        return deployed.function(self.target, self.target.notify_name)

    @property
    def functions(self) -> list[tuple[Function, str]]:
        """The functions that are deployed, each with Chalice's name for it."""
        named = ((self.api_function, "api_handler"), (self.notify_function, "notify"))
        return [(function, name) for function, name in named if function]

    @Once
    def apis(self) -> list[Api]:
        """The REST APIs in front of the function."""
        return deployed.apis(self.target)

    @property
    def stack(self) -> Stack:
        """The stack of the topic, the alarms and the dashboard."""
        return Stack(self.client("cloudformation"), self.config.resources_stage, lambda _line: None)

    @Once
    def stack_status(self) -> str | None:
        """What CloudFormation says of that stack; None if there is none."""
        return self.stack.status()

    @Once
    def endpoints(self) -> list[Endpoint] | None:
        """The stage's webhook endpoints at Stripe; None if the key may not look at them."""
        assert self.usable_key
        try:
            return webhook_endpoint.of_stage(self.target, self.usable_key, self.apis[0].url if self.apis else None)
        except stripe.PermissionError:
            return None
