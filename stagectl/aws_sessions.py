"""boto3's sessions of one command. What a profile prompts for is read from the terminal, and asked once."""

from collections.abc import Callable
from typing import Any

import boto3
import botocore.session

from stagectl import prompt


class AwsSessions:
    """The sessions of a profile, one for each region."""

    def __init__(
        self, profile: str | None = None, region: str | None = None, ask: Callable[[str], str] = prompt.mfa_code
    ) -> None:
        """:param profile: of the AWS configuration; None for the environment's credentials.
        :param region: None for the profile's.
        :param ask: reads the MFA code of a role.
        """
        self.profile = profile
        self._region = region
        self._ask = ask
        self._assumed_roles: dict[str, Any] = {}  # their credentials, which the sessions share
        self._sessions: dict[str | None, Any] = {}

    def of(self, default_region: Callable[[], str]) -> Any:
        """Return a session, the same one for a region each time. Calls nothing.

        :param default_region: is called if neither the options nor the profile name a region.
        """
        session = self._session(self._region)
        return session if session.region_name else self._session(default_region())

    def _session(self, region: str | None) -> Any:
        if region not in self._sessions:
            core = botocore.session.get_session()
            session = boto3.session.Session(profile_name=self.profile, region_name=region, botocore_session=core)
            provider = core.get_component("credential_provider").get_provider("assume-role")
            provider.cache = self._assumed_roles
            # botocore has no public name for it. Its own prompt reads standard input if there is no terminal.
            provider._prompter = self._ask
            self._sessions[region] = session
        return self._sessions[region]
