"""Stages deployed by `chalice deploy`, with the resources that they need."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stripe

from devstack.stage_setup import WEBHOOK_EVENTS
from tests.support.cloud import Account, Cloud
from tests.support.stack import PROJECT


@dataclass(frozen=True)
class Deployment:
    """A stage in a separate account. ``output``: of the deploy command."""

    cloud: Cloud
    account: Account
    folder: Path
    stage: str
    key: str
    output: str

    @property
    def resources_stage(self) -> str:
        return "prod" if self.stage == "prod" else "dev"

    @property
    def purchase(self) -> dict[str, Any]:
        """A purchase that Stripe accepts in this stage's mode."""
        return {"source": "tok_live_visa" if self.stage == "prod" else "tok_visa", "storage": 21}

    @property
    def url(self) -> str:
        """The API's URL, without a trailing slash."""
        return str(self._deployed("rest_api")["rest_api_url"]).rstrip("/")

    def function(self, name: str = "api_handler") -> Any:
        """Return a function's configuration."""
        arn = self._deployed(name)["lambda_arn"]
        return self.account.client("lambda").get_function_configuration(FunctionName=arn)

    def policies(self, function: str) -> list[Any]:
        """Return the policies of a function's role in AWS."""
        iam, role = self.account.client("iam"), self.function(function)["Role"].rpartition("/")[2]
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        return [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]

    @contextlib.contextmanager
    def webhook(self) -> Iterator[None]:
        """Send Stripe's events to this stage, with the endpoint's signing secret in Parameter Store."""
        stack = self.cloud.stack
        endpoints = stripe.StripeClient(self.key, base_addresses={"api": stack.stripe.url}).v1.webhook_endpoints
        endpoint = endpoints.create({"url": f"{self.url}/stripe/webhook", "enabled_events": WEBHOOK_EVENTS})
        name = f"/stripeWebhookSecret/{self.resources_stage}"
        ssm = self.account.client("ssm")
        ssm.put_parameter(Name=name, Value=str(endpoint.secret), Type="SecureString", Overwrite=True)
        try:
            yield
        finally:
            endpoints.delete(endpoint.id)

    def _deployed(self, name: str) -> Any:
        record = json.loads((self.folder / ".chalice" / "deployed" / f"{self.stage}.json").read_text())
        return next(resource for resource in record["resources"] if resource["name"] == name)


# Deploys a stage at its first use.
Deployments = Callable[[str], Deployment]


def deploy(cloud: Cloud, folder: Path, stage: str) -> Deployment:
    """Deploy a stage from a new folder into a new account."""
    account, stack = cloud.account(), cloud.stack
    _copy_project(folder)
    resources_stage, mode = ("prod", "live") if stage == "prod" else ("dev", "test")
    account.client("sns").create_topic(Name=f"NotePurchased-{resources_stage}")
    key = stack.issue_key(mode=mode)
    account.client("ssm").put_parameter(Name=f"/stripeSecretKey/{mode}", Value=key, Type="SecureString")
    before = stack.reads()
    command = [Path(sys.executable).with_name("chalice"), "deploy", "--stage", stage]
    done = subprocess.run(
        command, cwd=folder, env=account.environment(), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert stack.reads() == before  # the deploy imports app.py, which must read no secret
    return Deployment(cloud, account, folder, stage, key, done.stdout + done.stderr)


def _copy_project(folder: Path) -> None:
    """Copy what is deployed, without requirements.txt, so that deploying downloads nothing."""
    folder.mkdir()
    shutil.copy(PROJECT / "app.py", folder)
    for name in ("chalicelib", "stagectl", ".chalice"):
        ignored = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "accounts.json")
        shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
