"""The registered webhook endpoints: which of them receive an event, and the secrets that sign it."""

from devstack.stripe.account import Account, Accounts, Clock, Object, find_account
from devstack.stripe.ids import new_id

_OLD_SECRET_SECONDS = 86400.0  # the longest that Stripe lets the previous secret live


class WebhookRegistry:
    """The endpoints of both modes. Hold the account's lock for every method except :meth:`roll`."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        # The previous secrets of each endpoint, latest first, with the Unix time at which each expires.
        self._old_secrets: dict[str, list[tuple[str, float]]] = {}

    def find_enabled(self, account: Account, endpoint_id: str) -> Object | None:
        """Return an endpoint; None if it is deleted or disabled."""
        endpoint = account.tables["webhook_endpoint"].get(endpoint_id)
        return endpoint if endpoint is not None and endpoint["status"] == "enabled" else None

    def subscribers(self, account: Account, event_type: str) -> list[str]:
        """Return the ids of the enabled endpoints that receive events of a type."""
        endpoints = filter(None, (self.find_enabled(account, name) for name in account.tables["webhook_endpoint"]))
        return [endpoint["id"] for endpoint in endpoints if {event_type, "*"} & set(endpoint["enabled_events"])]

    def signing_secrets(self, endpoint: Object) -> list[str]:
        """Return the endpoint's secret, then its previous secrets that have not expired."""
        now = self._clock()
        old_secrets = [entry for entry in self._old_secrets.get(endpoint["id"], []) if entry[1] > now]
        self._old_secrets[endpoint["id"]] = old_secrets
        return [endpoint["secret"], *(secret for secret, _ in old_secrets)]

    def roll(self, endpoint_id: str, keep_old_for: float = 0.0) -> str:
        """Replace an endpoint's signing secret. Stripe's dashboard does this; its API has no call for it.

        :param keep_old_for: for how many seconds the previous secret signs too; 0 to 86400.
        :return: the new secret.
        :raises ValueError: ``keep_old_for`` is out of range.
        :raises StripeError: there is no such endpoint.
        """
        if not 0 <= keep_old_for <= _OLD_SECRET_SECONDS:
            raise ValueError(f"keep_old_for is {keep_old_for}: it must be 0 to {_OLD_SECRET_SECONDS:.0f} seconds.")
        account = find_account(self._accounts, "webhook_endpoint", endpoint_id)
        with account.lock:
            endpoint = account.find("webhook_endpoint", endpoint_id)
            old_secrets = self._old_secrets.setdefault(endpoint_id, [])
            old_secrets.insert(0, (endpoint["secret"], self._clock() + keep_old_for))
            endpoint["secret"] = new_id("whsec", 32)
            return str(endpoint["secret"])
