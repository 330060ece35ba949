"""CloudFormation's stacks with an event for each resource, and a rollback when one fails.

moto creates a stack within the call, without events of its resources.
"""

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Event, Stack, cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse

from tests.support.cloud import stack_resources
from tests.support.cloud.replacements import Replacements

_AT_REST = re.compile(r".*_COMPLETE|.*_FAILED")
_COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class Stacks:
    """Changes stacks. ``pace``: the seconds that each resource takes.

    At 0, a stack is complete when the call returns; otherwise it changes in the background.
    """

    def __init__(self) -> None:
        self.pace = 0.0
        self._threads: list[threading.Thread] = []

    def connect(self, replacements: Replacements, client: Callable[[str, str, str], Any]) -> None:
        """Make moto's stacks change in this way until the replacements are undone.

        :param client: makes a client of a service in an account and region.
        """
        stack_resources.clients["of"] = client
        stack_resources.complete(replacements)
        for map_ in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
            map_.cache_clear()
        replacements.wrap(parsing, "parse_and_create_resource", self._with_events("CREATE"))
        replacements.wrap(parsing, "parse_and_update_resource", self._with_events("UPDATE"))
        replacements.wrap(parsing.ResourceMap, "_delete_resource", self._deleting)
        replacements.wrap(parsing, "get_references_from_template", _with_substitutions)
        replacements.add(CloudFormationResponse, "_validate_different_update", _reject_no_difference)
        replacements.wrap(Stack, "create_resources", self._creating)
        replacements.wrap(Stack, "update", self._updating)
        replacements.wrap(CloudFormationBackend, "delete_stack", self._deleting_stack)
        replacements.add(Stack, "stack_resources", property(_resources_so_far))
        outputs = Stack.outputs.fget
        replacements.add(Stack, "outputs", property(lambda self: outputs(self) if self.status in _COMPLETE else []))

    def wait(self) -> None:
        """Wait for the stacks that are changing."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _run(self, change: Callable[[], None]) -> None:
        if not self.pace:
            change()
            return
        thread = threading.Thread(target=change, name="stack", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _with_events(self, kind: str) -> Callable[[Any], Any]:
        def wrapper(parse: Any) -> Any:
            def parsed(logical_id: str, resource_json: Any, resources_map: Any, **rest: Any) -> Any:
                stack = _stack(resources_map)
                condition = resource_json.get("Condition")
                if condition and not resources_map.lazy_condition_map[condition]:
                    return None
                if parsing.resource_class_from_type(resource_json["Type"]) is None:
                    raise ValidationError(logical_id, f"{resource_json['Type']} is not part of this cloud.")
                about = logical_id, resource_json["Type"]
                _add_event(stack, *about, "", f"{kind}_IN_PROGRESS")
                time.sleep(self.pace)
                try:
                    resource = parse(logical_id, resource_json, resources_map, **rest)
                except Exception as error:
                    _add_event(stack, *about, "", f"{kind}_FAILED", str(error))
                    raise
                resource.logical_resource_id, resource.cf_resource_type = about
                _add_event(stack, *about, resource.physical_resource_id, f"{kind}_COMPLETE")
                return resource

            return parsed

        return wrapper

    def _deleting(self, delete: Any) -> Any:
        def deleted(self_: Any, parsed_resource: Any, resource_json: Any) -> None:
            about = parsed_resource.logical_resource_id, resource_json["Type"], parsed_resource.physical_resource_id
            _add_event(_stack(self_), *about, "DELETE_IN_PROGRESS")
            time.sleep(self.pace)
            delete(self_, parsed_resource, resource_json)
            _add_event(_stack(self_), *about, "DELETE_COMPLETE")

        return deleted

    def _creating(self, create: Any) -> Any:
        def created(stack: Stack) -> None:
            def change() -> None:
                try:
                    create(stack)
                except Exception as error:  # noqa: BLE001 - any error rolls the stack back
                    _set_status(stack, "ROLLBACK_IN_PROGRESS", str(error))
                    stack.resource_map._resource_json_map = stack.template_dict["Resources"]
                    stack.resource_map.delete()
                    _set_status(stack, "ROLLBACK_COMPLETE")

            stack.status = "CREATE_IN_PROGRESS"
            self._run(change)

        return created

    def _updating(self, update: Any) -> Any:
        def updated(stack: Stack, template: str, *arguments: Any, **named: Any) -> None:
            _reject_while_changing(stack, "updated")
            before = stack.template, stack.parameters

            def change() -> None:
                try:
                    update(stack, template, *arguments, **named)
                except Exception as error:  # noqa: BLE001 - any error rolls the stack back
                    _set_status(stack, "UPDATE_ROLLBACK_IN_PROGRESS", str(error))
                    stack.template = before[0]
                    stack._parse_template()
                    stack.resource_map.update(stack.template_dict, before[1])
                    _set_status(stack, "UPDATE_ROLLBACK_COMPLETE")

            stack.status = "UPDATE_IN_PROGRESS"
            self._run(change)

        return updated

    def _deleting_stack(self, delete: Any) -> Any:
        def deleted(backend: CloudFormationBackend, name_or_stack_id: str) -> None:
            stack = next((s for s in backend.stacks.values() if name_or_stack_id in (s.name, s.stack_id)), None)
            if stack is not None:
                _reject_while_changing(stack, "deleted")
                stack.status = "DELETE_IN_PROGRESS"
                self._run(lambda: self._delete(backend, stack))

        return deleted

    def _delete(self, backend: CloudFormationBackend, stack: Stack) -> None:
        stack.delete()  # the stack's name is found until the last resource is deleted
        del backend.stacks[stack.stack_id]
        backend.deleted_stacks[stack.stack_id] = stack


def _reject_while_changing(stack: Stack, change: str) -> None:
    if not _AT_REST.fullmatch(stack.status):
        message = f"Stack:{stack.stack_id} is in {stack.status} state and can not be {change}."
        raise ValidationError(stack.name, message)


def _reject_no_difference(
    call: CloudFormationResponse, incoming_params: Any, stack_body: str, old_stack: Stack
) -> None:
    """Reject an update without changes. moto does so only if there are parameters and all are strings."""
    call._validate_status(old_stack)
    _reject_while_changing(old_stack, "updated")
    template = Stack.parse_template(stack_body)
    before = {name: str(value) for name, value in old_stack.stack_parameters.items()}
    wanted = {
        name: str(about["Default"]) for name, about in template.get("Parameters", {}).items() if "Default" in about
    }
    for parameter in incoming_params or []:
        name = parameter["ParameterKey"]
        wanted[name] = before.get(name, "") if parameter.get("UsePreviousValue") else str(parameter["ParameterValue"])
    tags = {tag["Key"]: tag["Value"] for tag in call._get_param("Tags", [])}
    if (old_stack.template_dict, before) == (template, wanted) and tags in ({}, old_stack.tags):
        raise ValidationError(old_stack.name, message="No updates are to be performed.")


def _stack(resources: Any) -> Stack:
    backend = cloudformation_backends[resources._account_id][resources._region_name]
    return backend.stacks[resources.stack_id]


def _set_status(stack: Stack, status: str, reason: str | None = None) -> None:
    stack.status = status
    stack._add_stack_event(status, resource_status_reason=reason)


def _add_event(
    stack: Stack, logical_id: str, kind: str, physical_id: str, status: str, reason: str | None = None
) -> None:
    stack.events.append(Event(stack.stack_id, stack.name, logical_id, physical_id, kind, status, reason, None))


def _resources_so_far(stack: Stack) -> list[Any]:
    resources = stack.resource_map._parsed_resources
    return [resources[name] for name in stack.template_dict["Resources"] if resources.get(name) is not None]


def _with_substitutions(references: Any) -> Any:
    """Find changed parameters in ``Fn::Sub`` too; moto looks in ``Ref`` only."""

    def found(template: Any) -> list[str]:
        return [*references(template), *re.findall(r"\$\{(\w+)\}", str(template))]

    return found
