"""`stagectl secrets rotate`: when the old key is safe to revoke."""

import pytest
from botocore.exceptions import ClientError

from stagectl import rollout, stages
from stagectl.operator_error import OperatorError
from tests.support.fake_dev import API, KEY, LIVE_KEY, NEW_KEY, STORED_KEY, FakeDev, client_error
from tests.support.stagectl_run import run


def roll_out(dev: FakeDev, version: int = 2, wait: float = 10) -> None:
    rollout.roll_out(dev.context, dev.target(), "stripe-key", version, wait, pause=0)


@pytest.mark.parametrize(
    ("used", "invocations"), [([2], 3), ([1, 2], 4), ([2, 1, 2], 5), ([2, 2, 1, 2], 6), ([None, 3], 4)]
)
def test_a_function_uses_a_version_when_three_responses_in_a_row_do(dev: FakeDev, used: list[int], invocations: int):
    """One response may be a new container's, and the next one an old one's."""
    dev.used_versions = used
    roll_out(dev)
    assert dev.calls.count("lambda.invoke") == invocations


@pytest.mark.parametrize("used", [1, None], ids=["the old version", "no key"])
def test_a_function_that_does_not_use_the_version_in_time_is_an_error(dev: FakeDev, used: int | None):
    dev.used_versions = [used]
    with pytest.raises(OperatorError) as raised:
        roll_out(dev, wait=0.02)
    assert API in raised.value.what
    assert raised.value.command.startswith(f"aws logs tail /aws/lambda/{API} ")


@pytest.mark.parametrize(("used", "updates"), [(2, 0), (1, 1)])
def test_containers_are_replaced_once_unless_the_version_is_not_used(dev: FakeDev, used: int, updates: int):
    dev.used_versions = [2]
    roll_out(dev)
    dev.calls.clear()
    dev.used_versions = [used, 2]
    roll_out(dev)
    assert dev.calls.count("lambda.update_function_configuration") == updates


def test_the_functions_of_every_stage_with_the_same_parameter_are_rolled_out(dev: FakeDev):
    stages.add("featureX")
    branch = "notes-billing-featureX"
    dev.functions[branch] = {**dev.functions[API], "FunctionName": branch}
    dev.functions["notes-billing-prod"] = dev.functions[API].copy()
    dev.used_versions = [2]
    roll_out(dev)
    updated = [name for name, it in dev.functions.items() if "key: version 2," in it.get("Description", "")]
    assert updated == [API, branch]


def test_a_stage_that_is_not_deployed_has_nothing_to_wait_for(dev: FakeDev):
    dev.functions.clear()
    roll_out(dev)
    assert "lambda.invoke" not in dev.calls


def rotate(dev: FakeDev, key: str = NEW_KEY, wait: float = 60) -> str:
    return run(dev, "secrets", "rotate", "--stage", "dev", "--wait", str(wait), stdin=key)


@pytest.mark.parametrize("repeated", [False, True])
def test_the_old_key_is_named_when_it_is_safe_to_revoke(dev: FakeDev, repeated: bool):
    dev.used_versions, dev.rejected = [2], {STORED_KEY}  # it may have been revoked already
    shown = [rotate(dev) for _ in range(1 + repeated)][-1]
    assert dev.values() == [STORED_KEY, NEW_KEY]
    last_line, page = shown.splitlines()[-2:]
    assert f"…{STORED_KEY[-4:]}, version 1) is safe to revoke" in last_line
    assert page.strip() == "https://dashboard.stripe.com/test/apikeys"


@pytest.mark.parametrize("problem", ["not used", "not allowed"])
def test_the_old_key_is_not_safe_while_a_function_may_use_it(dev: FakeDev, capsys, problem: str):
    if problem == "not allowed":
        dev.errors["lambda.update_function_configuration"] = client_error("AccessDeniedException")
    with pytest.raises((OperatorError, ClientError)):
        rotate(dev, wait=0)
    shown = capsys.readouterr()
    assert "safe" not in shown.out
    assert "don't revoke" in shown.err


@pytest.mark.parametrize(
    ("key", "stored", "fact"),
    [(LIVE_KEY, True, "live key"), (NEW_KEY, True, "not accept"), (NEW_KEY, False, "not stored")],
    ids=["another mode", "revoked", "nothing to rotate"],
)
def test_a_rotation_that_cannot_succeed_changes_nothing(dev: FakeDev, key: str, stored: bool, fact: str):
    dev.rejected = {NEW_KEY}
    if not stored:
        dev.parameters.pop(KEY)
    (dev.folder / ".chalice" / "accounts.json").unlink()
    with pytest.raises(OperatorError, match=fact):
        rotate(dev, key)
    assert {"ssm.put_parameter", "lambda.update_function_configuration"} & {*dev.calls} == set()
    assert not (dev.folder / ".chalice" / "accounts.json").exists()
