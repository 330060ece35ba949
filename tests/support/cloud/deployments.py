"""Stages deployed by `chalice deploy`, with the resources that they need."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import stripe

from devstack.stage_setup import WEBHOOK_EVENTS
from tests.support.cloud import Account, Cloud
from tests.support.stack import PROJECT

_SHIPPED = ("app.py", "chalicelib", "stagectl", ".chalice/config.json", "infrastructure")


def copy_of_the_project(folder: Path) -> Path:
    """Copy what is deployed, without requirements.txt, so that deploying downloads nothing."""
    (folder / ".chalice").mkdir(parents=True)
    policies = [f".chalice/{file.name}" for file in (PROJECT / ".chalice").glob("policy-*.json")]
    for name in (*_SHIPPED, *policies):
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (PROJECT / name).exists():
            shutil.copy(PROJECT / name, folder / name)
    return folder


def deploy(account: Account, folder: Path, stage: str) -> subprocess.CompletedProcess[str]:
    """Run `chalice deploy`."""
    chalice = Path(sys.executable).with_name("chalice")
    command = [chalice, "deploy", "--stage", stage]
    return subprocess.run(
        command, cwd=folder, env=account.environment(), capture_output=True, text=True, check=False, timeout=120
    )


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
    def mode(self) -> str:
        return "live" if self.stage == "prod" else "test"

    @property
    def purchase(self) -> dict[str, Any]:
        """A purchase that Stripe accepts in this stage's mode."""
        return {"source": "tok_live_visa" if self.mode == "live" else "tok_visa", "storage": 21}

    @cached_property
    def url(self) -> str:
        """The API's URL, without a trailing slash."""
        return str(self._deployed("rest_api")["rest_api_url"]).rstrip("/")

    def function(self, name: str = "api_handler") -> Any:
        """Return a function's configuration."""
        arn = next(r["lambda_arn"] for r in self._resources if r["name"] == name)
        return self.account.client("lambda").get_function_configuration(FunctionName=arn)

    def policies(self, function: str = "api_handler") -> list[Any]:
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
        self.put_secret(f"/stripeWebhookSecret/{self.resources_stage}", str(endpoint.secret))
        try:
            yield
        finally:
            endpoints.delete(endpoint.id)

    def put_secret(self, name: str, value: str) -> None:
        ssm = self.account.client("ssm")
        ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    @property
    def _resources(self) -> list[Any]:
        record = (self.folder / ".chalice" / "deployed" / f"{self.stage}.json").read_text()
        return list(json.loads(record)["resources"])

    def _deployed(self, kind: str) -> Any:
        return next(resource for resource in self._resources if resource["resource_type"] == kind)


class Deployments:
    """One deployment per stage, made at its first use."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._cloud, self._folder = cloud, folder
        self._made: dict[str, Deployment] = {}

    def of(self, stage: str) -> Deployment:
        if stage not in self._made:
            self._made[stage] = self._make(stage)
        return self._made[stage]

    def _make(self, stage: str) -> Deployment:
        account, stack = self._cloud.account(), self._cloud.stack
        folder = copy_of_the_project(self._folder / stage)
        resources_stage, mode = ("prod", "live") if stage == "prod" else ("dev", "test")
        account.client("sns").create_topic(Name=f"NotePurchased-{resources_stage}")
        key = stack.issue_key(mode=mode)
        account.client("ssm").put_parameter(Name=f"/stripeSecretKey/{mode}", Value=key, Type="SecureString")
        before = stack.reads()
        deployed = deploy(account, folder, stage)
        assert deployed.returncode == 0, deployed.stderr
        assert stack.reads() == before  # the deploy imports app.py, which must read no secret
        return Deployment(self._cloud, account, folder, stage, key, deployed.stdout + deployed.stderr)
