"""CloudFormation's stacks, with an event for each resource, and a rollback when one fails.

moto creates a stack within the call, without events of its resources, and lacks alarms and subscriptions.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from moto.cloudformation.models import CloudFormationBackend, Event
from moto.cloudformation.utils import generate_stack_id
from moto.core.utils import utcnow

from tests.support.cloudformation_template import Resource, read_resources


class _Made(NamedTuple):
    described: Resource
    physical_id: str


@dataclass
class Stack:
    """A stack as moto's responses read it. ``made``: the resources so far, by logical id."""

    stack_id: str
    name: str
    template: str
    stack_parameters: dict[str, str]
    tags: dict[str, str]
    status: str = ""
    events: list[Event] = field(default_factory=list)
    made: dict[str, _Made] = field(default_factory=dict)
    creation_time: Any = field(default_factory=utcnow)

    def set_status(self, status: str, reason: str | None = None) -> None:
        self.status = status
        self.add_event(self.name, "AWS::CloudFormation::Stack", status, reason)

    def add_event(self, logical_id: str, kind: str, status: str, reason: str | None = None) -> None:
        self.events.append(Event(self.stack_id, self.name, logical_id, "", kind, status, reason, None))


class Stacks:
    """Changes stacks. ``pace``: the seconds that each resource takes.

    At 0, a stack is complete when the call returns; otherwise it changes in the background.
    """

    def __init__(self, client: Callable[[str, str, str], Any]) -> None:
        """:param client: makes the client of a service in an account and region."""
        self.pace = 0.0
        self._make_client = client
        self._threads: list[threading.Thread] = []

    def connect(self, patch: pytest.MonkeyPatch) -> None:
        """Make moto's stacks change in this way."""

        def create_stack(
            backend: Any, name: str, template: str, parameters: Any, tags: Any = None, **_rest: Any
        ) -> Stack:
            identifier = generate_stack_id(name, backend.region_name, backend.account_id)
            stack = Stack(identifier, name, template, parameters, tags or {})
            backend.stacks[identifier] = stack
            self._start(stack, "CREATE", lambda: self._change(stack, "CREATE", "ROLLBACK", before=("", {})))
            return stack

        def update_stack(backend: Any, name: str, template: str, parameters: Any, **_rest: Any) -> Stack:
            stack: Stack = backend.get_stack(name)
            before = stack.template, stack.stack_parameters
            stack.template = template
            stack.stack_parameters = backend._resolve_update_parameters(stack, parameters)
            self._start(stack, "UPDATE", lambda: self._change(stack, "UPDATE", "UPDATE_ROLLBACK", before))
            return stack

        def delete_stack(backend: Any, name_or_stack_id: str) -> None:
            stack: Stack = backend.get_stack(name_or_stack_id)

            def delete() -> None:
                self._apply(stack, {})
                stack.set_status("DELETE_COMPLETE")
                backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)

            self._start(stack, "DELETE", delete)

        for operation in (create_stack, update_stack, delete_stack):
            patch.setattr(CloudFormationBackend, operation.__name__, operation)

    def wait(self) -> None:
        """Wait until no stack is changing."""
        for thread in self._threads:
            thread.join()

    def _start(self, stack: Stack, kind: str, change: Callable[[], None]) -> None:
        stack.set_status(f"{kind}_IN_PROGRESS")
        self._threads.append(threading.Thread(target=change, name="stack", daemon=True))
        self._threads[-1].start()
        if not self.pace:
            self.wait()

    def _change(self, stack: Stack, kind: str, rollback: str, before: tuple[str, dict[str, str]]) -> None:
        try:
            self._apply(stack, self._described(stack))
            stack.set_status(f"{kind}_COMPLETE")
        except Exception as error:  # noqa: BLE001 - any error rolls the stack back
            stack.set_status(f"{rollback}_IN_PROGRESS", str(error))
            stack.template, stack.stack_parameters = before
            self._apply(stack, self._described(stack))
            stack.set_status(f"{rollback}_COMPLETE")

    def _described(self, stack: Stack) -> dict[str, Resource]:
        region, account = stack.stack_id.split(":")[3:5]
        return read_resources(stack.template, stack.stack_parameters, account, region) if stack.template else {}

    def _apply(self, stack: Stack, wanted: dict[str, Resource]) -> None:
        """Create, change and delete resources until the stack is as described."""
        for name, resource in wanted.items():
            if name not in stack.made or stack.made[name].described != resource:
                self._make(stack, name, resource)
        for name in [name for name in reversed(stack.made) if name not in wanted]:
            self._delete(stack, name)

    def _make(self, stack: Stack, name: str, resource: Resource) -> None:
        change = "UPDATE" if name in stack.made else "CREATE"
        if name in stack.made:
            self._delete(stack, name)
        stack.add_event(name, resource.kind, f"{change}_IN_PROGRESS")
        time.sleep(self.pace)
        make, _ = _KINDS[resource.kind]
        try:
            stack.made[name] = _Made(resource, make(self._client(stack, resource.kind), resource.properties))
        except Exception as error:
            stack.add_event(name, resource.kind, f"{change}_FAILED", str(error))
            raise
        stack.add_event(name, resource.kind, f"{change}_COMPLETE")

    def _delete(self, stack: Stack, name: str) -> None:
        (kind, _), physical_id = stack.made.pop(name)
        stack.add_event(name, kind, "DELETE_IN_PROGRESS")
        time.sleep(self.pace)
        _, delete = _KINDS[kind]
        delete(self._client(stack, kind), physical_id)
        stack.add_event(name, kind, "DELETE_COMPLETE")

    def _client(self, stack: Stack, kind: str) -> Any:
        region, account = stack.stack_id.split(":")[3:5]
        return self._make_client(account, region, kind.split("::")[1].lower())


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
