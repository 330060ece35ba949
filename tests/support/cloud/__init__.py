"""An emulated cloud for the tests: AWS accounts, Lambda, API Gateway, Stripe, and an internet between them. ::

    with Cloud(stack) as cloud:
        production = cloud.account()
        subprocess.run(["chalice", "deploy", "--stage", "prod"], env=production.environment())
        cloud.request("GET", f"{url}/health")

moto has the state. The features that it lacks are added while the cloud is open.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cloud.accounts import Account
from tests.support.cloud.enforcement import enforce
from tests.support.cloud.functions import Functions
from tests.support.cloud.gateway import HOSTS, Gateway
from tests.support.cloud.internet import Internet
from tests.support.cloud.signatures import Signer
from tests.support.cloud.stacks import Stacks
from tests.support.stack import Stack

__all__ = ["Account", "Cloud"]

# Variables of the shell that would make a command use another stage, account or Stripe.
_NOT_INHERITED = re.compile(
    r"AWS_|STAGE$|RESOURCES_STAGE$|STRIPE_|SSL_CERT|REQUESTS_CA|PYTHONPATH$|.*_proxy$", re.IGNORECASE
)


class Cloud:
    """The emulated cloud, on a stack's AWS and Stripe."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._folder = tempfile.TemporaryDirectory(prefix="notes-billing-cloud-")
        folder = Path(self._folder.name)
        self.functions = Functions(folder, self._container_environment)
        self.gateway = Gateway(self.functions)
        hosts = {"api.stripe.com": ("127.0.0.1", stack.stripe.port), HOSTS: self.gateway.address}
        self.internet = Internet(folder, hosts)
        self._accounts: dict[str, Account] = {}
        self.stacks = Stacks(lambda account, region, service: self._accounts[account].client(service, region))
        self._patch = pytest.MonkeyPatch()  # the whole process shares moto's classes

    def __enter__(self) -> "Cloud":
        enforce(self._patch)
        self.functions.connect(self._patch)
        self.stacks.connect(self._patch)
        self.gateway.start(self._patch)
        self.internet.proxy.__enter__()
        self._patch.setattr(self.stack.stripe.webhooks, "connect", self.internet.connection)
        return self

    def __exit__(self, *_: object) -> None:
        self.stacks.wait()
        self.functions.stop()
        self.internet.proxy.__exit__()
        self.gateway.stop()
        self._patch.undo()
        self._folder.cleanup()

    def reset(self) -> None:
        """Delete the records of earlier requests. Deployments and accounts stay."""
        self.stack.reset()
        self.stack.published.clear()
        self.internet.refused.clear()
        self.stacks.pace = 0.0
        self.stacks.wait()

    def account(self) -> Account:
        """Return a new AWS account."""
        environment = {
            **{name: value for name, value in os.environ.items() if not _NOT_INHERITED.match(name)},
            **self.internet.environment(),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PYTHONUNBUFFERED": "1",
        }
        account = Account(f"{secrets.randbelow(10**12):012}", self.stack.aws.url, environment)
        self._accounts[account.id] = account
        return account

    def request(
        self,
        method: str,
        url: str,
        signed_by: Account | None = None,
        spoiled: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> requests.Response:
        """Send a request over the emulated internet, signed by an account's operator if one is given.

        :param spoiled: errors of the signature; see :class:`Signer`.
        """
        internet = self.internet.environment()
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"https": internet["HTTPS_PROXY"]}
            session.verify = internet["SSL_CERT_FILE"]
            auth = Signer(signed_by, **spoiled or {}) if signed_by else None
            return session.request(method, url, auth=auth, timeout=60, **arguments)

    def _container_environment(self) -> dict[str, str]:
        return {**self.internet.environment(), "AWS_ENDPOINT_URL": self.stack.aws.url}
