"""The demo's report in a real browser, as wide as a desk and as narrow as a phone."""

import os
import shutil
from collections.abc import Iterator

import pytest
from demo import Demo
from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}
INSTALL = "no browser here; on Debian: apt-get install chromium"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(INSTALL)
        pytest.skip(INSTALL)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, demo: Demo) -> Iterator[Page]:
    page = browser.new_page(viewport=request.param)
    page.requested, page.complaints = [], []
    page.on("request", lambda request: page.requested.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto((demo.folder / "report.html").as_uri())
    yield page
    page.close()


def test_the_page_says_that_the_loop_closed_and_loads_nothing(page: Page, demo: Demo) -> None:
    assert page.title() == "Relearn: The loop closed"
    assert page.inner_text("h1") == "The loop closed"
    assert page.requested == [(demo.folder / "report.html").as_uri()]
    assert page.complaints == []


def test_the_page_is_as_wide_as_the_screen(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_no_text_of_the_picture_is_cut_off(page: Page) -> None:
    cut = page.evaluate(
        """() => {
            const frame = document.querySelector("svg").getBoundingClientRect();
            const inside = box => box.left >= frame.left && box.right <= frame.right && box.top >= frame.top;
            const texts = [...document.querySelectorAll("svg text")];
            return texts.filter(text => !inside(text.getBoundingClientRect())).map(text => text.textContent);
        }"""
    )

    assert cut == []


def test_an_interval_stays_on_one_line(page: Page) -> None:
    broken = page.evaluate(
        """() => [...document.querySelectorAll("table:not(.words) td + td")]
            .filter(cell => cell.textContent.includes("[") && getComputedStyle(cell).whiteSpace !== "nowrap")
            .map(cell => cell.textContent)"""
    )

    assert broken == []
