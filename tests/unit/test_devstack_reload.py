"""When `make run` starts new processes, and which process works meanwhile."""

import importlib
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from devstack.console.fault_switches import RestartError
from devstack.notify_worker import NotifyWorker
from devstack.ports import StartError
from devstack.replaceable_child import Outcome, ReplaceableChild
from devstack.service_processes import ServiceProcesses
from devstack.source_files import SourceFiles, delete_bytecode, keep_source_lines


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Process:
    """A process as the runner sees it."""

    is_ready = has_ended = is_finishing = is_told_to_finish = False

    def __init__(self, started: list["Process"]) -> None:
        started.append(self)

    def finish(self) -> None:
        self.is_told_to_finish = True

    def stop(self) -> None:
        self.has_ended = True


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("app.py", "chalicelib/aws/ssm.py", ".chalice/config.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    return tmp_path


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        (lambda project: (project / "app.py").write_text("12"), ["app.py"]),
        (lambda project: os.utime(project / "chalicelib/aws/ssm.py", (1, 1)), ["ssm.py"]),
        # Replaced by a file with the same content, size and time.
        (
            lambda project: Path(shutil.copy2(project / "app.py", project / "new")).rename(project / "app.py"),
            ["app.py"],
        ),
        (lambda project: (project / "chalicelib/aws/ssm.py").unlink(), ["ssm.py"]),
        (lambda project: (project / "chalicelib/new.py").write_text(""), ["new.py"]),
        *(
            (lambda project, name=name: (project / name).write_text(""), [])
            for name in (
                "chalicelib/.#new.py",
                "chalicelib/aws/ssm.py~",
                "chalicelib/a.pyc",
                ".chalice/policy-dev.json",
            )
        ),
    ],
)
def test_a_saved_source_is_a_change_and_other_files_are_not(project: Path, edit: Callable[[Path], Any], names):
    sources = SourceFiles(project, quiet=0)
    edit(project)
    assert [file.name for file in sources.changed()] == names
    assert sources.changed() == []


def test_a_folder_that_is_deleted_during_a_look_and_a_link_to_itself_are_no_errors(project: Path, monkeypatch):
    (project / "chalicelib" / "loop.py").symlink_to("loop.py")
    sources = SourceFiles(project, quiet=0)

    def delete_first(folder: str) -> object:
        monkeypatch.undo()
        shutil.rmtree(project / "chalicelib")
        return os.scandir(folder)

    monkeypatch.setattr(os, "scandir", delete_first)
    assert [file.name for file in sources.changed()] == ["ssm.py"]


def test_a_burst_of_saves_is_one_change_and_a_later_save_is_another(project: Path):
    clock = Clock()
    sources = SourceFiles(project, 0.2, clock)
    for content, pauses in (("12", [0.15]), ("123", [0.15, 0.1]), ("1234", [0.2])):
        (project / "app.py").write_text(content)
        for pause in pauses:
            assert sources.changed() == []
            clock.now += pause
        assert len(sources.changed()) == (content != "12")


def test_of_two_saves_within_a_second_the_second_runs_and_tracebacks_quote_what_runs(project: Path, monkeypatch):
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    module = project / "saved_twice.py"
    for number in (1, 2):
        module.write_text(f"def fail():\n    raise ValueError('save {number}')\n")
        os.utime(module, (1, 1))
        delete_bytecode([module])
        sys.modules.pop("saved_twice", None)
        importlib.invalidate_caches()
        fail = importlib.import_module("saved_twice").fail
    keep_source_lines(["saved_twice"])
    module.write_text("an edited line\n" * 9)
    with pytest.raises(ValueError, match="save 2") as raised:
        fail()
    assert "raise ValueError('save 2')" in "".join(traceback.format_tb(raised.tb))


def replaced_child(clock: Clock) -> tuple[ReplaceableChild, list[Process]]:
    """A child with a process that works, and one that is not ready yet."""
    started: list[Process] = []
    child = ReplaceableChild(lambda: Process(started), clock)
    child.replace()
    started[0].is_ready = True
    assert child.step() is Outcome.REPLACED
    child.replace()
    assert child.step() is None
    return child, started


def test_the_old_process_works_until_the_new_one_is_ready_and_then_finishes():
    clock = Clock()
    child, (old, new) = replaced_child(clock)
    assert not old.is_told_to_finish
    new.is_ready = True
    assert child.step() is None
    assert (old.is_told_to_finish, old.has_ended) == (True, False)
    old.is_finishing = True
    assert child.step() is Outcome.REPLACED
    clock.now += 29
    assert child.step() is None
    assert not old.has_ended
    clock.now += 2
    child.step()
    assert old.has_ended
    assert not new.has_ended


@pytest.mark.parametrize("outcome", [Outcome.ENDED, Outcome.TIMED_OUT])
def test_a_new_process_that_fails_is_ended_and_the_old_one_works_on(outcome: Outcome):
    clock = Clock()
    child, (old, new) = replaced_child(clock)
    new.has_ended = outcome is Outcome.ENDED
    clock.now += 31 if outcome is Outcome.TIMED_OUT else 0
    assert child.step() is outcome
    assert new.has_ended
    assert (child.is_running, old.is_told_to_finish) == (True, False)


def test_a_change_while_a_process_starts_starts_another_instead():
    child, started = replaced_child(Clock())
    child.replace()
    assert [process.has_ended for process in started] == [False, True, False]


class Service(ServiceProcesses):
    """The API and notify, which have just been started."""

    def __init__(self) -> None:
        self.apis: list[Process] = []
        self.notifies: list[Process] = []
        self.changes: list[Path] = []
        self.shown: list[str] = []
        super().__init__(lambda: Process(self.apis), lambda: Process(self.notifies), self, self.shown.append)
        self.start()

    def changed(self) -> list[Path]:
        changes, self.changes = self.changes, []
        return changes

    def load(self, name: str = "config.json") -> None:
        self.changes = [Path(name)]
        self.step()

    def become_ready(self, processes: list[Process]) -> None:
        for process in processes:
            process.is_ready, process.is_finishing = process is processes[-1], process is not processes[-1]
        self.step()


@pytest.fixture
def service() -> Service:
    return Service()


def test_notify_is_replaced_after_the_api_and_not_if_the_new_api_fails(service: Service):
    service.become_ready(service.notifies)
    service.become_ready(service.apis)
    service.load()
    service.apis[1].has_ended = True
    service.step()
    service.load()
    assert (len(service.apis), len(service.notifies)) == (3, 1)
    service.become_ready(service.apis)
    assert len(service.notifies) == 2
    service.become_ready(service.notifies)
    assert ["not loaded" in line for line in service.shown] == [True, False]


def test_notify_loads_what_the_api_has_loaded_although_the_next_save_fails(service: Service):
    service.become_ready(service.notifies)
    service.become_ready(service.apis)
    service.load("first.py")
    service.become_ready(service.apis)
    service.load("second.py")
    service.apis[2].has_ended = True
    service.step()
    assert not service.notifies[1].has_ended
    service.become_ready(service.notifies)
    failed, reloaded = service.shown
    assert failed.startswith("second.py: not loaded.")
    assert reloaded == "first.py: reloaded"


@pytest.mark.parametrize("name", ["apis", "notifies"])
def test_the_stack_does_not_start_without_either(service: Service, name: str):
    getattr(service, name)[0].has_ended = True
    with pytest.raises(StartError, match="ended"):
        service.step()


@pytest.mark.parametrize("end", ["ready", "failed", "stopped"])
def test_a_restart_returns_when_the_new_api_is_ready_and_raises_if_it_fails(service: Service, end: str):
    service.become_ready(service.apis)
    with ThreadPoolExecutor() as pool:
        restart = pool.submit(service.restart_api)
        while len(service.apis) == 1:
            service.step()
        assert not restart.done()
        if end == "ready":
            service.become_ready(service.apis)
        elif end == "failed":
            service.apis[1].has_ended = True
            service.step()
        else:
            service.stop()
        assert isinstance(restart.exception(), RestartError) is (end != "ready")


class Queue:
    """An SQS client. ``outcomes``: each message is deleted, or received again after some seconds."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.outcomes = list(texts), {}
        self.on_receive: dict[str, Callable[[], None]] = {}

    def receive_message(self, **_arguments: object) -> dict[str, Any]:
        text = self.texts.pop(0)
        self.on_receive.get(text, lambda: None)()
        return {"Messages": [{"ReceiptHandle": text, "Body": json.dumps({"Message": text})}]}

    def delete_message(self, ReceiptHandle: str, **_arguments: object) -> None:
        self.outcomes[ReceiptHandle] = "deleted"

    def change_message_visibility(self, ReceiptHandle: str, VisibilityTimeout: int, **_arguments: object) -> None:
        self.outcomes[ReceiptHandle] = VisibilityTimeout


def test_notify_gets_a_message_again_if_it_fails_and_none_after_it_has_to_finish():
    def notify(event: dict[str, Any], _context: object) -> None:
        if event["Records"][0]["Sns"]["Message"] == "fails":
            raise ValueError

    queue = Queue("fails", "succeeds", "late")
    worker = NotifyWorker(queue, "url", notify)
    queue.on_receive["late"] = worker.finish
    worker.run()
    assert queue.outcomes == {"fails": 1, "succeeds": "deleted", "late": 0}
