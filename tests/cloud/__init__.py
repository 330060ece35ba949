"""The cloud on one machine: AWS accounts, Lambda and API Gateway that work, Stripe, and an internet between them. ::

    with Cloud(stack) as cloud:
        production = cloud.account("111111111111")
        subprocess.run(["chalice", "deploy", "--stage", "prod"], env=production.environment())
        cloud.request("GET", f"{url}/health")

moto has the state; what it lacks is added to it for as long as the cloud is open.
"""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tests.cloud import events, gaps, rest_apis
from tests.cloud.accounts import Account
from tests.cloud.functions import Functions, scratch
from tests.cloud.gateway import HOSTS, Gateway
from tests.cloud.internet import Internet
from tests.cloud.replacements import Replacements
from tests.cloud.signing import Signer
from tests.cloud.stacks import Stacks
from tests.support.stack import Stack, logs, transcript

__all__ = ["Account", "Cloud"]

# Of a shell's environment, what would lead a command to another stage, account or Stripe.
_NOT_INHERITED = re.compile(
    r"AWS_|STAGE$|RESOURCES_STAGE$|STRIPE_|SSL_CERT|REQUESTS_CA|PYTHONPATH$|.*_proxy$", re.IGNORECASE
)


class Cloud:
    """All of it, over a stack's AWS and Stripe."""

    def __init__(self, stack: Stack) -> None:
        """Bind the ports."""
        self.stack = stack
        self._folder = scratch()
        folder = Path(self._folder.name)
        self.functions = Functions(folder, self._in_a_container, logs.append, transcript.append)
        self.gateway = Gateway(self.functions)
        stripe = "127.0.0.1", stack.stripe.port
        self.internet = Internet(folder, {r"api\.stripe\.com": stripe, HOSTS: self.gateway.address})
        self.stacks = Stacks()
        self._replacements = Replacements()

    def __enter__(self) -> "Cloud":
        gaps.fill(self._replacements)
        rest_apis.fill(self._replacements)
        events.connect(self._replacements, self.functions)
        self.stacks.connect(
            self._replacements, lambda account, region, service: self.account(account).client(service, region)
        )
        self.gateway.start()
        self.internet.start()
        self._connect = self.stack.stripe.webhooks.connect
        self.stack.stripe.webhooks.connect = self.internet.connection
        return self

    def __exit__(self, *_: object) -> None:
        self.stacks.wait()
        self.functions.stop()
        self.internet.stop()
        self.gateway.stop()
        self.stack.stripe.webhooks.connect = self._connect
        self._replacements.undo()
        self._folder.cleanup()

    def reset(self) -> None:
        """Forget what happened; what is deployed stays, and so do the accounts."""
        self.stack.reset()
        self.stack.published.clear()
        self.functions.invoked.clear()
        self.internet.refused.clear()
        self.stacks.pace = 0.0

    def account(self, account_id: str | None = None) -> Account:
        """Return an AWS account; twelve digits are all it takes to have one. Without an id, it is a new one."""
        inherited = {name: value for name, value in os.environ.items() if not _NOT_INHERITED.match(name)}
        environment = {
            **inherited,
            **self.internet.environment(),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PYTHONUNBUFFERED": "1",
        }
        return Account(account_id or f"{secrets.randbelow(10**12):012}", self.stack.aws.url, environment)

    def request(
        self,
        method: str,
        url: str,
        signed_by: Account | None = None,
        spoiled: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> requests.Response:
        """Make a request over the internet, signed by an account's operator if there is one.

        :param spoiled: what is wrong with the signature; see :class:`Signer`.
        """
        internet = self.internet.environment()
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"https": internet["HTTPS_PROXY"]}
            session.verify = internet["SSL_CERT_FILE"]
            auth = Signer(signed_by, **spoiled or {}) if signed_by else None
            return session.request(method, url, auth=auth, timeout=60, **arguments)

    def _in_a_container(self) -> dict[str, str]:
        return {**self.internet.environment(), "AWS_ENDPOINT_URL": self.stack.aws.url}
