"""stripe-python, without what it does that nothing here needs. ``from chalicelib.stripe_sdk import stripe``."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Deferred(ModuleType):
    """Stands for a module until something of it is used, if ever."""

    def __getattr__(self, name: str) -> Any:
        _forget(self)
        return getattr(import_module(self.__name__), name)


def _forget(deferred: ModuleType) -> None:
    if sys.modules.get(deferred.__name__) is deferred:
        del sys.modules[deferred.__name__]


# stripe-python imports asyncio, a tenth of a cold start, for its asynchronous clients, and uses it in those alone.
# Whoever else imports it, or has imported it, gets the real one.
if "asyncio" in sys.modules:
    import stripe as stripe
else:
    sys.modules["asyncio"] = _deferred = _Deferred("asyncio")
    try:
        import stripe as stripe
    finally:
        _forget(_deferred)

# What tells Stripe of the machine and the calls before: it runs `uname`, and keeps a file in the home folder.
stripe.enable_telemetry = False


def _unlogged(_message: str, **_params: Any) -> None:
    """Stand for stripe-python's log lines."""


# Those are put together whether anybody reads them or not, a tenth of a warm purchase, and hold card tokens and whole
# answers. And each call looks through the environment for some twenty coding agents to name to Stripe.
_requestor: Any = import_module("stripe._api_requestor")
_requestor.log_debug = _requestor.log_info = _unlogged
_requestor._APIRequestor.AI_AGENTS = []
