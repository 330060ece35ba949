"""The processes of `make run` that run app.py, the API and `notify`, and their reload when a source file changes."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from devstack.console.fault_switches import RestartError
from devstack.ports import StartError
from devstack.replaceable_child import Outcome, Process, ReplaceableChild
from devstack.source_files import delete_bytecode

_POLL_INTERVAL = 0.1  # seconds between two looks at the source files
_POLL_INTERVAL_CHANGING = 0.02  # seconds between two looks at a process that starts


class Sources(Protocol):
    """The files to follow: :class:`devstack.source_files.SourceFiles`."""

    def changed(self) -> list[Path]:
        """Return the files that changed since they were loaded."""


class ServiceProcesses:
    """The API and `notify`. One thread calls :meth:`step` in a loop.

    A reload starts a new API. Only if that becomes ready, it starts a new `notify`, so that an error is shown once and
    both run the same code.
    """

    def __init__(
        self,
        start_api: Callable[[], Process],
        start_notify: Callable[[], Process],
        sources: Sources,
        show: Callable[[str], None],
    ) -> None:
        """Start nothing yet.

        :param show: gets a line about each reload.
        """
        self._api, self._notify = ReplaceableChild(start_api), ReplaceableChild(start_notify)
        self._sources, self._show = sources, show
        # The names of changed files: those that the new API loads, and those that it has loaded and notify loads.
        self._loading: set[str] = set()
        self._loaded: set[str] = set()
        self._requests: queue.SimpleQueue[Future[None]] = queue.SimpleQueue()
        self._restarts: list[Future[None]] = []
        self._is_stopped = False

    def start(self) -> None:
        """Start both."""
        self._notify.replace()
        self._api.replace()

    @property
    def is_ready(self) -> bool:
        """Whether the API accepts requests."""
        return self._api.is_running

    @property
    def poll_interval(self) -> float:
        """Seconds until the next step."""
        is_changing = self._api.is_changing or self._notify.is_changing
        return _POLL_INTERVAL_CHANGING if is_changing else _POLL_INTERVAL

    def ended(self) -> list[str]:
        """Return which of the two ended by itself."""
        return [name for name, child in (("api", self._api), ("notify", self._notify)) if child.has_ended]

    def step(self) -> None:
        """Start what is due, and complete what is ready.

        :raises StartError: the first API or `notify` did not become ready.
        """
        self._follow_sources()
        self._follow_requests()
        match self._api.step():
            case Outcome.REPLACED:
                self._complete_restarts(None)
                if self._loading:
                    self._loaded |= self._loading
                    self._loading.clear()
                    self._notify.replace()
            case Outcome() as failure:
                problem = self._report("`chalice local`", self._api, failure, self._loading)
                self._complete_restarts(RestartError(f"No new container was started: {problem}"))
        match self._notify.step():
            case Outcome.REPLACED if self._loaded:
                self._show(f"{_names(self._loaded)}: reloaded")
                self._loaded.clear()
            case Outcome.ENDED | Outcome.TIMED_OUT as failure:
                self._report("`notify`", self._notify, failure, self._loaded)

    def restart_api(self) -> None:
        """Replace the API by a new process, and return when that accepts all requests. Another thread calls this.

        :raises RestartError: the new process did not become ready.
        """
        restart: Future[None] = Future()
        self._requests.put(restart)
        if self._is_stopped:
            raise RestartError("The stack is stopping.")
        restart.result()

    def stop(self) -> None:
        """Stop both, with the processes that are starting or finishing."""
        self._is_stopped = True
        self._api.stop()
        self._notify.stop()
        self._follow_requests()
        self._complete_restarts(RestartError("The stack is stopping."))

    def _follow_sources(self) -> None:
        if changed := self._sources.changed():
            # An API that starts may write bytecode. A notify that starts writes none, and belongs to the API that runs.
            self._api.abandon()
            delete_bytecode(changed)
            self._loading |= {file.name for file in changed}
            self._api.replace()

    def _follow_requests(self) -> None:
        while not self._requests.empty():
            self._restarts.append(self._requests.get())
            if not self._is_stopped:
                self._api.replace()

    def _complete_restarts(self, error: RestartError | None) -> None:
        for restart in self._restarts:
            restart.set_exception(error) if error else restart.set_result(None)
        self._restarts.clear()

    def _report(self, name: str, child: ReplaceableChild, failure: Outcome, files: set[str]) -> str:
        """Report that a new process did not become ready, and did not load the files."""
        problem = f"{name} {failure.value}. Its output is above."
        if not child.is_running:
            raise StartError(problem)
        if files:
            self._show(f"{_names(files)}: not loaded. {problem} The code before it still runs. Save again to retry.")
        files.clear()
        return problem


def _names(files: set[str]) -> str:
    return ", ".join(sorted(files))
