"""Measures the console in a browser: the time to its first paint, and from Pay to the text message in the timeline.

Run `make run` in one terminal and `make bench-console` in another. Set CONSOLE_PORT if it is not
8001. Each figure comes from a new browser context with an empty cache.
"""

import os
import shutil
import statistics
import sys

from playwright.sync_api import Browser, Error, sync_playwright

RUNS = 15
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
# Milliseconds from the click until the last step of the newest purchase is visible.
_PURCHASE = """
new Promise((resolve) => {
  const started = performance.now();
  const before = document.querySelector(".purchase");
  const check = () => {
    const newest = document.querySelector(".purchase");
    if (newest === before || newest.querySelector("li:last-child .step").dataset.state !== "done") return;
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - started));
  };
  const observer = new MutationObserver(check);
  const changes = { subtree: true, childList: true, attributes: true };
  observer.observe(document.getElementById("timeline"), changes);
  document.getElementById("pay").click();
})
"""


def measure(browser: Browser, url: str) -> tuple[float, float]:
    """Open the console, and pay.

    :return: milliseconds until the first paint, and from Pay to the text message.
    :raises Error: the console does not respond.
    """
    context = browser.new_context(bypass_csp=True)  # wait_for_function evaluates text in the page
    page = context.new_page()
    page.goto(url)
    page.wait_for_function("document.getElementById('pay').textContent.includes('$')")
    page.wait_for_function(_PAINT)
    paint = float(page.evaluate(_PAINT))
    purchase = float(page.evaluate(_PURCHASE))
    context.close()
    return paint, purchase


def main() -> None:
    """Print medians and maxima."""
    url = f"http://127.0.0.1:{os.environ.get('CONSOLE_PORT', '8001')}"
    chromium = shutil.which("chromium")
    if not chromium:
        sys.exit("Chromium is not installed. Install it:\n\n    apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        try:
            figures = [measure(browser, url) for _ in range(RUNS)]
        except Error as error:
            sys.exit(f"The console at {url} failed: {error.message.splitlines()[0]}\nTo start it:\n\n    make run")
        finally:
            browser.close()
    for name, values in zip(("first paint", "Pay to SMS"), zip(*figures, strict=True), strict=True):
        print(f"console: {name} {statistics.median(values):.0f} ms, at most {max(values):.0f} ms, of {RUNS}")


if __name__ == "__main__":
    main()
