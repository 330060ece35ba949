"""Page objects for the console: the page in a tab of its own, and an order in its timeline."""

import itertools
from urllib.parse import urlsplit

import requests
from playwright.sync_api import Locator, Page, expect

from tests.support.make_run import Run

expect.set_options(timeout=20_000)  # milliseconds: enough for a slow machine
_NUMBERS = itertools.count(2001)
_STEPS = ("charge", "webhook", "topic", "sms")
CARDS = {
    "succeeds": "pm_card_visa",
    "declined": "pm_card_visa_chargeDeclined",
    "lacks funds": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "expired": "pm_card_chargeDeclinedExpiredCard",
    "authentication": "pm_card_authenticationRequired",
}


class Console:
    """The page in a tab of its own, on a devstack without faults."""

    def __init__(self, run: Run, page: Page) -> None:
        self.run, self.page = run, page
        self.url = run.url("CONSOLE_PORT")
        self.hosts: set[str] = set()
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or request.url))
        self.post("/clear-faults")
        page.goto(self.url)
        # Not `expect`, whose polling pauses grow: `wait_for` waits in the page.
        page.locator("#live", has_text="live").wait_for()
        page.locator("#pay", has_text="Pay $42.00").wait_for()

    def post(self, path: str, **body: object) -> None:
        assert requests.post(self.url + path, json=body, timeout=30).status_code == 200

    @property
    def pay(self) -> Locator:
        return self.page.locator("#pay")

    @property
    def outcome(self) -> Locator:
        return self.page.locator("#outcome")

    @property
    def bank(self) -> Locator:
        return self.page.get_by_role("dialog")

    def order(self, card: str = "succeeds") -> "Order":
        """Fill the form with a number of notes that no other order has."""
        storage = next(_NUMBERS)
        self.page.get_by_label("Notes to store").fill(str(storage))
        self.page.locator(f"input[value={CARDS[card]}]").check()
        self.page.locator("#pay", has_text=f"Pay ${storage:,}.00").wait_for()
        return Order(self, storage)

    def buy(self, card: str = "succeeds") -> "Order":
        """Fill the form as :meth:`order` does, and click Pay."""
        order = self.order(card)
        self.pay.click()
        return order

    def click(self, button: str) -> None:
        self.page.get_by_role("button", name=button).click()

    def switch(self, part: str, title: str) -> Locator:
        return self.page.get_by_role("switch", name=f"{part}: {title}")

    def turn(self, part: str, title: str) -> None:
        """Click a switch, and wait until the devstack has changed it."""
        self.switch(part, title).click()
        on = "on" if self.switch(part, title).is_checked() else "off"
        self.page.locator("#announcer", has_text=f"{part}: {title} is {on}.").wait_for(state="attached")


class Order:
    """A purchase in the timeline and at Stripe."""

    def __init__(self, console: Console, storage: int) -> None:
        self.console, self.storage = console, storage
        self.row = console.page.locator("li.purchase").filter(has_text=f"{storage:,} notes")

    def step(self, name: str) -> Locator:
        return self.row.locator(".step").nth(_STEPS.index(name))

    def wait_until_done(self) -> None:
        """Wait until every step is done."""
        self.row.locator(".step[data-state=done]").nth(3).wait_for()

    def payments(self) -> set[str]:
        """Return the ids of Stripe's payments, one for each charge of a card."""
        events = requests.get(self.console.url + "/events", timeout=10).json()
        return {
            event["payment_id"] for event in events if event["kind"] == "payment" and event["storage"] == self.storage
        }

    def assert_paid_once(self) -> None:
        self.wait_until_done()
        expect(self.console.outcome).to_contain_text("Paid")
        expect(self.row).to_have_count(1)
        assert len(self.payments()) == 1
