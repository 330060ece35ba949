"""Replaces ``sys.modules["asyncio"]`` while stripe-python is imported, and patches private names of stripe-python.

``from chalicelib.stripe_client.sdk_without_asyncio import stripe``

Private names of stripe-python that are used here, each with a test in tests/service/test_stripe_sdk_patches.py:

- ``stripe._api_requestor.log_debug`` and ``log_info``
- ``stripe._api_requestor._APIRequestor.AI_AGENTS``
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _DeferredModule(ModuleType):
    """A placeholder for a module, which is imported when an attribute of it is first used."""

    def __getattr__(self, name: str) -> Any:
        _remove(self)
        return getattr(import_module(self.__name__), name)


def _remove(placeholder: ModuleType) -> None:
    if sys.modules.get(placeholder.__name__) is placeholder:
        del sys.modules[placeholder.__name__]


# Patch 1. stripe-python imports asyncio, a tenth of a cold start, and uses it only in its asynchronous clients.
# A program that has imported asyncio, or imports it later, gets the real module.
if "asyncio" in sys.modules:
    import stripe as stripe
else:
    sys.modules["asyncio"] = _placeholder = _DeferredModule("asyncio")
    try:
        import stripe as stripe
    finally:
        _remove(_placeholder)

# Patch 2, a public setting. Telemetry describes the machine and earlier calls to Stripe: it runs `uname`, and keeps a
# file in the home folder.
stripe.enable_telemetry = False


def _log_nothing(_message: str, **_params: Any) -> None:
    """Replace stripe-python's logging."""


# Patch 3. stripe-python builds its log lines even if nothing reads them, and they hold card tokens and whole responses.
_requestor: Any = import_module("stripe._api_requestor")
_requestor.log_debug = _requestor.log_info = _log_nothing

# Patch 4. Each call searches the environment for the names of coding agents, to report one to Stripe.
_requestor._APIRequestor.AI_AGENTS = []
