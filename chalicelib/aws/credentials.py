"""The environment's settings for calls to AWS: endpoint, region, credentials; and for all calls: proxy and CA file."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple


class Network(NamedTuple):
    """How this machine reaches others. Empty fields: directly, and with the usual CA certificates.

    ``ca_file``: the CA certificates to verify servers with (``SSL_CERT_FILE``, as for OpenSSL). ``proxy``: for https
    (``HTTPS_PROXY``). ``no_proxy``: the hosts to reach directly, separated by commas (``NO_PROXY``).
    """

    ca_file: str = ""
    proxy: str = ""
    no_proxy: str = ""


def read_network(environ: Mapping[str, str] = os.environ) -> Network:
    """Read the proxy and CA settings. The proxy variables' lower-case names take precedence, as for curl."""
    return Network(
        ca_file=environ.get("SSL_CERT_FILE", ""),
        proxy=environ.get("https_proxy") or environ.get("HTTPS_PROXY", ""),
        no_proxy=environ.get("no_proxy") or environ.get("NO_PROXY", ""),
    )


class AwsAccess(NamedTuple):
    """Where an AWS service is, and what signs calls to it. ``token``: empty for long-term credentials."""

    endpoint: str
    region: str
    key_id: str
    secret_key: str
    token: str
    network: Network

    def __repr__(self) -> str:
        return f"AwsAccess({self.endpoint!r}, {self.region!r}, {self.key_id!r})"


# Settings that only the SDK applies: they change a call's endpoint or its credentials
# (https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html). The last one is set under `chalice local`.
_FOR_THE_SDK = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_CHALICE_CLI_MODE",
)

# A signed request must not cross a network in clear text: plain http is for loopback only.
_SAFE_ENDPOINT = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")

# The partitions aws and aws-us-gov, whose addresses end in amazonaws.com.
_REGION = re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx)-(?:gov-)?[a-z]+-[0-9]")


def resolve_access(service: str, environ: Mapping[str, str] = os.environ) -> AwsAccess | None:
    """Read the variables that Lambda sets for calls to AWS
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).

    :param service: as in the service's host name, such as ``ssm``.
    :return: None if the environment alone does not determine the call, so that it needs the SDK.
    """
    key_id, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "")
    if not (key_id and secret_key and _REGION.fullmatch(region)) or any(environ.get(name) for name in _FOR_THE_SDK):
        return None
    endpoint = environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environ.get("AWS_ENDPOINT_URL")
    endpoint = (endpoint or f"https://{service}.{region}.amazonaws.com").rstrip("/")
    if not _SAFE_ENDPOINT.fullmatch(endpoint):
        return None
    network = read_network(environ)
    network = network._replace(ca_file=environ.get("AWS_CA_BUNDLE") or network.ca_file)
    return AwsAccess(endpoint, region, key_id, secret_key, environ.get("AWS_SESSION_TOKEN", ""), network)
