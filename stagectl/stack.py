"""The CloudFormation stack of a stage's resources: topic, alarms, dashboard."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from stagectl import project
from stagectl.aws_errors import code_of, ignore_error
from stagectl.operator_error import OperatorError

_PAUSE = 2.0  # seconds between two requests
_TIMEOUT = 900.0  # seconds

# After a failed attempt the stack can only be deleted (CloudFormation user guide, stack status codes).
_UNUSABLE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


class Stack:
    """The stack of the stages that use one stage's resources."""

    def __init__(self, cloudformation: Any, resources_stage: str, progress: Callable[[str], None]) -> None:
        """:param cloudformation: boto3's client.
        :param resources_stage: prod or dev.
        :param progress: gets a line for each resource that is created, changed or deleted.
        """
        self._app_name = project.current().app_name
        self.name = f"{self._app_name}-{resources_stage}"
        self._cloudformation = cloudformation
        self._resources_stage = resources_stage
        self._progress = progress
        self._seen: set[str] | None = None  # the ids of the events before this change, and of those reported
        self._reasons: list[str] = []  # why the change that is waited for failed, oldest first

    def status(self) -> str | None:
        """Fetch the stack's status, such as CREATE_COMPLETE; None if there is no stack."""
        try:
            (stack,) = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if code_of(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else str(stack["StackStatus"])

    def up(self, alarm_email: str | None) -> bool:
        """Create or update the stack from the template.

        :param alarm_email: receives the alarms; None keeps the address in use.
        :return: whether anything was changed.
        :raises OperatorError: it failed; CloudFormation rolls back.
        """
        before = self._wait()
        if before in _UNUSABLE:
            self._progress(f"deleting the remains of a failed attempt ({before})")
            self.down()
            before = None
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
        after = self._wait()
        if after not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise OperatorError(
                f"The stack {self.name} was not made: {self._reasons[0] if self._reasons else after}.",
                "If a topic or alarm of that name exists already, delete it. Then repeat:",
                f"stagectl resources up --stage {self._resources_stage}",
            )
        return True

    def down(self) -> bool:
        """Delete the stack and its resources.

        :return: whether it existed.
        :raises OperatorError: CloudFormation could not delete it.
        """
        if self._wait() is None:
            return False
        self._cloudformation.delete_stack(StackName=self.name)
        after = self._wait()
        if after is not None:
            raise OperatorError(
                f"The stack {self.name} was not deleted: {self._reasons[0] if self._reasons else after}.",
                "Delete it in CloudFormation's console, where you can retain what can't be deleted. Then repeat.",
            )
        return True

    def _arguments(self, alarm_email: str | None, *, exists: bool) -> dict[str, Any]:
        keep = alarm_email is None and exists
        email = {"UsePreviousValue": True} if keep else {"ParameterValue": alarm_email or ""}
        template = project.current().folder / "infrastructure" / f"{self._app_name}.yaml"
        return {
            "StackName": self.name,
            "TemplateBody": template.read_text(encoding="utf-8"),
            "Parameters": [
                {"ParameterKey": "Stage", "ParameterValue": self._resources_stage},
                {"ParameterKey": "AlarmEmail", **email},
            ],
            "Tags": [{"Key": "service", "Value": self._app_name}, {"Key": "stage", "Value": self._resources_stage}],
        }

    def _wait(self) -> str | None:
        """Wait until no change is in progress, reporting what happens, and return the stack's status."""
        deadline = time.monotonic() + _TIMEOUT
        self._reasons.clear()
        while True:
            status = self.status()
            self._report()
            if status is None or not status.endswith("_IN_PROGRESS"):
                return status
            if time.monotonic() > deadline:
                text = f"The stack is still {status} after {_TIMEOUT / 60:.0f} minutes."
                raise OperatorError(text, "CloudFormation continues. Repeat the command to wait for it.")
            time.sleep(_PAUSE)

    def _report(self) -> None:
        """Report the events since the last call. The first call reports none: they happened before this change."""
        events: list[dict[str, Any]] = []  # newest first
        with ignore_error("ValidationError"):
            events = self._cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        if self._seen is None:
            self._seen = {event["EventId"] for event in events}
        for event in reversed(events):
            if event["EventId"] in self._seen:
                continue
            self._seen.add(event["EventId"])
            name, status = event["LogicalResourceId"], event["ResourceStatus"]
            if name != self.name:
                self._progress(f"  {name}: {status}")
            if status.endswith("_FAILED") and "ResourceStatusReason" in event:
                self._reasons.append(f"{name}: {event['ResourceStatusReason'].rstrip('.')}")
