"""CloudFormation's stacks, with an event for each resource, and a rollback when one fails.

moto creates a stack within the call, without events of its resources, and lacks alarms and subscriptions.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from moto.cloudformation.models import Event, Stack

from tests.support.cloudformation_template import Resource, read_resources


class Stacks:
    """Changes stacks. ``pace``: the seconds that each resource takes.

    At 0, a stack is complete when the call returns; otherwise it is created and updated in the background.
    """

    def __init__(self, client: Callable[[str, str, str], Any]) -> None:
        """:param client: makes the client of a service in an account and region."""
        self.pace = 0.0
        self._make_client = client
        self._threads: list[threading.Thread] = []

    def connect(self, patch: pytest.MonkeyPatch) -> None:
        """Make moto's stacks change in this way."""

        def create(stack: Stack) -> None:
            self._start(stack, "CREATE", lambda: self._change(stack, "CREATE", "ROLLBACK", before=None))

        def update(stack: Stack, template: str, _role: Any, parameters: dict[str, str], **_rest: Any) -> None:
            before = stack.template, stack.parameters
            _describe(stack, template, parameters)
            self._start(stack, "UPDATE", lambda: self._change(stack, "UPDATE", "UPDATE_ROLLBACK", before))

        def delete(stack: Stack) -> None:
            self._apply(stack, {})
            _set_status(stack, "DELETE_COMPLETE")

        patch.setattr(Stack, "create_resources", create)
        patch.setattr(Stack, "update", update)
        patch.setattr(Stack, "delete", delete)
        patch.setattr(Stack, "outputs", None)  # moto would create the resources that an output names

    def wait(self) -> None:
        """Wait until no stack is changing."""
        for thread in self._threads:
            thread.join()

    def _start(self, stack: Stack, kind: str, change: Callable[[], None]) -> None:
        _set_status(stack, f"{kind}_IN_PROGRESS")
        self._threads.append(threading.Thread(target=change, name="stack", daemon=True))
        self._threads[-1].start()
        if not self.pace:
            self.wait()

    def _change(self, stack: Stack, kind: str, rollback: str, before: tuple[Any, dict[str, str]] | None) -> None:
        try:
            self._apply(stack, _described(stack))
            _set_status(stack, f"{kind}_COMPLETE")
        except Exception as error:  # noqa: BLE001 - any error rolls the stack back
            _set_status(stack, f"{rollback}_IN_PROGRESS", str(error))
            if before:
                _describe(stack, *before)
            self._apply(stack, _described(stack) if before else {})
            _set_status(stack, f"{rollback}_COMPLETE")

    def _apply(self, stack: Stack, wanted: dict[str, Resource]) -> None:
        """Create, change and delete resources until the stack is as described."""
        made = _made(stack)
        for name, resource in wanted.items():
            if name not in made or made[name][0] != resource:
                self._make(stack, name, resource)
        for name in [name for name in reversed(made) if name not in wanted]:
            self._delete(stack, name)

    def _make(self, stack: Stack, name: str, resource: Resource) -> None:
        change = "UPDATE" if name in _made(stack) else "CREATE"
        if change == "UPDATE":
            self._delete(stack, name)
        _add_event(stack, name, resource.kind, f"{change}_IN_PROGRESS")
        time.sleep(self.pace)
        make, _ = _KINDS[resource.kind]
        try:
            _made(stack)[name] = resource, make(self._client(stack, resource.kind), resource.properties)
        except Exception as error:
            _add_event(stack, name, resource.kind, f"{change}_FAILED", str(error))
            raise
        _add_event(stack, name, resource.kind, f"{change}_COMPLETE")

    def _delete(self, stack: Stack, name: str) -> None:
        resource, physical_id = _made(stack).pop(name)
        _, delete = _KINDS[resource.kind]
        delete(self._client(stack, resource.kind), physical_id)
        _add_event(stack, name, resource.kind, "DELETE_COMPLETE")

    def _client(self, stack: Stack, kind: str) -> Any:
        return self._make_client(stack.account_id, stack.region_name, kind.split("::")[1].lower())


def _made(stack: Stack) -> dict[str, tuple[Resource, str]]:
    """Return the resources of a stack so far, each with its physical id."""
    return stack.__dict__.setdefault("made", {})


def _describe(stack: Stack, template: Any, parameters: dict[str, str]) -> None:
    stack.template, stack.parameters = template, parameters
    stack._parse_template()
    stack.resource_map = stack._create_resource_map()


def _described(stack: Stack) -> dict[str, Resource]:
    return read_resources(str(stack.template), stack.parameters, stack.account_id, stack.region_name)


def _set_status(stack: Stack, status: str, reason: str | None = None) -> None:
    stack.status = status
    _add_event(stack, stack.name, "AWS::CloudFormation::Stack", status, reason)


def _add_event(stack: Stack, logical_id: str, kind: str, status: str, reason: str | None = None) -> None:
    stack.events.append(Event(stack.stack_id, stack.name, logical_id, "", kind, status, reason, None))


def _make_topic(sns: Any, properties: dict[str, Any]) -> str:
    name = properties["TopicName"]
    if any(topic["TopicArn"].endswith(f":{name}") for topic in sns.list_topics()["Topics"]):
        raise ValueError(f"Resource of type 'AWS::SNS::Topic' with identifier '{name}' already exists.")
    attributes = {"KmsMasterKeyId": properties.get("KmsMasterKeyId", "")}
    return str(sns.create_topic(Name=name, Attributes=attributes)["TopicArn"])


def _make_alarm(cloudwatch: Any, properties: dict[str, Any]) -> str:
    cloudwatch.put_metric_alarm(**properties)
    return str(properties["AlarmName"])


def _make_dashboard(cloudwatch: Any, properties: dict[str, Any]) -> str:
    cloudwatch.put_dashboard(**properties)
    return str(properties["DashboardName"])


# How each type of resource is made, with its physical id as the result, and deleted by that id.
_KINDS: dict[str, tuple[Callable[[Any, dict[str, Any]], str], Callable[[Any, str], object]]] = {
    "AWS::SNS::Topic": (_make_topic, lambda sns, arn: sns.delete_topic(TopicArn=arn)),
    "AWS::SNS::Subscription": (
        lambda sns, properties: str(sns.subscribe(**properties, ReturnSubscriptionArn=True)["SubscriptionArn"]),
        lambda sns, arn: sns.unsubscribe(SubscriptionArn=arn),
    ),
    "AWS::CloudWatch::Alarm": (_make_alarm, lambda cloudwatch, name: cloudwatch.delete_alarms(AlarmNames=[name])),
    "AWS::CloudWatch::Dashboard": (
        _make_dashboard,
        lambda cloudwatch, name: cloudwatch.delete_dashboards(DashboardNames=[name]),
    ),
}
