"""CloudFormation's stacks, with an event for each resource, and a rollback when one fails.

moto creates a stack within the call, without events of its resources, and lacks alarms and subscriptions.
"""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from moto.cloudformation.models import CloudFormationBackend, Event
from moto.cloudformation.utils import generate_stack_id
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow
from moto.sns.models import sns_backends

from tests.support.cloud.replacements import Replacements
from tests.support.cloudformation_template import Template

# Makes a client of a service in an account and region.
MakeClient = Callable[[str, str, str], Any]
# Resources by logical id, each with its type and its properties.
Described = dict[str, tuple[str, dict[str, Any]]]


@dataclass
class Stack:
    """A stack as moto's responses read it. ``resources``: those made so far, by logical id."""

    stack_id: str
    name: str
    account: str
    region: str
    template: str
    parameters: dict[str, str]
    tags: dict[str, str]
    status: str = ""
    events: list[Event] = field(default_factory=list)
    resources: dict[str, "_Resource"] = field(default_factory=dict)
    creation_time: Any = field(default_factory=utcnow)

    @property
    def stack_parameters(self) -> dict[str, str]:
        return self.parameters

    def described(self) -> "Described":
        """Return the resources that the template describes."""
        if not self.template:
            return {}
        return Template(self.template, self.parameters, self.account, self.region).resources()

    def set_status(self, status: str, reason: str | None = None) -> None:
        self.status = status
        self.add_event(self.name, "AWS::CloudFormation::Stack", status, reason)

    def add_event(self, logical_id: str, kind: str, status: str, reason: str | None = None) -> None:
        self.events.append(Event(self.stack_id, self.name, logical_id, "", kind, status, reason, None))


class _Resource(NamedTuple):
    kind: str
    properties: dict[str, Any]
    physical_id: str


class Stacks:
    """Changes stacks. ``pace``: the seconds that each resource takes.

    At 0, a stack is complete when the call returns; otherwise it changes in the background.
    """

    def __init__(self, client: MakeClient) -> None:
        self.pace = 0.0
        self._make_client = client
        self._threads: list[threading.Thread] = []

    def connect(self, replacements: Replacements) -> None:
        """Make moto's stacks change in this way until the replacements are undone."""

        def create_stack(
            backend: Any, name: str, template: str, parameters: Any, tags: Any = None, **_rest: Any
        ) -> Stack:
            account, region = backend.account_id, backend.region_name
            identifier = generate_stack_id(name, region, account)
            stack = Stack(identifier, name, account, region, template, parameters, tags or {})
            backend.stacks[identifier] = stack
            self._start(stack, "CREATE", lambda: self._change(stack, "CREATE", "ROLLBACK", before=("", {})))
            return stack

        def update_stack(backend: Any, name: str, template: str, parameters: Any, **_rest: Any) -> Stack:
            stack: Stack = backend.get_stack(name)
            before = stack.template, stack.parameters
            stack.template = template
            stack.parameters = backend._resolve_update_parameters(stack, parameters)
            self._start(stack, "UPDATE", lambda: self._change(stack, "UPDATE", "UPDATE_ROLLBACK", before))
            return stack

        def delete_stack(backend: Any, name_or_stack_id: str) -> None:
            stack: Stack = backend.get_stack(name_or_stack_id)
            self._start(stack, "DELETE", lambda: self._delete(backend, stack))

        for operation in (create_stack, update_stack, delete_stack):
            replacements.add(CloudFormationBackend, operation.__name__, operation)

    def wait(self) -> None:
        """Wait until no stack is changing."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _start(self, stack: Stack, kind: str, change: Callable[[], None]) -> None:
        stack.set_status(f"{kind}_IN_PROGRESS")
        if not self.pace:
            change()
            return
        self._threads.append(threading.Thread(target=change, name="stack", daemon=True))
        self._threads[-1].start()

    def _change(self, stack: Stack, kind: str, rollback: str, before: tuple[str, dict[str, str]]) -> None:
        try:
            self._apply(stack, stack.described())
            stack.set_status(f"{kind}_COMPLETE")
        except Exception as error:  # noqa: BLE001 - any error rolls the stack back
            stack.set_status(f"{rollback}_IN_PROGRESS", str(error))
            stack.template, stack.parameters = before
            self._apply(stack, stack.described())
            stack.set_status(f"{rollback}_COMPLETE")

    def _delete(self, backend: Any, stack: Stack) -> None:
        self._apply(stack, {})
        stack.set_status("DELETE_COMPLETE")
        backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)

    def _apply(self, stack: Stack, wanted: Described) -> None:
        """Create, change and delete resources until the stack is as described."""
        for name, (kind, properties) in wanted.items():
            made = stack.resources.get(name)
            if made is None or made.properties != properties:
                self._make(stack, name, kind, properties, made)
        for name in [name for name in reversed(stack.resources) if name not in wanted]:
            kind, _, physical_id = stack.resources[name]
            stack.add_event(name, kind, "DELETE_IN_PROGRESS")
            time.sleep(self.pace)
            _KINDS[kind].delete(self._client(stack, kind), physical_id)
            del stack.resources[name]
            stack.add_event(name, kind, "DELETE_COMPLETE")

    def _make(self, stack: Stack, name: str, kind: str, properties: dict[str, Any], before: _Resource | None) -> None:
        change = "UPDATE" if before else "CREATE"
        stack.add_event(name, kind, f"{change}_IN_PROGRESS")
        time.sleep(self.pace)
        about, client = _KINDS[kind], self._client(stack, kind)
        try:
            name_in_aws = properties.get(f"{kind.rpartition('::')[2]}Name")
            if before is None and name_in_aws in about.names(stack.account, stack.region):
                raise ValueError(f"Resource of type '{kind}' with identifier '{name_in_aws}' already exists.")
            physical_id = about.make(client, properties)
        except Exception as error:
            stack.add_event(name, kind, f"{change}_FAILED", str(error))
            raise
        if before and before.physical_id != physical_id:
            about.delete(client, before.physical_id)
        stack.resources[name] = _Resource(kind, properties, physical_id)
        stack.add_event(name, kind, f"{change}_COMPLETE")

    def _client(self, stack: Stack, kind: str) -> Any:
        return self._make_client(stack.account, stack.region, kind.split("::")[1].lower())


@dataclass(frozen=True)
class _Kind:
    """A type of resources, made and deleted by the same calls that an operator would use.

    ``make`` takes a client and the properties, and returns the physical id. ``names``: those in an account and region.
    """

    make: Callable[[Any, dict[str, Any]], str]
    delete: Callable[[Any, str], object]
    names: Callable[[str, str], Collection[str]]


def _make_topic(sns: Any, properties: dict[str, Any]) -> str:
    arn = str(sns.create_topic(Name=properties["TopicName"])["TopicArn"])
    key = properties.get("KmsMasterKeyId", "")
    sns.set_topic_attributes(TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue=key)
    return arn


def _make_alarm(cloudwatch: Any, properties: dict[str, Any]) -> str:
    cloudwatch.put_metric_alarm(ActionsEnabled=True, **properties)
    return str(properties["AlarmName"])


def _make_dashboard(cloudwatch: Any, properties: dict[str, Any]) -> str:
    cloudwatch.put_dashboard(**properties)
    return str(properties["DashboardName"])


_KINDS = {
    "AWS::SNS::Topic": _Kind(
        _make_topic,
        lambda sns, arn: sns.delete_topic(TopicArn=arn),
        lambda account, region: [topic.name for topic in sns_backends[account][region].topics.values()],
    ),
    "AWS::SNS::Subscription": _Kind(
        lambda sns, properties: str(sns.subscribe(**properties, ReturnSubscriptionArn=True)["SubscriptionArn"]),
        lambda sns, arn: sns.unsubscribe(SubscriptionArn=arn),
        lambda account, region: (),
    ),
    "AWS::CloudWatch::Alarm": _Kind(
        _make_alarm,
        lambda cloudwatch, name: cloudwatch.delete_alarms(AlarmNames=[name]),
        lambda account, region: cloudwatch_backends[account][region].alarms,
    ),
    "AWS::CloudWatch::Dashboard": _Kind(
        _make_dashboard,
        lambda cloudwatch, name: cloudwatch.delete_dashboards(DashboardNames=[name]),
        lambda account, region: cloudwatch_backends[account][region].dashboards,
    ),
}
