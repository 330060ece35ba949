"""One JSON log line per request, with CloudWatch metrics in it; X-Ray subsegments; and redaction of all of it.

The line is in CloudWatch's embedded metric format, so that metrics need no call:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Subsegments go to the X-Ray daemon in UDP datagrams, so that nothing waits or fails without a daemon:
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

# ------------------------------------------------------------------------------------------------
# Another program parses this field of the log line: `stagectl secrets rotate` (operations/probes.py)
# reads it to learn which version of the Stripe key a container uses. Change both together.
# ------------------------------------------------------------------------------------------------
KEY_VERSION_FIELD = "key_version"

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


class Redactor:
    """Replaces secrets, payment tokens and e-mail addresses in a text with ``***``."""

    def __init__(self, sensitive: re.Pattern[str]) -> None:
        """:param sensitive: what to replace. Its group 1, such as the payment's id in a client secret, stays."""
        self._sensitive = sensitive

    def redact(self, text: str) -> str:
        """Return a text without what must reach no log."""
        if "@" in text:  # the search for addresses starts at every word
            text = _EMAIL.sub("***", text)
        return self._sensitive.sub(lambda match: f"{match[1]}_***" if match[1] else "***", text)

    def write_line(self, line: dict[str, Any]) -> None:
        """Write a redacted JSON line to standard output, which Lambda stores in CloudWatch Logs."""
        sys.stdout.write(self.redact(json.dumps(line, default=str)) + "\n")
        sys.stdout.flush()


class Telemetry:
    """Collects a request's fields and metrics, and writes them as one line when it ends. Thread-safe."""

    def __init__(self, stage: str, redactor: Redactor, daemon: str = "") -> None:
        """
        :param stage: the dimension of every metric.
        :param redactor: writes the lines.
        :param daemon: the X-Ray daemon's ``host:port``; empty without a daemon.
        """
        self._stage = stage
        self._redactor = redactor
        host, _, port = daemon.rpartition(":")
        self._daemon = (host, int(port)) if host and port.isdigit() else None
        self._socket: socket.socket | None = None
        self._current: ContextVar[_Request | None] = ContextVar("request", default=None)
        self._lock = threading.Lock()
        self._before_requests: list[_Metric] = []

    @contextlib.contextmanager
    def request(self, trace_header: str = "", **members: Any) -> Iterator[None]:
        """Write one line for what happens inside, with its duration in ms.

        :param trace_header: Lambda's ``_X_AMZN_TRACE_ID``.
        :param members: further fields of the line, such as ``route``. None is left out.
        """
        request = _Request(members, trace_header)
        token = self._current.set(request)
        try:
            yield
        finally:
            self._current.reset(token)
            with self._lock:
                request.metrics[:0], self._before_requests = self._before_requests, []
            self._write(request)

    def note(self, **members: Any) -> None:
        """Add fields to the line of the current request, if there is one."""
        request = self._current.get()
        if request is not None:
            request.members.update(members)

    def count(
        self, name: str, value: float = 1, unit: str = "Count", dimensions: Mapping[str, str] | None = None
    ) -> None:
        """Add to a metric. A count outside of a request, during init, goes into the next line.

        :param unit: one of CloudWatch's (API reference, MetricDatum).
        :param dimensions: in addition to the stage.
        """
        metric = (name, value, unit, tuple((dimensions or {}).items()))
        request = self._current.get()
        if request is not None:
            request.metrics.append(metric)
        else:
            with self._lock:
                self._before_requests.append(metric)

    @contextlib.contextmanager
    def subsegment(self, name: str, namespace: str, **aws: str) -> Iterator[None]:
        """Trace what happens inside as a call to another service.

        :param name: the service, such as ``api.stripe.com``.
        :param namespace: ``aws`` or ``remote``.
        :param aws: what X-Ray shows of a call to AWS, such as ``operation``.
        """
        request = self._current.get()
        traced = self._daemon is not None and request is not None and "Sampled=1" in request.trace_header
        if not traced:
            yield
            return
        started, fault = time.time(), True
        try:
            yield
            fault = False
        finally:
            assert request is not None
            self._send(request.trace_header, name, namespace, started, fault, aws)

    @contextlib.contextmanager
    def secret_read(self, is_refresh: bool) -> Iterator[None]:
        """Count and trace what happens inside as a read of Parameter Store.

        :param is_refresh: whether a cached value was rejected.
        """
        self.count("KeyRereads" if is_refresh else "KeyReads")
        with self.subsegment("SSM", "aws", operation="GetParameter"):
            yield

    def _send(
        self, trace_header: str, name: str, namespace: str, started: float, fault: bool, aws: dict[str, str]
    ) -> None:
        trace = dict(part.split("=", 1) for part in trace_header.split(";") if "=" in part)
        document = {
            "name": name,
            "id": os.urandom(8).hex(),
            "trace_id": trace.get("Root"),
            "parent_id": trace.get("Parent"),
            "type": "subsegment",
            "namespace": namespace,
            "start_time": started,
            "end_time": time.time(),
            "fault": fault,
            **({"aws": aws} if aws else {}),
        }
        if self._socket is None:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        message = '{"format": "json", "version": 1}\n' + json.dumps(document)
        # A trace is not worth a failed payment: without a route to the daemon it is dropped.
        with contextlib.suppress(OSError):
            self._socket.sendto(message.encode(), self._daemon or ("", 0))

    def _write(self, request: "_Request") -> None:
        duration = (time.perf_counter() - request.started) * 1000
        line = {"message": "request", "stage": self._stage, **request.members, "duration_ms": round(duration, 2)}
        line = {name: value for name, value in line.items() if value is not None}
        self._redactor.write_line(line | _embedded(request.metrics))


_Metric = tuple[str, float, str, tuple[tuple[str, str], ...]]


class _Request:
    def __init__(self, members: dict[str, Any], trace_header: str) -> None:
        self.members = members
        self.metrics: list[_Metric] = []
        self.trace_header = trace_header
        self.started = time.perf_counter()


def _embedded(metrics: list[_Metric]) -> dict[str, Any]:
    """Return the fields that turn a log line into an embedded metric format document: no fields without metrics."""
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


class JsonHandler(logging.Handler):
    """Writes log records, tracebacks included, as redacted JSON lines."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        line = {"message": record.getMessage(), "level": record.levelname, "logger": record.name}
        if record.exc_info:
            line["exception"] = logging.Formatter().formatException(record.exc_info)
        self._redactor.write_line(line)
