"""A deployed dev, as AWS and Stripe describe it to `stagectl`. For unit tests: nothing is called over a network."""

import base64
import json
import shutil
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jmespath
import pytest
import stripe
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from chalice.constants import LAMBDA_TRUST_POLICY

from chalicelib.telemetry import KEY_VERSION_FIELD
from operations import stripe_account, webhook_endpoint
from stagectl import project, stages
from stagectl.context import Context
from stagectl.output import Output
from stagectl.target import Target
from tests import PROJECT

ACCOUNT, REGION = "111111111111", "us-east-1"
KEY, SIGNING_SECRET = "/stripeSecretKey/test", "/stripeWebhookSecret/dev"
API, NOTIFY, STACK = "notes-billing-dev", "notes-billing-dev-notify", "notes-billing-dev"
ROLE = "notes-billing-dev-api_handler"
URL = f"https://api1.execute-api.{REGION}.amazonaws.com/api"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:NotePurchased-dev"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
STORED_KEY, NEW_KEY, LIVE_KEY = "sk_test_stored00", "sk_test_new00000", "sk_live_stored00"
PERMISSIONS = {"payment_intents", "charges", "webhook_endpoints"}

_NOT_FOUND = {
    "cloudformation": "ValidationError",
    "iam": "NoSuchEntity",
    "lambda": "ResourceNotFoundException",
    "sns": "NotFound",
    "ssm": "ParameterNotFound",
}

Responses = dict[str, Callable[[Any], Any]]


class FakeDev:
    """The state of an account at AWS and of one at Stripe, in which dev is deployed and healthy.

    ``calls``: the operations of AWS that were called, such as ``ssm.put_parameter``. ``errors``: what one raises.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.region_name, self.account = folder, REGION, ACCOUNT
        self.profile: str | None = None
        self.calls: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.endpoints_of_aws: dict[str, str] = {}
        self.more_responses: Responses = {}
        self.functions = {API: _function(API, "api_handler"), NOTIFY: _function(NOTIFY, "notify")}
        self.policies = {
            role: json.loads((folder / ".chalice" / file).read_text())
            for role, file in ((ROLE, "policy-dev.json"), (f"{API}-notify", "policy-dev-notify.json"))
        }
        self.extra_policies: list[str] = []
        self.attached: list[str] = []
        self.trust = {role: deepcopy(LAMBDA_TRUST_POLICY) for role in self.policies}
        self.not_allowed: list[str] = []  # actions that IAM's simulator denies the role
        self.apis, self.function_of_apis = ["api1"], API
        self.high_throughput = "true"
        self.stack_status: str | None = "CREATE_COMPLETE"
        self.topic: dict[str, str] | None = {"KmsMasterKeyId": "alias/aws/sns"}
        self.subscribed = [FUNCTION_ARN + NOTIFY]
        self.invokers = ["sns.amazonaws.com"]  # of notify
        self.parameters: dict[str, list[dict[str, Any]]] = {}
        self.store(KEY, STORED_KEY)
        self.store(SIGNING_SECRET, "whsec_0123456789abcdef", Description="Signing secret of the webhook endpoint we_1")
        self.used_versions = [1]  # the version of the key that each next invocation uses; the last one stays
        self.rejected: set[str] = set()  # keys that Stripe does not accept
        self.permissions = PERMISSIONS  # of every key at Stripe
        self.endpoints = [endpoint("we_1")]

    def store(self, name: str, value: str, **settings: Any) -> None:
        """Store a version of a parameter, with the settings of the last one."""
        versions = self.parameters.setdefault(name, [])
        before = versions[-1] if versions else {"Type": "SecureString", "KeyId": "alias/aws/ssm", "Description": ""}
        new = {"Name": name, "Value": value, "Version": len(versions) + 1, "LastModifiedUser": "arn:aws:iam:::user/op"}
        versions.append({**before, **new, "LastModifiedDate": datetime.now(timezone.utc), **settings})

    def values(self, parameter: str = KEY) -> list[str]:
        """Return the values of a parameter's versions, oldest first."""
        return [version["Value"] for version in self.parameters.get(parameter, [])]

    @property
    def context(self) -> Context:
        """The commands' context, with this as the session of every region."""
        return Context(self, debug=False, output=Output())  # type: ignore[arg-type]

    def target(self, stage: str = "dev") -> Target:
        return self.context.target(stage)

    def of(self, _default_region: Callable[[], str]) -> "FakeDev":
        return self

    def client(self, service: str, **_: Any) -> Any:
        return _Client(self, service)

    def get_credentials(self) -> Credentials:
        return Credentials("AKID", "none")

    def responses(self) -> Responses:
        """Return what responds to each operation of AWS. It gets the operation's parameters."""
        by_hand = [{"PolicyName": it, "PolicyArn": f"arn:aws:iam:::policy/{it}"} for it in self.attached]
        apis = [{"id": api, "name": "notes-billing"} for api in self.apis]
        uri = f"arn:aws:apigateway:{REGION}:lambda:path/functions/{FUNCTION_ARN}{self.function_of_apis}/invocations"
        routes = [{"resourceMethods": {"GET": {"methodIntegration": {"uri": uri}}}}]
        condition = {"ArnLike": {"AWS:SourceArn": TOPIC}}
        invokers = [{"Effect": "Allow", "Principal": {"Service": it}, "Condition": condition} for it in self.invokers]
        current = {name: versions[-1] for name, versions in self.parameters.items()}
        topics = {} if self.topic is None else {TOPIC: self.topic}
        stacks = {} if self.stack_status is None else {STACK: self.stack_status}
        return {
            "sts.get_caller_identity": lambda _: {
                "Account": self.account,
                "Arn": f"arn:aws:iam::{self.account}:user/op",
            },
            "lambda.get_function_configuration": lambda it: self.functions[it["FunctionName"]],
            "lambda.update_function_configuration": lambda it: self.functions[it["FunctionName"]].update(it),
            "lambda.invoke": lambda _: {"LogResult": base64.b64encode(self._log().encode()).decode()},
            "lambda.get_policy": lambda _: {"Policy": json.dumps({"Statement": invokers})},
            "apigateway.get_rest_apis": lambda _: {"items": apis},
            "apigateway.get_resources": lambda _: {"items": routes},
            "ssm.describe_parameters": lambda it: {
                "Parameters": [current[name] for name in it["ParameterFilters"][0]["Values"] if name in current]
            },
            "ssm.get_parameter": lambda it: {"Parameter": current[it["Name"]]},
            "ssm.get_parameter_history": lambda it: {"Parameters": self.parameters[it["Name"]]},
            "ssm.put_parameter": lambda it: self.store(
                it["Name"], it["Value"], **{name: it[name] for name in ("Type", "Description", "KeyId") if name in it}
            ),
            "ssm.get_service_setting": lambda _: {"ServiceSetting": {"SettingValue": self.high_throughput}},
            "iam.get_role": lambda it: {"Role": {"AssumeRolePolicyDocument": self.trust[it["RoleName"]]}},
            "iam.list_attached_role_policies": lambda it: {"AttachedPolicies": by_hand * (it["RoleName"] == ROLE)},
            "iam.list_role_policies": lambda it: {
                "PolicyNames": [it["RoleName"], *self.extra_policies * (it["RoleName"] == ROLE)]
            },
            "iam.get_role_policy": lambda it: {"PolicyDocument": self.policies[it["RoleName"]]},
            "iam.simulate_principal_policy": lambda it: {
                "EvaluationResults": [
                    {"EvalDecision": "implicitDeny" if it["ActionNames"][0] in self.not_allowed else "allowed"}
                ]
            },
            "kms.describe_key": lambda it: {"KeyMetadata": {"Arn": it["KeyId"], "KeyManager": "CUSTOMER"}},
            "cloudformation.describe_stacks": lambda it: {"Stacks": [{"StackStatus": stacks[it["StackName"]]}]},
            "sns.get_topic_attributes": lambda it: {"Attributes": topics[it["TopicArn"]]},
            "sns.list_subscriptions_by_topic": lambda _: {
                "Subscriptions": [{"Endpoint": arn, "SubscriptionArn": arn} for arn in self.subscribed]
            },
            **self.more_responses,
        }

    def _log(self) -> str:
        used = self.used_versions.pop(0) if len(self.used_versions) > 1 else self.used_versions[0]
        return json.dumps({KEY_VERSION_FIELD: used})

    def stripe(self, config: Any, key: Any) -> Any:
        """Return a client of Stripe with a key."""

        def call(resource: str, result: Any = None) -> Any:
            def respond(*_: Any) -> Any:
                if key.reveal() in self.rejected:
                    raise stripe.AuthenticationError("rejected", http_status=401)
                if resource not in self.permissions:
                    raise stripe.PermissionError(f"'rak_{resource}'", http_status=403)
                if result is None:
                    raise stripe.InvalidRequestError("no such object", "id", http_status=404)
                return result

            return SimpleNamespace(cancel=respond, list=respond, retrieve=respond)

        listed = SimpleNamespace(auto_paging_iter=lambda: iter(self.endpoints))
        results = {"balance": {}, "webhook_endpoints": listed}
        resources = {name: call(name, results.get(name)) for name in ("balance", *PERMISSIONS)}
        return SimpleNamespace(v1=SimpleNamespace(**resources))


def fake_dev(folder: Path, patch: pytest.MonkeyPatch) -> FakeDev:
    """Make a healthy dev, and a copy of `.chalice` in a folder, in which dev is pinned."""
    shutil.copytree(PROJECT / ".chalice", folder / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    copied = replace(project.current(), folder=folder)
    patch.setattr(project, "current", lambda: copied)
    (folder / ".chalice" / "accounts.json").write_text(json.dumps({"dev": {"account": ACCOUNT, "region": REGION}}))
    dev = FakeDev(folder)
    patch.setattr(stripe_account, "client", dev.stripe)
    return dev


def client_error(code: str, message: str = "", status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Operation")


def endpoint(name: str, **settings: Any) -> Any:
    """Make an endpoint of dev at Stripe."""
    mark = {"service": "notes-billing", "stage": "dev", "account": ACCOUNT, "region": REGION}
    own = {"url": URL + webhook_endpoint.PATH, "status": "enabled", "enabled_events": list(webhook_endpoint.EVENTS)}
    return SimpleNamespace(id=name, metadata=SimpleNamespace(to_dict=lambda: mark), **{**own, **settings})


def _function(name: str, chalice: str) -> dict[str, Any]:
    config = stages.chalice_config("dev", chalice)
    return {
        "FunctionName": name,
        "FunctionArn": FUNCTION_ARN + name,
        "Role": f"arn:aws:iam::{ACCOUNT}:role/{API}-{chalice}",
        "Environment": {"Variables": dict(config.environment_variables)},
        "Timeout": config.lambda_timeout,
        "MemorySize": config.lambda_memory_size,
        "TracingConfig": {"Mode": "Active"},
        "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
    }


class _Client:
    def __init__(self, dev: FakeDev, service: str) -> None:
        self._dev, self._service = dev, service
        self.meta = SimpleNamespace(endpoint_url=dev.endpoints_of_aws.get(service, f"https://{service}.amazonaws.com"))

    def __getattr__(self, operation: str) -> Any:
        def call(**parameters: Any) -> Any:
            name = f"{self._service}.{operation}"
            self._dev.calls.append(name)
            if name in self._dev.errors:
                raise self._dev.errors[name]
            respond = self._dev.responses()[name]
            try:
                return respond(parameters)
            except KeyError:
                raise client_error(_NOT_FOUND[self._service], "Stack does not exist") from None

        return call

    def get_waiter(self, _name: str) -> Any:
        return SimpleNamespace(wait=lambda **_: None)

    def get_paginator(self, operation: str) -> Any:
        def paginate(**parameters: Any) -> Any:
            response = getattr(self, operation)(**parameters)
            return SimpleNamespace(search=lambda expression: iter(jmespath.search(expression, response) or []))

        return SimpleNamespace(paginate=paginate)
