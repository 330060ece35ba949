"""The console in a real Chromium on a real `make run`: what a person does, and what the page then shows."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Route, expect

from tests.support.chromium import needs_chromium, page
from tests.support.console import CARDS, Console
from tests.support.make_run import Run
from tests.support.stack import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser"), needs_chromium]


@pytest.fixture
def console(run: Run, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Console]:
    # Without animations: a half-faded text has no contrast to check, and the CPU paints every frame.
    options = {"locale": "en-US", "reduced_motion": "reduce", **getattr(request, "param", {})}
    with page(chromium, **options) as opened:
        console = Console(run, opened)
        yield console
    console.post("/clear-faults")
    assert console.hosts == {"127.0.0.1"}


def test_the_price_follows_the_notes(console: Console):
    notes, price = console.page.get_by_label("Notes to store"), console.page.locator("#price strong")
    for storage, amount in (("010", "$40.00"), ("1e3", "$1,000.00"), ("11", "$22.00"), ("101", "$101.00")):
        notes.fill(storage)
        expect(price).to_have_text(amount)
    console.click("One note less")
    expect(price).to_have_text("$200.00")
    notes.fill("0")
    console.pay.click()
    expect(console.page.locator("#storage-error")).to_have_text("Enter a whole number from 1 to 999,999.")
    expect(notes).to_be_focused()


def test_a_purchase_is_paid_and_every_step_has_its_json(console: Console):
    order = console.order()
    texts = int(console.page.locator("#total-texts").inner_text())
    console.pay.click()
    order.assert_paid_once()
    expect(order.row.locator(".pill")).to_have_text("Paid")
    expect(console.page.locator("#total-texts")).to_have_text(str(texts + 1))
    (payment,) = order.payments()
    shown = order.row.locator(".details")
    for name, text in (
        ("charge", '"payment_intent.succeeded"'),
        ("webhook", '"status": 200'),
        ("topic", "NotePurchased-dev"),
        ("sms", f"for {order.storage} notes (dev), {payment}"),
    ):
        order.step(name).click()
        expect(shown).to_contain_text(text)
        expect(order.step(name)).to_have_attribute("aria-expanded", "true")
    order.row.get_by_role("button", name="API 200").click()
    expect(shown).to_contain_text('"idempotency_key"')
    order.row.get_by_role("button", name="API 200").click()
    expect(shown).to_be_hidden()
    console.pay.click()  # the same order again is another payment
    expect(order.row).to_have_count(2)
    assert eventually(lambda: len(order.payments()) == 2)


@pytest.mark.parametrize(
    ("card", "reason"),
    [("declined", "was declined"), ("lacks funds", "insufficient funds"), ("expired", "has expired")],
)
def test_a_declined_card_shows_the_reason_and_the_next_step(console: Console, card, reason):
    order = console.buy(card)
    expect(console.outcome).to_contain_text(reason)
    expect(console.outcome).to_contain_text("Nothing was charged. Choose another card.")
    expect(order.step("charge")).to_have_attribute("data-state", "failed")
    expect(order.step("sms")).to_have_attribute("data-state", "none")
    expect(order.row.locator(".pill")).to_have_text("Declined")


def test_3d_secure_succeeds_after_its_dialog_was_closed_and_the_page_reloaded(console: Console):
    order = console.buy("authentication")
    expect(console.bank).to_be_visible()
    console.page.keyboard.press("Escape")
    expect(console.pay).to_have_text("Continue to your bank")
    expect(console.pay).to_be_focused()
    console.page.reload()
    console.bank.get_by_role("button", name="Yes, authenticate").click()
    order.assert_paid_once()


def test_a_double_click_pays_once(console: Console):
    order = console.order()
    console.page.evaluate("for (let i = 0; i < 3; i += 1) document.getElementById('checkout').requestSubmit()")
    order.assert_paid_once()
    order = console.order()
    # The second click comes after the response to the first, which is as fast as that on a laptop.
    console.page.clock.install()
    console.page.clock.pause_at(datetime.now() + timedelta(seconds=1))
    console.pay.click()
    expect(console.outcome).to_contain_text(f"for {order.storage:,} notes")
    console.pay.click(force=True)  # a person clicks a disabled button too
    console.page.clock.resume()
    order.assert_paid_once()


def test_a_reload_during_the_payment_pays_once(console: Console, run: Run):
    order = console.order()
    # Stripe processes the charge before and after the reload.
    fault = {"delay": 2, "match": "POST /v1/payment_intents"}
    requests.post(run.url("STRIPE_PORT") + "/_devstack/faults", json=fault, timeout=10).raise_for_status()
    with console.page.expect_request("**/billing") as first:
        console.pay.click()
    expect(console.pay).to_have_text("Paying…")
    expect(order.step("charge")).to_have_attribute("data-state", "busy")
    console.page.wait_for_timeout(300)  # until the request has reached Stripe
    with console.page.expect_request("**/billing") as again:
        console.page.reload()
    expect(console.outcome).to_contain_text("repeated with the same key")
    assert first.value.headers["idempotency-key"] == again.value.headers["idempotency-key"]
    assert first.value.post_data == again.value.post_data
    order.assert_paid_once()


def test_an_unknown_outcome_is_repeated_with_the_same_key(console: Console):
    order = console.order()
    keys = []

    def lose(route: Route) -> None:
        """Charge the card. Replace the first response by 504 and the second by 503, and pass the third on."""
        keys.append(route.request.headers["idempotency-key"])
        response = route.fetch()
        status, code = {1: (504, "outcome_unknown"), 2: (503, "stripe_key_unavailable")}.get(len(keys), (200, ""))
        problem = {"status": status, "json": {"status": status, "code": code, "title": "", "detail": ""}}
        route.fulfill(response=response, **problem if code else {})  # type: ignore[arg-type]

    console.page.route(lambda url: url.endswith("/billing"), lose)
    console.pay.click()
    expect(console.outcome).to_contain_text("It is not known yet whether the card was charged")
    expect(console.page.locator("#change")).to_be_hidden()  # a new order could be a second charge
    expect(order.row.locator(".pill")).to_have_text("Paid")  # from Stripe's event; the checkout does not use it
    console.page.reload()
    # The second request charged nothing, but the first one's outcome is still unknown.
    expect(console.outcome).to_contain_text("An earlier request may have charged the card")
    expect(console.page.locator("#change")).to_be_hidden()
    console.click("Repeat the payment")
    order.assert_paid_once()
    assert keys == [keys[0]] * 3


@pytest.mark.parametrize(
    ("part", "title", "outcome", "button", "shown"),
    [
        ("Stripe", "Down", "No charge is known", "Repeat the payment", "Unknown"),
        ("Parameter Store", "Denied", "Try again shortly", r"Try again in \d s", "stripe_key_unavailable"),
        ("Stripe key", "Revoked", "Its operator must store a new key", "Try again", "stripe_key_rejected"),
    ],
)
def test_during_a_fault_nothing_is_charged_and_after_it_the_payment_succeeds(
    console: Console, part, title, outcome, button, shown
):
    console.turn(part, title)
    expect(console.page.get_by_role("link", name="1 fault on")).to_be_visible()
    order = console.buy()
    expect(console.outcome).to_contain_text(outcome)
    expect(console.pay).to_have_text(re.compile(button))
    expect(order.row).to_contain_text(shown)
    assert order.payments() == set()
    console.click("Clear all faults")
    expect(console.switch(part, title)).not_to_be_checked()
    if part == "Stripe":
        console.click("Repeat the payment")
    else:
        console.click("Rotate the key")
        expect(console.page.locator("#announcer")).to_have_text("The key was rotated.")
        console.post("/restart")  # a new container reads the key at once
        console.click("Change the order")
        order = console.buy()
    order.assert_paid_once()


def test_an_sns_outage_loses_no_event(console: Console):
    console.turn("SNS", "Down")
    order = console.buy()
    expect(console.outcome).to_contain_text("Paid")
    expect(order.step("webhook")).to_contain_text("503, attempt ")
    expect(order.step("sms")).to_contain_text("after the webhook")
    console.turn("SNS", "Down")
    order.wait_until_done()


def test_axe_finds_no_serious_accessibility_violation(console: Console):
    def check(where: str) -> None:
        for scheme in ("light", "dark"):
            console.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            violations = Axe().run(console.page).response["violations"]
            serious = [each for each in violations if each["impact"] in ("serious", "critical")]
            assert [(each["id"], each["nodes"]) for each in serious] == [], (where, scheme)

    console.buy()
    expect(console.outcome).to_contain_text("Paid")
    order = console.buy("declined")
    expect(console.outcome).to_contain_text("was declined")
    order.step("charge").click()
    expect(order.row.locator(".details")).to_contain_text("generic_decline")
    console.page.locator("#exchange summary").click()
    check("after purchases")
    console.buy("authentication")
    expect(console.bank).to_be_visible()
    check("bank")


def test_a_payment_is_refused_at_the_bank_with_the_keyboard_alone(console: Console):
    keys, order = console.page.keyboard, console.order()
    console.page.locator(f"input[value={CARDS['expired']}]").focus()
    keys.press("ArrowDown")
    keys.press("Tab")
    expect(console.pay).to_be_focused()
    keys.press("Enter")
    expect(console.bank).to_be_visible()
    expect(order.step("charge")).to_have_attribute("data-state", "held")
    keys.press("Tab")
    keys.press("Enter")
    expect(console.outcome).to_contain_text("Your bank did not authenticate you")
    expect(order.row.locator(".pill")).to_have_text("Declined")
    expect(console.pay).to_be_focused()
    console.switch("SNS", "Down").focus()
    keys.press("Space")
    expect(console.page.locator("#announcer")).to_have_text("SNS: Down is on.")


PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


@pytest.mark.parametrize("console", [PHONE], indirect=True)
def test_it_fits_a_phone(console: Console):
    order = console.order()
    console.pay.tap()
    order.assert_paid_once()
    order.step("charge").tap()
    expect(order.row.locator(".details")).to_contain_text("payment_intent.succeeded")
    assert console.page.evaluate("document.documentElement.scrollWidth") == 360


def test_each_test_card_is_on_one_line(console: Console):
    for width in (1280, 1366, 1440, 390):
        console.page.set_viewport_size({"width": width, "height": 900})
        for card in CARDS.values():
            console.page.locator(f"input[value={card}]").check()
            assert console.page.evaluate(_WRAPPED_CARDS) == [], width


def test_a_purchase_is_tried_out_from_the_reference_page(console: Console):
    console.page.goto(f"{console.url}/api/")
    console.page.locator("#operations-payments-charge .opblock-summary-control").click()
    charge = console.page.locator("#operations-payments-charge")
    charge.get_by_role("button", name="Execute").click()
    response = charge.locator(".live-responses-table .response").first
    expect(response.locator(".response-col_status")).to_contain_text("200")
    expect(response.locator(".response-col_description")).to_contain_text('"status": "succeeded"')


# Returns the cards whose label or number is higher than one line, or overlaps or overflows.
_WRAPPED_CARDS = """() => [...document.querySelectorAll(".cards label")].filter((card) => {
  const [number, label] = card.querySelectorAll("span");
  const isWrapped = (text) => text.getBoundingClientRect().height >= 2 * parseFloat(getComputedStyle(text).fontSize);
  const [end, start] = [label.getBoundingClientRect().right, number.getBoundingClientRect().left];
  return isWrapped(number) || isWrapped(label) || end > start || card.scrollWidth > card.clientWidth;
}).map((card) => card.textContent.trim())"""
