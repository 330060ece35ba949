"""What operators see: a JSON line a request, CloudWatch metrics in it, X-Ray subsegments; and redaction of all of it.

The line is in CloudWatch's embedded metric format, so that the metrics cost no call:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
The subsegments go to the X-Ray daemon in UDP datagrams, so that nothing waits or fails where no daemon listens:
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
"""

import contextlib
import json
import logging
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

NAMESPACE = "notes-billing"

# What must reach no log: Stripe's keys, signing secrets, client secrets and tokens, e-mail addresses.
_UNSPEAKABLE = re.compile(
    r"(?:sk|rk|pk)_(?:live|test)_\w+|whsec_\w+|(pi_[A-Za-z0-9]+)_secret_\w+|\b(?:tok|ctoken|pm)_\w+"
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


def redact(text: str) -> str:
    """Return a text without secrets, payment tokens and e-mail addresses; a payment's id stays."""
    if "@" in text:  # to look for an address begins at every word
        text = _EMAIL.sub("***", text)
    return _UNSPEAKABLE.sub(lambda found: f"{found[1]}_***" if found[1] else "***", text)


class Telemetry:
    """Collects what is said of a request and writes it as one line when it ends. Safe to use from many threads."""

    def __init__(self, stage: str, daemon: str = "") -> None:
        """Nothing is written or opened yet.

        :param stage: the dimension of every metric.
        :param daemon: where the X-Ray daemon listens, ``host:port``; empty for nowhere.
        """
        self._stage = stage
        host, _, port = daemon.rpartition(":")
        self._daemon = (host, int(port)) if host and port.isdigit() else None
        self._socket: socket.socket | None = None
        self._current: ContextVar[_Request | None] = ContextVar("request", default=None)
        self._lock = threading.Lock()
        self._early: list[_Metric] = []

    @contextlib.contextmanager
    def request(self, trace_header: str = "", **members: Any) -> Iterator[None]:
        """Write a line about what happens inside, with its duration.

        :param trace_header: Lambda's ``_X_AMZN_TRACE_ID``.
        :param members: what the line says besides, such as ``route``. None is left out.
        """
        request = _Request(members, trace_header)
        token = self._current.set(request)
        try:
            yield
        finally:
            self._current.reset(token)
            with self._lock:
                request.metrics[:0], self._early = self._early, []
            self._write(request)

    def note(self, **members: Any) -> None:
        """Add to the line of the request that is under way, if there is one."""
        request = self._current.get()
        if request is not None:
            request.members.update(members)

    def count(
        self, name: str, value: float = 1, unit: str = "Count", dimensions: Mapping[str, str] | None = None
    ) -> None:
        """Add to a metric. What is counted outside of a request, during init, goes into the next line.

        :param name: the metric's.
        :param unit: one of CloudWatch's (API reference, MetricDatum).
        :param dimensions: besides the stage.
        """
        metric = (name, value, unit, tuple((dimensions or {}).items()))
        request = self._current.get()
        if request is not None:
            request.metrics.append(metric)
        else:
            with self._lock:
                self._early.append(metric)

    @contextlib.contextmanager
    def subsegment(self, name: str, namespace: str, **aws: str) -> Iterator[None]:
        """Show what happens inside on the X-Ray map.

        :param name: the service called, such as ``api.stripe.com``.
        :param namespace: ``aws`` or ``remote``.
        :param aws: what X-Ray shows of a call to AWS, such as ``operation``.
        """
        request = self._current.get()
        traced = self._daemon is not None and request is not None and "Sampled=1" in request.trace_header
        if not traced:
            yield
            return
        begun, fault = time.time(), True
        try:
            yield
            fault = False
        finally:
            assert request is not None
            self._send(request.trace_header, name, namespace, begun, fault, aws)

    def _send(
        self, trace_header: str, name: str, namespace: str, begun: float, fault: bool, aws: dict[str, str]
    ) -> None:
        trace = dict(part.split("=", 1) for part in trace_header.split(";") if "=" in part)
        document = {
            "name": name,
            "id": os.urandom(8).hex(),
            "trace_id": trace.get("Root"),
            "parent_id": trace.get("Parent"),
            "type": "subsegment",
            "namespace": namespace,
            "start_time": begun,
            "end_time": time.time(),
            "fault": fault,
            **({"aws": aws} if aws else {}),
        }
        if self._socket is None:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        message = '{"format": "json", "version": 1}\n' + json.dumps(document)
        # Traces are not worth a failed payment, and there is nobody to tell: no route to the daemon, say.
        with contextlib.suppress(OSError):
            self._socket.sendto(message.encode(), self._daemon or ("", 0))

    def _write(self, request: "_Request") -> None:
        duration = (time.perf_counter() - request.begun) * 1000
        line = {"message": "request", "stage": self._stage, **request.members, "duration_ms": round(duration, 2)}
        line = {name: value for name, value in line.items() if value is not None}
        write_line(line | _embedded(request.metrics))


_Metric = tuple[str, float, str, tuple[tuple[str, str], ...]]


class _Request:
    def __init__(self, members: dict[str, Any], trace_header: str) -> None:
        self.members = members
        self.metrics: list[_Metric] = []
        self.trace_header = trace_header
        self.begun = time.perf_counter()


def _embedded(metrics: list[_Metric]) -> dict[str, Any]:
    """Return the members that make a line an embedded metric format document; none where nothing was counted."""
    if not metrics:
        return {}
    values: dict[str, Any] = {}
    directives = []
    for name, value, unit, dimensions in metrics:
        if name not in values:
            names = [["stage"], ["stage", *dict(dimensions)]] if dimensions else [["stage"]]
            metric = [{"Name": name, "Unit": unit}]
            directives.append({"Namespace": NAMESPACE, "Dimensions": names, "Metrics": metric})
        values[name] = values.get(name, 0) + value
        values.update(dimensions)
    return {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directives}, **values}


def write_line(line: dict[str, Any]) -> None:
    """Write a redacted JSON line to standard output, which Lambda keeps in CloudWatch Logs."""
    sys.stdout.write(redact(json.dumps(line, default=str)) + "\n")
    sys.stdout.flush()


class JsonHandler(logging.Handler):
    """Writes what is logged, tracebacks too, as redacted JSON lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        line = {"message": record.getMessage(), "level": record.levelname, "logger": record.name}
        if record.exc_info:
            line["exception"] = logging.Formatter().formatException(record.exc_info)
        write_line(line)
