"""What a person waits for at the console: its first paint, and from Pay to the text message in the timeline.

`make run` in one terminal, `.venv/bin/python -m benchmarks.console` in another; CONSOLE_PORT where it is not 8001. Each
figure is of a browser context of its own, with nothing cached.
"""

import os
import shutil
import statistics
import sys

from playwright.sync_api import Browser, Error, sync_playwright

RUNS = 15
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
# Milliseconds from the click until the newest purchase's last step is there to be seen.
_PURCHASE = """
new Promise((resolve) => {
  const began = performance.now();
  const before = document.querySelector(".purchase");
  const look = () => {
    const newest = document.querySelector(".purchase");
    if (newest === before || newest.querySelector("li:last-child .step").dataset.state !== "done") return;
    watch.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - began));
  };
  const watch = new MutationObserver(look);
  const changes = { subtree: true, childList: true, attributes: true };
  watch.observe(document.getElementById("timeline"), changes);
  document.getElementById("pay").click();
})
"""


def measured(browser: Browser, url: str) -> tuple[float, float]:
    """Open the console, and pay.

    :return: milliseconds until the first paint, and from Pay to the text message.
    :raises Error: the console is not there.
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
    """Print the figures."""
    url = f"http://127.0.0.1:{os.environ.get('CONSOLE_PORT', '8001')}"
    chromium = shutil.which("chromium") or sys.exit("There is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        try:
            figures = [measured(browser, url) for _ in range(RUNS)]
        except Error as error:
            sys.exit(f"{url} can't be measured: {error.message.splitlines()[0]}. Is `make run` running?")
        finally:
            browser.close()
    for name, values in zip(("first paint", "Pay to SMS"), zip(*figures, strict=True), strict=True):
        print(f"console: {name} {statistics.median(values):.0f} ms, at most {max(values):.0f} ms, of {RUNS}")


if __name__ == "__main__":
    main()
