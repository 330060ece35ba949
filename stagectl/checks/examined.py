"""A stage under examination: what several checks look at is asked for once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chalicelib.parameter_store import Secret
from stagectl import deployed, endpoint, store
from stagectl.deployed import Api, Function
from stagectl.endpoint import Endpoint
from stagectl.output import Level
from stagectl.store import Version
from stagectl.target import Target


@dataclass(frozen=True)
class Finding:
    """What a check found. ``remedy``: what to do, empty where nothing is wrong."""

    check: str
    level: Level
    text: str
    remedy: str = ""


class Examined:
    """Asks AWS and Stripe at the first question, and remembers."""

    def __init__(self, target: Target) -> None:
        """Nothing is asked yet."""
        self.target = target
        self.config = target.config

    def client(self, service: str) -> Any:
        """Return boto3's client of a service."""
        return self.target.client(service)

    @cached_property
    def key(self) -> Version | None:
        """The stored Stripe key."""
        return store.current(self.client("ssm"), self.config.stripe_key_parameter)

    @cached_property
    def webhook_secret(self) -> Version | None:
        """The stored signing secret."""
        return store.current(self.client("ssm"), self.config.webhook_secret_parameter)

    @cached_property
    def usable_key(self) -> Secret | None:
        """The Stripe key, if it is stored, may be read, and is of the stage's mode."""
        secret = self.key.secret if self.key else None
        if secret is None or self.config.key_misfit(secret.reveal()):
            return None
        return secret

    @cached_property
    def api_function(self) -> Function | None:
        """The function of the routes."""
        return deployed.function(self.target, self.target.function_name)

    @cached_property
    def notify_function(self) -> Function | None:
        """The function that texts the admin."""
        return deployed.function(self.target, self.target.notify_name)

    @property
    def functions(self) -> list[Function]:
        """The functions that are deployed."""
        return [found for found in (self.api_function, self.notify_function) if found]

    @cached_property
    def apis(self) -> list[Api]:
        """The REST APIs in front of the function."""
        return deployed.apis(self.target)

    @cached_property
    def endpoints(self) -> list[Endpoint]:
        """The stage's webhook endpoints at Stripe."""
        assert self.usable_key
        return endpoint.of_stage(self.target, self.usable_key, self.apis[0].url if self.apis else None)
