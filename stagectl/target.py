"""A stage in its AWS account: what every command works on."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib.config import StageConfig
from stagectl import accounts, stages
from stagectl.accounts import AccountRegion
from stagectl.errors import OperatorError, code_of

# Seconds. Operators wait at a terminal, and every command can be repeated.
_CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 5, "mode": "standard"})

_OTHER_KEY = {"prod": "/stripeSecretKey/test", "dev": "/stripeSecretKey/live"}


@dataclass
class Target:
    """A declared stage and the credentials to work on it with.

    ``stage``: its name. ``config``: as its functions see it. ``session``: boto3's, of the chosen profile.
    ``profile``: None if none was chosen and the environment decides.
    """

    stage: str
    config: StageConfig
    session: Any
    profile: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """The region in use."""
        return str(self.session.region_name)

    @property
    def function_name(self) -> str:
        """The Lambda function of the routes, as Chalice names it."""
        return f"{stages.APP_NAME}-{self.stage}"

    @property
    def notify_name(self) -> str:
        """The Lambda function that texts the admin."""
        return f"{self.function_name}-notify"

    @cached_property
    def identity(self) -> dict[str, str]:
        """Whose credentials these are: Account and Arn."""
        answer = self.client("sts").get_caller_identity()
        return {"Account": str(answer["Account"]), "Arn": str(answer["Arn"])}

    @property
    def home(self) -> AccountRegion:
        """The account and region in use."""
        return AccountRegion(self.identity["Account"], self.region)

    def client(self, service: str) -> Any:
        """Return boto3's client of a service, the same one each time."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service, config=_CLIENT_CONFIG)
        return self._clients[service]

    def check_account(self) -> None:
        """Check that the credentials are of the stage's account and the region is the stage's.

        :raises OperatorError: they are not.
        """
        unpinned = accounts.pinned(self.config.resources_stage) is None
        accounts.check(self.config.resources_stage, self.home, holds_other_key=unpinned and self._holds_other_key())

    def claim(self) -> bool:
        """Do the same before something is changed, and pin the stage if it is not pinned.

        :return: whether the stage was pinned just now.
        :raises OperatorError: the credentials are another account's.
        """
        self.check_account()
        if accounts.pinned(self.config.resources_stage) is not None:
            return False
        accounts.pin(self.config.resources_stage, self.home)
        return True

    def _holds_other_key(self) -> bool:
        name = _OTHER_KEY[self.config.resources_stage]
        filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
        try:
            pages = self.client("ssm").get_paginator("describe_parameters").paginate(ParameterFilters=filters)
            return any(page["Parameters"] for page in pages)  # a page can be empty and not the last
        except ClientError as error:
            if code_of(error) == "AccessDeniedException":
                return False  # whoever may not look is told of the parameters that the command itself needs
            raise


def of(stage: str, profile: str | None = None, region: str | None = None) -> Target:
    """Return a stage with the credentials to work on it. Calls nothing yet.

    :param stage: a declared stage.
    :param profile: of the AWS configuration; the environment's credentials if left out.
    :param region: the profile's, or the one the stage is pinned to, if left out.
    :raises OperatorError: there is no such stage, or no region.
    :raises ConfigError: the configuration makes no sense.
    """
    config = stages.config_of(stage)
    session = boto3.session.Session(profile_name=profile, region_name=region)
    if session.region_name is None:
        home = accounts.pinned(config.resources_stage)
        if home is None:
            raise OperatorError("No AWS region is set.", "Set AWS_DEFAULT_REGION, or give --region us-east-1.")
        session = boto3.session.Session(profile_name=profile, region_name=home.region)
    return Target(stage, config, session, profile)
