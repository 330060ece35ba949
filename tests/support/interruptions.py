"""An operator whose command is killed just as AWS or Stripe has done, or is about to do, what it asked for."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from moto.core.exceptions import ServiceException
from moto.core.responses import BaseResponse

from devstack.stripe.api import Api
from tests.support.cloud.replacements import Replacements
from tests.support.command_lines import check_output
from tests.support.operator_session import Operator
from tests.support.stack import transcript

Moment = Literal["before", "after"]
# What reads, and what CloudFormation asks for in the operator's name.
_NO_CHANGE = re.compile(r"\w+:(Get|List|Describe|Simulate)|cloudwatch:")


@dataclass
class Watched:
    """The changes that a command asked for, such as ``ssm:PutParameter``, and when it is to be killed.

    ``at``: the change, or its number from 0; None for none. ``by``: SIGINT, as Ctrl-C sends it, or SIGKILL.
    """

    operator: Operator
    at: str | int | None = None
    moment: Moment = "after"
    by: signal.Signals = signal.SIGKILL
    changes: list[str] = field(default_factory=list)
    process: "subprocess.Popen[str] | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _killed: bool = False

    def meets(self, change: str, moment: Moment) -> bool:
        """Kill the command if this is the moment, and say so once it has ended."""
        with self._lock:
            if moment == "before":
                self.changes.append(change)
            here = self.at in (change, len(self.changes) - 1) and moment == self.moment
            if self._killed or not here or self.process is None:
                return False
            self._killed = True
        os.killpg(self.process.pid, self.by)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        return True

    def run(self, *arguments: str, stdin: str = "") -> int:
        """Run a command, as the head of a group of processes, and return its exit code."""
        stage = arguments[arguments.index("--stage") + 1]
        self.process = subprocess.Popen(
            self.operator.command(*arguments),
            cwd=self.operator.folder,
            env=self.operator.account_of(stage).environment(),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdin
        self.process.stdin.write(stdin)
        self.process.stdin.close()
        self.process.stdin = None
        said, _ = self.process.communicate(timeout=100)
        transcript.append(said)
        assert "Traceback" not in said, said
        check_output(said)
        assert self.process.returncode == 0 or self._killed, said
        assert self._killed or self.at is None, (self.at, self.changes)
        return self.process.returncode


@contextmanager
def watching(operator: Operator, **when: Any) -> Iterator[Watched]:
    """Watch what an operator asks of AWS, and what is asked of Stripe."""
    watched, replacements = Watched(operator, **when), Replacements()
    own = {account.key.access_key_id for account in (operator.dev, operator.prod)}

    def at_aws(answer: Any) -> Any:
        def called(self: BaseResponse) -> Any:
            change = f"{self.boto3_service_name}:{self._get_action()}"
            if self.access_key not in own or _NO_CHANGE.match(change):
                return answer(self)
            if watched.meets(change, "before"):
                raise ServiceException("ServiceUnavailable", "nobody is there to hear it")
            answered = answer(self)
            watched.meets(change, "after")
            return answered

        return called

    def at_stripe(answer: Any) -> Any:
        def called(self: Api, request: Any, *rest: Any) -> Any:
            change = f"stripe:{request.method} {request.path.split('/')[2]}"
            if request.method == "GET" or request.path.endswith("/cancel"):  # what asks for a permission
                return answer(self, request, *rest)
            if watched.meets(change, "before"):
                raise ConnectionAbortedError
            answered = answer(self, request, *rest)
            watched.meets(change, "after")
            return answered

        return called

    replacements.wrap(BaseResponse, "call_action", at_aws)
    replacements.wrap(Api, "respond", at_stripe)
    try:
        yield watched
    finally:
        replacements.undo()
