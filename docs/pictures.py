"""Makes the pictures of the pages from real runs: `python docs/pictures.py`.

It has to be run in a checkout, where regrow is installed with its extra `dev`. The pictures
show what a run gave, so each time they are other ones. That of the web page needs chromium
and chromedriver as well.
"""

from __future__ import annotations

import argparse
import logging
import re
import shutil
import sys
import tempfile
from io import StringIO
from pathlib import Path
from random import Random
from typing import Final

import trio
from rich.console import Console
from rich.terminal_theme import MONOKAI
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the examples

from examples.night import shop
from regrow import Event, Tree, open_tree
from regrow.cli.demo._job import Job
from regrow.cli.demo._killer import Killer, plan_strikes
from regrow.cli.demo._progress import Progress
from regrow.cli.demo._source import standard_library
from regrow.cli.demo._store import create_store
from regrow.cli.demo._tree import actor_paths
from regrow.observe._model import State, fitted
from regrow.observe._row import Page, Query
from regrow.observe._rows import Rows
from regrow.observe._view import CHROME, Shown, frame
from regrow.observe.web import serve

HERE: Final = Path(__file__).parent / "pictures"
WIDTH: Final = 100
HEIGHT: Final = 16
WORKERS: Final = 4
KILLS: Final = 200
ENOUGH: Final = 60  # restarts; then there is something to be seen
NIGHT: Final = 23.0  # seconds; the shop has crashed twice by then


def demo() -> tuple[Page, str, float]:
    """Give a page of `regrow demo --live --kill 200`, its note, and its uptime."""
    seen: list[tuple[Page, str, float]] = []
    progress = Progress()
    strikes = plan_strikes(actor_paths(WORKERS), KILLS, Random(1))

    def ignore(_: Event) -> None:
        """Nothing has to be kept of it."""

    async def look(tree: Tree) -> None:
        rows, begun_at = Rows(tree), trio.current_time()
        busy = False
        while not busy:
            await trio.sleep(0.1)
            page = await rows.latest_page(Query(limit=HEIGHT - CHROME))
            busy = page.restarts > ENOUGH and any(row.waiting for row in page.rows)
            account = progress.account
            if account is not None:
                done = f"{account.settled:,} of {account.found:,} files"
                note = f"indexing: {done}, {account.dead_letters} dead letters"
                seen[:] = [(page, note, trio.current_time() - begun_at)]

    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "index.sqlite3")
        create_store(database)
        job = Job(
            standard_library(),
            database,
            WORKERS,
            progress,
            Killer(strikes),
            ignore,
            (look,),
        )
        trio.run(job.run)
    return seen[0]


def draw(page: Page, note: str, uptime: float) -> str:
    """Give the picture of the live view, as SVG."""
    state = fitted(State(cursor=3), total=page.total, height=HEIGHT - CHROME)
    shown = Shown("demo", page, state, None, uptime, note, WIDTH, HEIGHT)
    console = Console(
        record=True,
        width=WIDTH,
        height=HEIGHT,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(frame(shown), end="", crop=False)
    svg = console.export_svg(
        title=f"regrow demo --live --kill {KILLS}", theme=MONOKAI, unique_id="live"
    )
    # Pages do without the network; the fonts would come from there.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


async def photograph(file: Path) -> None:
    """Take a picture of the web page while the shop of `examples/night.py` runs."""
    async with open_tree(shop()) as tree, trio.open_nursery() as nursery:
        url = await nursery.start(serve, tree, "0")
        await trio.sleep(NIGHT)
        await trio.to_thread.run_sync(shoot, url, file)
        nursery.cancel_scope.cancel()


def shoot(url: str, file: Path) -> None:
    """Open the page and the details of the place that crashes, and keep what is seen."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory() as folder:
        for argument in (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            f"--user-data-dir={folder}",
            "--window-size=1180,760",
        ):
            options.add_argument(argument)
        driver = shutil.which("chromedriver") or "chromedriver"
        with Chrome(options=options, service=Service(driver)) as browser:
            browser.get(url)
            browser.implicitly_wait(5)
            browser.find_element(By.XPATH, "//*[text()='parser']").click()
            browser.find_element(By.XPATH, "//*[text()='Last failure']")
            browser.save_screenshot(str(file))


def main() -> None:
    """Make them all."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    logging.disable()  # the crashes are what is to be seen
    HERE.mkdir(exist_ok=True)
    (HERE / "live.svg").write_text(draw(*demo()), "utf-8")
    trio.run(photograph, HERE / "page.png")


if __name__ == "__main__":
    main()
