"""The page in a real browser: skipped where Chromium and its driver are not installed."""

import gc
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from attrs import define, field
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from regrow import Actor, Tree, child, dynamic, open_tree, supervisor
from regrow.observe.web import serve

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.tools,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="no chromium, or no chromedriver: apt-get install chromium chromium-driver",
    ),
]

T = TypeVar("T")
TOKEN = "correct horse"  # noqa: S105 - of a test
MARKUP = "b<img src=x onerror=document.title='owned'>"


class Parser(Actor):
    def parse(self, text: str) -> None:
        raise ValueError(f"bad header {text}")


async def idle() -> None:
    await trio.sleep_forever()


shop = supervisor(
    "shop",
    child(Parser),
    child(idle, name=MARKUP),
    dynamic("sessions"),
    intensity=1000,
)


@define
class Shop:
    """A tree that is served by a thread of its own."""

    url: str = ""
    tree: Tree | None = None
    _token: trio.lowlevel.TrioToken | None = None
    _stop: trio.Event = field(factory=trio.Event)
    _up: threading.Event = field(factory=threading.Event)

    async def _live(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with open_tree(shop) as tree, trio.open_nursery() as nursery:
            self.tree = tree
            sessions = tree.supervisor("shop/sessions")
            for number in range(3000):
                await sessions.start_child(child(idle, name=f"session-{number}"))
            self.url = await nursery.start(serve_it, tree)
            self._up.set()
            await self._stop.wait()
            nursery.cancel_scope.cancel()

    def run(self, fn: Callable[..., T], *args: Any) -> T:
        assert self._token is not None
        return trio.from_thread.run_sync(fn, *args, trio_token=self._token)

    def crash(self, text: str) -> None:
        assert self.tree is not None
        parser = self.tree.ref("shop/parser", Parser)
        self.run(parser.cast_nowait, Parser.parse, text)

    def open(self) -> threading.Thread:
        thread = threading.Thread(target=trio.run, args=[self._live])
        thread.start()
        assert self._up.wait(20)
        return thread

    def close(self) -> None:
        self.run(self._stop.set)


async def serve_it(tree: Tree, *, task_status: trio.TaskStatus[str]) -> None:
    await serve(tree, "0", token=TOKEN, task_status=task_status)


@pytest.fixture
def served() -> Generator[Shop]:
    found = Shop()
    thread = found.open()
    try:
        yield found
    finally:
        found.close()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def browser(tmp_path: Path) -> Generator[Chrome]:
    options = ChromeOptions()
    assert CHROMIUM is not None
    options.binary_location = CHROMIUM
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1300,800",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
        complaints = [
            entry["message"]
            for entry in driver.get_log("browser")  # type: ignore[no-untyped-call]
            if entry["level"] in {"SEVERE", "WARNING"}
        ]
        assert complaints == []
    finally:
        driver.quit()
        with warnings.catch_warnings():  # it leaves its own connection open
            warnings.simplefilter("ignore", ResourceWarning)
            del driver
            gc.collect()


def wait_for(look: Callable[[], Any], wanted: Any, seconds: float = 10) -> float:
    """Look until it is so; give how long that took."""
    begun_at = time.monotonic()
    while (found := look()) != wanted:
        assert time.monotonic() - begun_at < seconds, f"{found!r} is not {wanted!r}"
        time.sleep(0.02)
    return time.monotonic() - begun_at


def test_a_crash_shows_within_a_second_and_its_details_have_the_traceback(
    served: Shop, browser: Chrome
) -> None:
    browser.get(served.url)
    row = '[data-path="shop/parser"]'

    def restarts() -> str:
        script = f"return document.querySelector('{row} > :nth-child(3)')?.textContent"
        return str(browser.execute_script(script))

    def last_crash() -> str:
        script = "return document.querySelector('#history .bad .what')?.textContent"
        return str(browser.execute_script(script))

    wait_for(restarts, "0")
    wait_for(lambda: browser.find_element(By.ID, "link").text, "live")
    browser.execute_script("window.same = 'page'")
    text = "<b onclick=alert(1)>"
    served.crash(text)
    wanted = f"crashed: ValueError: bad header {text} "
    taken = wait_for(lambda: (restarts(), last_crash()[: len(wanted)]), ("1", wanted))
    assert taken < 1
    browser.find_element(By.CSS_SELECTOR, f"{row} .label").click()

    def failure() -> str:
        script = "return document.querySelector('#about .failure')?.textContent ?? ''"
        return str(browser.execute_script(script))

    wait_for(lambda: failure()[:9], "Traceback")
    assert "in parse\n" in failure()
    assert failure().endswith(f"ValueError: bad header {text}\n")
    served.crash("again")
    wait_for(lambda: (restarts(), failure()[-6:]), ("2", "again\n"), 2)
    assert browser.execute_script("return window.same") == "page"


def test_names_are_text_and_only_visible_rows_are_made(
    served: Shop, browser: Chrome
) -> None:
    browser.get(served.url)
    wait_for(lambda: browser.find_element(By.ID, "places").text, "3004")
    script = (
        "return [...document.querySelectorAll('.row .label')].map(e => e.textContent)"
    )
    labels = browser.execute_script(script)
    assert 20 < len(labels) < 60
    assert labels[:3] == ["shop", "parser", MARKUP]
    assert browser.find_elements(By.CSS_SELECTOR, ".row img") == []
    browser.execute_script("document.getElementById('scroll').scrollTop = 1e9")

    def last() -> str:
        script = "return [...document.querySelectorAll('.row')].pop().dataset.path"
        return str(browser.execute_script(script))

    wait_for(last, "shop/sessions/session-2999")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".row")) < 60
    assert browser.title.startswith("shop · ")


def test_by_keys_alone(served: Shop, browser: Chrome) -> None:
    browser.get(served.url)
    wait_for(lambda: browser.find_element(By.ID, "places").text, "3004")
    tree = browser.find_element(By.ID, "scroll")
    tree.send_keys(Keys.DOWN)

    def chosen() -> list[str]:
        script = (
            "return [...document.querySelectorAll('.chosen')].map(r => r.dataset.path)"
        )
        return list(browser.execute_script(script))

    assert chosen() == ["shop/parser"]
    tree.send_keys(Keys.END)
    wait_for(chosen, ["shop/sessions/session-2999"])
    tree.send_keys(Keys.ENTER)
    wait_for(
        lambda: browser.find_element(By.ID, "path").text, "shop/sessions/session-2999"
    )
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait_for(lambda: browser.find_element(By.ID, "details").is_displayed(), False)
    tree.send_keys("/")
    browser.switch_to.active_element.send_keys("PARSER")

    def paths() -> list[str]:
        script = (
            "return [...document.querySelectorAll('.row')].map(r => r.dataset.path)"
        )
        return list(browser.execute_script(script))

    wait_for(paths, ["shop/parser"])


def test_with_the_token_the_page_steers(served: Shop, browser: Chrome) -> None:
    browser.get(served.url)
    row = '[data-path="shop/parser"] .label'
    wait_for(lambda: len(browser.find_elements(By.CSS_SELECTOR, row)), 1)
    browser.find_element(By.CSS_SELECTOR, row).click()
    wait_for(lambda: len(browser.find_elements(By.CSS_SELECTOR, ".steer input")), 1)

    def said() -> str:
        script = "return document.getElementById('said')?.textContent"
        return str(browser.execute_script(script))

    def press() -> None:
        browser.execute_script(
            "[...document.querySelectorAll('.steer button')]"
            ".find(b => b.textContent === 'restart').click()"
        )

    press()
    wait_for(lambda: "Authorization: Bearer" in said(), True)
    browser.find_element(By.CSS_SELECTOR, ".steer input").send_keys(TOKEN)
    press()
    wait_for(said, "restart: done")
    assert served.tree is not None
    assert served.run(served.tree.snapshot, "shop/parser").incarnation == 2
    # The refusal is told in the console by the browser itself.
    refused = [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]
    assert all("401" in message for message in refused if "steer" in message)
