"""The store of idempotency keys in the Stripe emulator, which judges whether the product charges once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from devstack.stripe.errors import StripeError
from devstack.stripe.idempotency import Results
from devstack.stripe.messages import Response

TEST, LIVE = (False, "once"), (True, "once")
PURCHASE = ("/v1/payment_intents", '{"amount": "2200"}')
DAY = 24 * 3600


class Store:
    """A store with a clock, and the number of executions, which numbers the results."""

    def __init__(self):
        self.now = 1_800_000_000.0
        self.results = Results(lambda: self.now)
        self.executed = 0

    def execute(self):
        self.executed += 1
        return Response(200, b"%d" % self.executed)

    def run(self, scope=TEST, fingerprint=PURCHASE, execute=None):
        """Return the number of the execution, and whether it was an earlier one."""
        result, is_replay = self.results.run(scope, fingerprint, execute or self.execute)
        return int(result.body), is_replay

    def refused(self, status, code=None, **call):
        with pytest.raises(StripeError) as caught:
            self.run(**call)
        assert (caught.value.status, caught.value.error.get("code")) == (status, code)
        return caught.value


@pytest.fixture
def store():
    return Store()


def test_a_repeated_call_gets_the_first_result_and_is_not_executed(store):
    assert [store.run() for _ in range(3)] == [(1, False), (1, True), (1, True)]
    assert store.executed == 1


@pytest.mark.parametrize("other", [("/v1/payment_intents", '{"amount": "2300"}'), ("/v1/refunds", PURCHASE[1])])
def test_the_same_key_with_another_address_or_other_parameters_is_an_error(store, other):
    store.run()
    assert store.refused(400, fingerprint=other).error["type"] == "idempotency_error"
    assert (store.executed, store.run()) == (1, (1, True))


@pytest.mark.parametrize("other", [LIVE, (False, "twice"), (False, "ONCE")])
def test_another_key_or_another_mode_is_another_call(store, other):
    assert [store.run(), store.run(other), store.run()] == [(1, False), (2, False), (1, True)]


def test_an_error_is_a_result_too(store):
    declined = Response(402, b"7")
    assert store.results.run(TEST, PURCHASE, lambda: declined) == (declined, False)
    assert store.results.run(TEST, PURCHASE, store.execute) == (declined, True)
    assert store.executed == 0


@pytest.mark.parametrize(
    "error", [StripeError(400, "invalid_request_error", ""), ConnectionAbortedError(), SystemExit()]
)
def test_a_call_that_was_not_executed_leaves_the_key_unused(store, error):
    def abort():
        raise error

    with pytest.raises(type(error)):
        store.run(execute=abort)
    assert store.run(fingerprint=("another", "call")) == (1, False)


def test_a_second_call_during_the_first_is_a_conflict(store):
    def meanwhile():
        error = store.refused(409, "idempotency_key_in_use")
        assert (error.error["type"], error.headers["Stripe-Should-Retry"]) == ("idempotency_error", "true")
        store.refused(400, fingerprint=("another", "call"))
        store.now += DAY + 1  # the first call takes longer than its key lives
        store.refused(409, "idempotency_key_in_use")
        return store.execute()

    assert store.run(execute=meanwhile) == (1, False)
    assert store.executed == 1


@pytest.mark.parametrize(("later", "expected"), [(DAY - 1, (1, True)), (DAY, (3, False))])
def test_a_key_lives_for_24_hours_from_its_first_use(store, later, expected):
    store.run()
    store.run((False, "second"))
    store.now += later
    assert store.run() == expected


def test_an_expired_key_does_not_take_a_younger_one_along(store):
    store.run((False, "old"))
    store.now += DAY / 2
    store.run()
    store.now += DAY / 2
    assert store.run() == (2, True)


def test_a_key_of_more_than_255_characters_is_an_error(store):
    assert store.run((False, "x" * 255)) == (1, False)
    store.refused(400, scope=(False, "x" * 256))


def test_of_twenty_calls_at_once_one_is_executed(store):
    together = Barrier(20)

    def one(_):
        together.wait()
        try:
            return store.run()
        except StripeError as error:
            return error.status

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(one, range(20)))
    assert outcomes.count((1, False)) == store.executed == 1
    assert set(outcomes) <= {(1, False), (1, True), 409}
