"""The programs of docs/integrating*.md, run as written against the devstack and a deployed API."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from tests import PROJECT
from tests.support.chromium import needs_chromium, page
from tests.support.cloud import Cloud
from tests.support.cloud.accounts import REGION, Account
from tests.support.cloud.deployments import Deployment, Deployments
from tests.support.cloud.principals import assume
from tests.support.stack import Api, Stack, eventually

pytestmark = pytest.mark.xdist_group("dev")  # which has the deployed stage

PAGES = "".join(file.read_text() for file in sorted((PROJECT / "docs").glob("integrating*.md")))
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```", PAGES, re.DOTALL | re.MULTILINE)
SHOP = "http://127.0.0.1:8765"  # the test responds inside the browser
NPM = shutil.which("npm")
NPM_MODULES = {"aws4fetch": "aws4fetch.esm.mjs", "openapi-fetch": "index.mjs"}


def in_a_browser(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.slow(needs_chromium(test))


def blocks(language: str) -> list[str]:
    return [code for name, code in BLOCKS if name == language]


def file(name: str) -> str:
    """Return the program that has this name in its first line."""
    return next(code for _, code in BLOCKS if code.startswith(f"// {name}\n"))


def fragment(call: str) -> str:
    """Return the short block that contains a call."""
    return next(code for code in blocks("js") if f"await stripe.{call}(" in code and not code.startswith("//"))


# The part of Stripe.js that the page uses. The test chooses the card; the Stripe emulator does the rest.
STRIPE_JS = """
window.Stripe = (key) => ({
  elements: (options) => ({
    options,
    create: () => ({ mount: (where) => { document.querySelector(where).textContent = JSON.stringify(options); } }),
    submit: async () => ({}),
  }),
  createPaymentMethod: async () => ({ paymentMethod: { id: await window.atStripe("create", "") } }),
  createConfirmationToken: async () => ({ confirmationToken: { id: "ctoken_visa" } }),
  createToken: async () => ({ token: { id: "tok_visa" } }),
  handleNextAction: async ({ clientSecret }) => {
    const result = await window.atStripe("authenticate", clientSecret);
    return result ? JSON.parse(result) : new Promise(() => {});
  },
});
"""


class Shop:
    """A web site with the page's programs, in a browser."""

    def __init__(self, opened: Page, stack: Stack, api: str, folder: Path | None = None) -> None:
        self.page, self._stack, self._api, self._folder = opened, stack, api, folder
        self.card, self.outcome = "pm_card_visa", "succeed"
        self._before = len(stack.stripe.payment_intents)
        opened.expose_function("atStripe", self._at_stripe)
        opened.route(f"{SHOP}/**", self._respond)
        opened.route("https://js.stripe.com/v3/", lambda route: self._send(route, STRIPE_JS))

    def open(self, program: str = "") -> "Shop":
        self.page.goto(f"{SHOP}/{program}")
        return self

    def pays(self) -> str:
        """Press the button, and return the text that the page shows then."""
        self.page.locator("#pay:enabled").click()
        return self.says()

    def says(self) -> str:
        self.page.wait_for_function("!pay.disabled && outcome.textContent")
        return self.page.locator("#outcome").inner_text()

    def reloads_when(self, reached: Callable[[], bool]) -> None:
        """Press the button, and reload the page as soon as a condition holds."""
        self.page.locator("#pay:enabled").click()
        assert eventually(lambda: reached() or self.page.wait_for_timeout(20))
        self.page.reload()

    def payments(self) -> list[str]:
        """Return the status of each payment that was made in this shop."""
        return [intent["status"] for intent in self._stack.stripe.payment_intents[self._before :]]

    def _at_stripe(self, act: str, client_secret: str) -> str:
        if act == "create":
            return self.card
        failed = self.outcome == "fail"
        self._stack.stripe.authenticate(client_secret.partition("_secret_")[0], "fail" if failed else "succeed")
        if self.outcome == "stays at the bank":
            return ""
        return json.dumps({"error": {"message": "You did not authenticate."}} if failed else {})

    def _respond(self, route: Route) -> None:
        name = route.request.url.removeprefix(f"{SHOP}/")
        if name == "config.json":
            route.fulfill(json={"api": self._api, "publishableKey": "pk_test_shop"})
        elif name == "empty":
            modules = {name: f"/{name}/dist/{main}" for name, main in NPM_MODULES.items()}
            self._send(route, f'<script type="importmap">{json.dumps({"imports": modules})}</script>', "text/html")
        elif name == "":
            self._send(route, "<!DOCTYPE html><html lang=en><title>Notes</title>" + blocks("html")[0], "text/html")
        elif name in ("billing.js", "checkout.js", "signed.js"):
            self._send(route, file(name))
        else:  # of the generated client, or an npm package
            assert self._folder
            module = self._folder / name if name == "client.js" else self._folder / "node_modules" / name
            self._send(route, module.read_text())

    @staticmethod
    def _send(route: Route, content: str, kind: str = "text/javascript") -> None:
        route.fulfill(body=content, content_type=f"{kind}; charset=utf-8")


@pytest.fixture
def shop(api: Api, stack: Stack, chromium: Browser) -> Iterator[Shop]:
    """The front end with an API on `chalice local`."""
    with page(chromium) as opened:
        yield Shop(opened, stack, api.url).open()


@in_a_browser
def test_the_front_end_shows_why_a_card_was_declined_and_takes_another(shop: Shop):
    shop.card = "pm_card_visa_chargeDeclined"
    assert shop.pays() == "Your card was declined."
    shop.card = "pm_card_visa"
    assert shop.pays() == "succeeded"
    assert shop.payments() == ["requires_payment_method", "succeeded"]
    assert '"amount":4200' in shop.page.locator("#card").inner_text()


@in_a_browser
def test_the_front_end_lets_the_customer_authenticate(shop: Shop):
    shop.card = "pm_card_authenticationRequired"
    assert shop.pays() == "succeeded"
    shop.outcome = "fail"
    assert shop.pays() == "You did not authenticate."


@in_a_browser
def test_the_front_end_retries_a_lost_response_with_the_same_key(shop: Shop, stack: Stack):
    stack.stripe.faults.add(count=4, match="/v1/payment_intents", cut="after")  # all attempts of one request: 502
    assert shop.pays() == "succeeded"
    assert shop.payments() == ["succeeded"]


@in_a_browser
def test_a_reload_while_paying_pays_once(shop: Shop, stack: Stack):
    stack.stripe.faults.add(match="/v1/payment_intents", delay_after=1.5)
    shop.reloads_when(lambda: stack.stripe.faults.held == 1)
    assert shop.says() == "succeeded"
    assert shop.payments() == ["succeeded"]


@in_a_browser
def test_a_reload_at_the_banks_page_finds_what_the_customer_did_there(shop: Shop):
    shop.card, shop.outcome = "pm_card_authenticationRequired", "stays at the bank"
    shop.reloads_when(lambda: shop.payments() == ["succeeded"])
    assert shop.says() == "succeeded"
    assert shop.payments() == ["succeeded"]


@in_a_browser
def test_another_try_without_any_response_pays_once(shop: Shop, api: Api):
    shop.page.evaluate("() => { const wait = setTimeout; window.setTimeout = (then, ms) => wait(then, ms / 100); }")

    def lose_the_response(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()
            route.abort()
        else:
            route.continue_()

    shop.page.route(f"{api.url}/billing", lose_the_response)
    assert "Try again" in shop.pays()
    shop.page.unroute(f"{api.url}/billing")
    assert shop.pays() == "succeeded"
    assert shop.payments() == ["succeeded"]


@in_a_browser
@pytest.mark.parametrize("call", ["createConfirmationToken", "createToken", "createPaymentMethod"])
def test_each_way_to_pay(shop: Shop, api: Api, call: str):
    names = "{ stripe: Stripe('pk_test_shop'), elements: {}, card: {}, storage: '21' }"
    program = f"async ({{ stripe, elements, card, storage }}) => {{ {fragment(call)} return {{ error, purchase }}; }}"
    made = shop.page.evaluate(f"() => ({program})({names})")
    assert made["error"] is None
    assert api.post(made["purchase"]).json()["status"] == "succeeded"


@pytest.fixture
def deployed(cloud: Cloud, _deployments: Deployments) -> Deployment:
    return _deployments("dev")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the page's npm packages, the contract, and the client that the page generates from it."""
    if NPM is None:
        pytest.skip("npm is not installed")
    shutil.copy(PROJECT / "openapi.yaml", tmp_path)
    (tmp_path / "client.ts").write_text(file("client.ts"))
    install, generate = blocks("sh")[0].splitlines()
    (more,) = re.findall(r"`npm install ([^`]+)`", PAGES)
    modules = "--module esnext --moduleResolution bundler --target es2022 --lib es2022,dom"
    try:
        run_in(tmp_path, f"{install} {more} --no-audit --no-fund --prefer-offline")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"npm could not install: {error.stderr[-300:]}")
    run_in(tmp_path, generate)
    run_in(tmp_path, f"npx tsc --strict --skipLibCheck {modules} client.ts")
    return tmp_path


def run_in(folder: Path, command: str) -> None:
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True, text=True, timeout=60)


def of_a_user(account: Account) -> dict[str, str]:
    """Return credentials like a Cognito identity's: a role's session that may call only the routes on the page."""
    iam = account.client("iam")
    iam.create_role(RoleName="Users", AssumeRolePolicyDocument="{}")
    allowed = [f"arn:aws:execute-api:*:*:*/*/{route}" for route in ("POST/billing", "GET/billing/*")]
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": allowed}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="Users", PolicyName="billing", PolicyDocument=policy)
    session = assume(f"arn:aws:iam::{account.id}:role/Users", "alice", REGION)
    return {
        "accessKeyId": session.access_key_id,
        "secretAccessKey": session.secret_access_key,
        "sessionToken": session.session_token,
    }


@in_a_browser
def test_javascript_that_signs_and_a_generated_client_charge_at_a_deployed_api(
    deployed: Deployment, chromium: Browser, installed: Path
):
    with page(chromium, deployed.cloud.internet.environment()["HTTPS_PROXY"]) as opened:
        Shop(opened, deployed.cloud.stack, deployed.url, installed).open("empty")
        program = """async ([api, region, credentials]) => {
          const { charge, lookUp } = await import("/billing.js");
          const { buy } = await import("/client.js");
          const { signed } = await import("/signed.js");
          const send = signed(async () => credentials, region);
          const purchase = { storage: 21, payment_method: "pm_card_visa" };
          const payment = await charge(api, { key: crypto.randomUUID(), purchase }, send);
          return [payment, await lookUp(api, payment.id, send), await buy(api, 21, "pm_card_visa", send),
                  await buy(api, 21, "pm_card_visa_chargeDeclined", send).catch((error) => error.message)];
        }"""
        arguments = [deployed.url, REGION, of_a_user(deployed.account)]
        payment, retrieved, bought, declined = opened.evaluate(program, arguments)
    assert retrieved == payment
    assert [(it["status"], it["amount"]) for it in (payment, bought)] == [("succeeded", 4200)] * 2
    assert declined == "Your card was declined."


def test_python_that_signs_charges_at_a_deployed_api(deployed: Deployment, tmp_path: Path):
    (code,) = blocks("python")
    (tmp_path / "charge.py").write_text(code)
    environment = {**deployed.account.environment(), "BILLING_API": deployed.url}
    stripe = deployed.cloud.stack.stripe
    before = len(stripe.payment_intents)
    stripe.faults.add(count=4, match="/v1/payment_intents", cut="after")  # 502: it is retried
    done = subprocess.run(
        [sys.executable, "charge.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert re.fullmatch(r"pi_\w+ succeeded\n", done.stdout), done.stderr
    assert [intent["status"] for intent in stripe.payment_intents[before:]] == ["succeeded"]
