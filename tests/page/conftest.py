"""One stack for all tests of the page, and a browser window a test that must be silent at its end."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from typing import Any

import asyncpg
import pytest
from desk import DEADLINE_S, Desk
from playwright.sync_api import Browser, expect, sync_playwright
from world import World

from relearn_contracts.topics import all_topics
from relearn_local import tokens as token_file
from relearn_local import topics
from relearn_local.testing import KafkaForTest, TokensForTest

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "no browser here; on Debian: apt-get install chromium"
expect.set_options(timeout=DEADLINE_S * 1000)
SIZE = {"width": 1280, "height": 800}


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; the page it will show is built."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(INSTALL)
        pytest.skip(INSTALL)
    subprocess.run([sys.executable, ROOT / "tools" / "page.py", "build"], check=True)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Not for the whole session: as long as Playwright is at work, its loop keeps other tests from running theirs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def world(
    chromium: str, postgres_server_of_run: Any, kafka_server_of_run: Any, tmp_path_factory: Any
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("page")
    names = [f"page_{name}_{token_hex(4)}" for name in ("labeling", "datasets")]
    for name in names:
        _execute(postgres_server_of_run.url("postgres"), f'create database "{name}"')
    prefix, servers = f"t{token_hex(6)}.", kafka_server_of_run.bootstrap_servers
    topics.apply(all_topics(), bootstrap_servers=servers, prefix=prefix)
    path = folder / "tokens.json"
    by_role = {role: token_file.add(path, subject=f"test-{role}", role=role) for role in token_file.ROLES}
    labeling, datasets = (postgres_server_of_run.url(name) for name in names)
    world = World(
        kafka=KafkaForTest(bootstrap_servers=servers, topic_prefix=prefix),
        tokens=TokensForTest(path=path, by_role=by_role),
        labeling_url=labeling,
        datasets_url=datasets,
        folder=folder,
    )
    world.start()
    yield world
    world.stop()
    topics.delete(prefix, bootstrap_servers=servers)


@pytest.fixture
def open_desk(world: World, browser: Browser) -> Iterator[Callable[..., Desk]]:
    """Opens windows of the page, each of a person of its own; no window may complain."""
    desks: list[Desk] = []

    def opened(*, role: str = "annotator", signed_in: bool = True, **options: Any) -> Desk:
        context = browser.new_context(**{"viewport": SIZE, "color_scheme": "dark", **options})
        context.set_default_timeout(DEADLINE_S * 1000)
        desk = Desk(world, context, subject=f"ada-{token_hex(3)}", role=role)
        desks.append(desk)
        if signed_in:
            desk.sign_in()
        return desk

    yield opened
    for desk in desks:
        desk.page.unroute_all(behavior="ignoreErrors")
        desk.page.context.close()
    assert [complaint for desk in desks for complaint in desk.complaints] == []


def _execute(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # the browser's loop has this one
        thread.submit(lambda: asyncio.run(run())).result()
