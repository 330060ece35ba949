"""One SecureString of AWS Systems Manager Parameter Store: read once a container, read again when it stops working.

Knows nothing of this service: the file can be taken into another Chalice app as it is. ::

    key = Parameter("/stripeSecretKey/test")
    key.start()      # at import, before the slow imports: the read runs in the background
    import stripe
    key.settle()     # at the end of import: Lambda freezes the sandbox between init and the first event
    ...
    key.get()        # in a request: no network, unless the read failed
"""

import hmac
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

_log = logging.getLogger(__name__)

# botocore writes whole response bodies, so the decrypted value too, into its debug log.
logging.getLogger("botocore.parsers").setLevel(logging.INFO)

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/CommonErrors.html; GetParameter throttles at 40 a
# second for a whole account and region.
_THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}

# Seconds. The client's own retries are off: they know no common deadline.
_CLIENT_CONFIG = Config(connect_timeout=1, read_timeout=1.5, retries={"total_max_attempts": 1})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0


class ParameterError(Exception):
    """The parameter can't be used. The message is for logs: it names the parameter, never the value."""


class ParameterUnavailable(ParameterError):
    """Parameter Store did not give the value."""


class ParameterInvalid(ParameterError):
    """Parameter Store gave a value that can't be right."""


class Secret:
    """A value that is shown by nothing but :meth:`reveal`: no repr, str, format, pickle or traceback has it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the value itself. Call it where the value is used, and keep no other copy."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.__value.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is neither pickled nor copied")


class Parameter:
    """A SecureString parameter, kept for the life of the process once it was read. Safe to use from many threads."""

    def __init__(
        self,
        name: str,
        *,
        check: Callable[[str], str | None] = lambda _value: None,
        budget: float = 3.0,
        renewal_interval: float = 30.0,
    ) -> None:
        """Nothing is read yet.

        :param name: the parameter's name, such as ``/stripeSecretKey/test``.
        :param check: says what is wrong with a value (without quoting it), or None. A wrong value is not kept.
        :param budget: seconds within which a read has ended, with all its retries.
        :param renewal_interval: seconds for which :meth:`renew` reads at most once.
        """
        self.name = name
        self._check = check
        self._budget = budget
        self._renewal_interval = renewal_interval
        self._lock = threading.Lock()
        self._client: Any = None
        self._secret: Secret | None = None
        self._read: _Read | None = None
        self._started: _Read | None = None
        self._renewed_at: float | None = None

    def start(self) -> None:
        """Begin the read in the background. Building the client happens here and now: it only costs CPU."""
        try:
            with self._lock:
                self._started = self._join_or_begin()
        except ParameterError as error:
            _log.error("no read during init: %s", error)

    def settle(self) -> None:
        """Wait until the read that :meth:`start` began has ended, at most ``budget`` seconds.

        An error is logged and not kept: the next :meth:`get` tries again.
        """
        try:
            if self._started is not None:
                self._started.result()
        except ParameterError as error:
            _log.error("the read during init failed: %s", error)

    def get(self) -> Secret:
        """Return the value, reading it first if no read has succeeded yet.

        :raises ParameterUnavailable: Parameter Store did not give it within ``budget`` seconds.
        :raises ParameterInvalid: the value is not what ``check`` wants.
        """
        with self._lock:
            if self._secret is not None:
                return self._secret
            read = self._join_or_begin()
        return read.result()

    def renew(self, refused: Secret) -> Secret:
        """Return what replaced a value that was refused where it was used.

        Reads at most once in ``renewal_interval`` seconds, so that refusals, which strangers may be able to
        provoke, never become a storm of reads.

        :param refused: the value that no longer works.
        :return: another value, or an equal one if there is no other (yet).
        :raises ParameterError: the read failed; the old value is kept unless its replacement is invalid.
        """
        with self._lock:
            if self._secret is not None and self._secret != refused:
                return self._secret
            now = time.monotonic()
            under_way = self._read is not None and now < self._read.deadline
            recently = self._renewed_at is not None and now < self._renewed_at + self._renewal_interval
            if recently and not under_way:
                return refused
            self._renewed_at = self._renewed_at if recently else now
            read = self._join_or_begin()
        return read.result()

    def _join_or_begin(self) -> "_Read":
        """Return the read under way, or begin one. A read past its deadline was frozen with its sandbox: leave it."""
        if self._read is not None and time.monotonic() < self._read.deadline:
            return self._read
        if self._client is None:
            self._client = _client(self.name)
        self._read = _Read(self.name, self._client, self._check, self._budget, self._ended)
        self._read.start()
        return self._read

    def _ended(self, read: "_Read") -> None:
        with self._lock:
            if read.secret is not None:
                self._secret = read.secret
            elif isinstance(read.error, ParameterInvalid):
                self._secret = None
            if self._read is read:
                self._read = None


class _Read(threading.Thread):
    """One read, retried within its budget, and what came of it."""

    def __init__(
        self,
        name: str,
        client: Any,
        check: Callable[[str], str | None],
        budget: float,
        ended: Callable[["_Read"], None],
    ) -> None:
        super().__init__(name=f"read {name}", daemon=True)
        self.deadline = time.monotonic() + budget
        self.secret: Secret | None = None
        self.error: ParameterError | None = None
        self._parameter = name
        self._client = client
        self._check = check
        self._ended_callback = ended
        self._done = threading.Event()

    def run(self) -> None:
        try:
            self.secret = self._fetch()
        except ParameterError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            self.error = ParameterUnavailable(f"{self._parameter}: {type(error).__name__}")
        self._ended_callback(self)
        self._done.set()

    def result(self) -> Secret:
        """Wait for the value until the deadline."""
        if not self._done.wait(max(0.0, self.deadline - time.monotonic())):
            raise ParameterUnavailable(f"{self._parameter}: Parameter Store did not answer in time")
        if self.error is not None:  # each waiter raises its own: a traceback grows with every raise
            raise type(self.error)(str(self.error)) from self.error
        assert self.secret is not None
        return self.secret

    def _fetch(self) -> Secret:
        pause = _FIRST_PAUSE
        while True:
            try:
                return _get_parameter(self._client, self._parameter, self._check)
            except _Transient as error:
                # Full jitter: containers that were throttled together must not come back together.
                wait = random.uniform(0, pause)
                if time.monotonic() + wait >= self.deadline:
                    raise ParameterUnavailable(f"{self._parameter}: {error}") from error
                time.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)


class _Transient(Exception):
    """Worth another try; the message says what happened."""


def _client(name: str) -> Any:
    try:
        return boto3.client("ssm", config=_CLIENT_CONFIG)
    except BotoCoreError as error:
        raise ParameterUnavailable(f"{name}: {error}") from error


def _get_parameter(client: Any, name: str, check: Callable[[str], str | None]) -> Secret:
    """Make one GetParameter call: the one place that knows how a parameter is read."""
    try:
        parameter = client.get_parameter(Name=name, WithDecryption=True)["Parameter"]
        kind, value = parameter["Type"], parameter["Value"].strip()
    except ClientError as error:
        code, status = error.response["Error"].get("Code"), error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in _THROTTLED or status >= 500:
            raise _Transient(f"{code} ({status})") from error
        raise ParameterUnavailable(f"{name}: {error}") from error
    except HTTPClientError as error:
        raise _Transient(str(error)) from error
    except (ResponseParserError, KeyError, TypeError, AttributeError) as error:
        # No cause: what botocore quotes of an answer that it can't parse may hold the value.
        raise _Transient(f"an answer that is none ({type(error).__name__})") from None
    except BotoCoreError as error:
        raise ParameterUnavailable(f"{name}: {error}") from error
    if kind != "SecureString":
        raise ParameterInvalid(f"{name} is a {kind}, not a SecureString: store it again, encrypted")
    problem = check(value) if value else "is empty"
    if problem:
        raise ParameterInvalid(f"{name} {problem}")
    return Secret(value)
