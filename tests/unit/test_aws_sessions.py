"""The sessions of a command: for which region, and how often a code is asked for."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from stagectl.aws_sessions import AwsSessions

PROFILES = """
[profile base]
aws_access_key_id = AKIAX
aws_secret_access_key = secret
[profile mfa]
role_arn = arn:aws:iam::111111111111:role/deployer
source_profile = base
mfa_serial = arn:aws:iam::111111111111:mfa/me
[profile west]
region = eu-west-1
"""
ASSUMED = b"""<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAX</AccessKeyId>
<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


@pytest.fixture(autouse=True)
def _profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def test_a_code_is_asked_for_once_whatever_regions_a_command_uses():
    asked, sent = [], []

    def ask(text: str) -> str:
        asked.append(text)
        return "123456"

    def respond(request: Any, **_: object) -> AWSResponse:
        sent.append(str(request.body))
        return AWSResponse(request.url, 200, {}, HTTPResponse(BytesIO(ASSUMED), preload_content=False))

    sessions = AwsSessions("mfa", ask=ask)
    for region in ("us-east-1", "eu-west-1", "us-east-1"):
        session = sessions.of(lambda region=region: region)
        session.events.register("before-send.sts.AssumeRole", respond)
        assert session.get_credentials().get_frozen_credentials().access_key == "ASIAX"
    assert len(asked) == 1
    assert ["TokenCode=123456" in body for body in sent] == [True]


@pytest.mark.parametrize(
    ("profile", "option", "region"),
    [("west", None, "eu-west-1"), ("west", "us-west-2", "us-west-2"), ("mfa", None, "x")],
)
def test_the_region_is_the_options_the_profiles_or_the_default(profile: str, option: str | None, region: str):
    sessions = AwsSessions(profile, option)
    assert sessions.of(lambda: "x").region_name == region
    assert sessions.of(lambda: "x") is sessions.of(lambda: "x")
