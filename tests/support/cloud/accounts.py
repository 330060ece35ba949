"""AWS accounts of the emulated cloud, and their operators."""

import json
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from moto.iam.models import iam_backends

from tests.support.cloud.principals import PARTITION

REGION = "us-east-1"
_EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


class Account:
    """An AWS account with an operator who may do everything except what :meth:`deny` denies."""

    def __init__(self, account_id: str, url: str, environment: dict[str, str]) -> None:
        """Create the operator and an access key, by which moto finds the account.

        :param url: moto's.
        :param environment: of the operator's processes, without credentials.
        """
        self.id = account_id
        self._url, self._environment = url, environment
        self._iam = iam_backends[account_id][PARTITION]
        self._iam.create_user(REGION, "operator")
        self.key = self._iam.create_access_key("operator")
        self.deny()

    def environment(self) -> dict[str, str]:
        """Return the environment of a command that the operator runs."""
        return {
            **self._environment,
            "AWS_ACCESS_KEY_ID": self.key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.key.secret_access_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self._url,
        }

    @cache  # noqa: B019 - accounts live as long as the run
    def client(self, service: str, region: str = REGION) -> Any:
        """Return boto3's client of a service, as the operator."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self._url,
            aws_access_key_id=self.key.access_key_id,
            aws_secret_access_key=self.key.secret_access_key,
            config=Config(proxies={}),
        )

    def deny(self, *actions: str) -> None:
        """Deny the operator actions, such as ``ssm:PutParameter`` or ``cloudformation:*``, and allow all others."""
        denied = [{"Effect": "Deny", "Action": [*actions], "Resource": "*"}] if actions else []
        document = {"Version": "2012-10-17", "Statement": [_EVERYTHING, *denied]}
        self._iam.put_user_policy("operator", "operator", json.dumps(document))
