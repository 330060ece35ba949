"""The CloudFormation stack of a stage's resources: topic, alarms, dashboard."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from stagectl.errors import OperatorError, code_of
from stagectl.stages import APP_NAME, FOLDER

_TEMPLATE = FOLDER / "infrastructure" / f"{APP_NAME}.yaml"
_PAUSE = 2.0  # seconds between two looks at the stack's events
_GIVE_UP = 900.0

# An attempt that failed leaves a stack that can only be deleted (CloudFormation user guide, stack status codes).
_DEAD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")

Progress = Callable[[str], None]


class Stack:
    """The stack of the stages that use one stage's resources."""

    def __init__(self, cloudformation: Any, resources_stage: str, progress: Progress) -> None:
        """Nothing is asked yet.

        :param cloudformation: boto3's client.
        :param resources_stage: prod or dev.
        :param progress: gets a line for each resource that is made, changed or deleted.
        """
        self.name = f"{APP_NAME}-{resources_stage}"
        self._cloudformation = cloudformation
        self._resources_stage = resources_stage
        self._progress = progress
        self._told: set[str] | None = None
        self._old: set[str] = set()

    def status(self) -> str | None:
        """Return the stack's status, such as CREATE_COMPLETE, or None if there is no stack."""
        found = self._described()
        return str(found["StackStatus"]) if found else None

    def up(self, alarm_email: str | None) -> bool:
        """Make the stack as the template has it.

        :param alarm_email: who is told of alarms; None for whoever is told now.
        :return: whether anything was changed.
        :raises OperatorError: it could not be made; CloudFormation takes back what was begun.
        """
        before = self._settled()
        if before in _DEAD:
            self._progress(f"deleting what an attempt left that failed ({before})")
            before = self._deleted()
            if before is not None:
                raise OperatorError(
                    f"The stack {self.name} can't be deleted: {self._reason() or before}.",
                    "Delete it in CloudFormation's console, where you can keep what does not go; then repeat.",
                )
        arguments = self._arguments(alarm_email, exists=before is not None)
        try:
            if before is None:
                self._cloudformation.create_stack(**arguments)
            else:
                self._cloudformation.update_stack(**arguments)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
        after = self._settled()
        if after not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise OperatorError(
                f"The stack {self.name} was not made: {self._reason() or after}.",
                "If a topic or alarm of that name exists already, delete it; then "
                f"stagectl resources up --stage {self._resources_stage}",
            )
        return True

    def down(self) -> bool:
        """Delete the stack and what it made.

        :return: whether there was one.
        :raises OperatorError: CloudFormation could not delete it.
        """
        if self._settled() is None:
            return False
        after = self._deleted()
        if after is not None:
            raise OperatorError(
                f"The stack {self.name} was not deleted: {self._reason() or after}.", "Mend that, and repeat."
            )
        return True

    def _described(self) -> dict[str, Any] | None:
        try:
            (found,) = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if code_of(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        return None if found["StackStatus"] == "DELETE_COMPLETE" else dict(found)

    def _arguments(self, alarm_email: str | None, *, exists: bool) -> dict[str, Any]:
        keep = alarm_email is None and exists
        email = {"UsePreviousValue": True} if keep else {"ParameterValue": alarm_email or ""}
        return {
            "StackName": self.name,
            "TemplateBody": _TEMPLATE.read_text(encoding="utf-8"),
            "Parameters": [
                {"ParameterKey": "Stage", "ParameterValue": self._resources_stage},
                {"ParameterKey": "AlarmEmail", **email},
            ],
            "Tags": [{"Key": "service", "Value": APP_NAME}, {"Key": "stage", "Value": self._resources_stage}],
        }

    def _deleted(self) -> str | None:
        self._cloudformation.delete_stack(StackName=self.name)
        return self._settled()

    def _settled(self) -> str | None:
        """Wait until nothing is under way, telling what happens, and return the stack's status."""
        give_up = time.monotonic() + _GIVE_UP
        while True:
            now = self.status()
            self._tell()
            if now is None or not now.endswith("_IN_PROGRESS"):
                return now
            if time.monotonic() > give_up:
                raise OperatorError(
                    f"The stack is still {now} after {_GIVE_UP / 60:.0f} minutes.", "Repeat; it goes on."
                )
            time.sleep(_PAUSE)

    def _tell(self) -> None:
        """Tell of what happened since the last time; the first time, of nothing: that was before."""
        events = self._events()
        if self._told is not None:
            for event in reversed(events):
                if event["EventId"] not in self._told and event["LogicalResourceId"] != self.name:
                    self._progress(f"  {event['LogicalResourceId']}: {event['ResourceStatus']}")
        else:
            self._old = {event["EventId"] for event in events}
        self._told = (self._told or set()) | {event["EventId"] for event in events}

    def _events(self) -> list[dict[str, Any]]:
        """Return the stack's events, newest first."""
        try:
            return list(self._cloudformation.describe_stack_events(StackName=self.name)["StackEvents"])
        except ClientError as error:
            if code_of(error) == "ValidationError":
                return []
            raise

    def _reason(self) -> str:
        """Return why this change failed: the oldest reason of its events, which the others follow from."""
        failed = [
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in self._events()
            if event["EventId"] not in self._old
            and event["ResourceStatus"].endswith("_FAILED")
            and "ResourceStatusReason" in event
        ]
        return failed[-1].rstrip(".") if failed else ""
