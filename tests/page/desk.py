"""A person at the page: a browser window, a mouse and a keyboard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Route, expect
from world import Project, World

DEADLINE_S = 15.0
AXE = Path(__file__).parents[2] / "services" / "labeling" / "page" / "node_modules" / "axe-core" / "axe.min.js"


class Desk:
    """One window of one annotator."""

    def __init__(self, world: World, context: BrowserContext, *, subject: str, role: str) -> None:
        self.world, self.subject, self.role = world, subject, role
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()  # what may be complained of
        self.page.on(
            "console", lambda message: self._note(message.text) if message.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self._note(str(error)))

    def _note(self, text: str) -> None:
        if not any(part in text for part in self.expected):
            self.complaints.append(text)

    def sign_in(self) -> None:
        """As a person does who has seen the tour."""
        self.expected = ("401",)  # of asking who is signed in, before anybody is
        self.page.goto(self.world.url)
        self.page.evaluate(f"localStorage.setItem('relearn/tour/{self.subject}', 'over')")
        self.page.get_by_label("Personal access token").fill(self.world.token(self.subject, self.role))
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Queues")).to_be_visible()
        self.expected = ()

    def suggest(self, *regions: dict[str, Any]) -> Desk:
        """From now on tasks come with these suggestions of a model, beside what the service says."""

        def told(route: Route) -> None:
            response = route.fetch()
            found = response.json()
            if found.get("labelTask"):
                found["suggestions"] = [{**region, "modelVersionId": "m/model/7"} for region in regions]
            route.fulfill(response=response, json=found)

        self.page.route("**/relearn.labeling.v1.LabelingService/NextTask", told)
        return self

    def open(self, project: Project) -> Desk:
        """The first task of a project."""
        self.page.goto(f"{self.world.url}/label/{project.name}")
        expect(self.canvas).to_be_visible()
        return self

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, on: Locator | None = None) -> None:
        """From one place to another, in screen pixels of the canvas."""
        box = (on or self.canvas).bounding_box()
        assert box is not None
        mouse = self.page.mouse
        mouse.move(box["x"] + start[0], box["y"] + start[1])
        mouse.down()
        mouse.move(box["x"] + (start[0] + end[0]) / 2, box["y"] + (start[1] + end[1]) / 2)
        mouse.move(box["x"] + end[0], box["y"] + end[1])
        mouse.up()

    def until(self, expression: str) -> None:
        """Waits until an expression is true in the page, whose policy forbids the browser's own way to wait for one."""
        give_up = time.monotonic() + DEADLINE_S
        while not self.page.evaluate(expression):
            assert time.monotonic() < give_up, f"{expression} did not come true"
            self.page.wait_for_timeout(20)

    @property
    def canvas(self) -> Locator:
        return self.page.get_by_role("application").first

    @property
    def rows(self) -> Locator:
        """The list of regions."""
        return self.page.get_by_label("Regions", exact=True).locator(".row")

    @property
    def labels(self) -> list[str]:
        """Their classes, in the order of the list."""
        return self.rows.locator(".name").all_inner_texts()

    @property
    def selected(self) -> list[str]:
        return self.page.locator(".row.chosen .name").all_inner_texts()

    @property
    def message(self) -> Locator:
        return self.page.locator(".message")

    def shapes(self) -> list[dict[str, float]]:
        """Boxes on the picture, in pixels of the picture."""
        found: list[dict[str, float]] = self.page.eval_on_selector_all(
            ".shape > rect",
            "all => all.map(r => Object.fromEntries(['x','y','width','height'].map(n => [n, +r.getAttribute(n)])))",
        )
        return found

    def findings(self) -> list[str]:
        """What axe finds wrong with the page as it is."""
        self.page.evaluate(AXE.read_text())
        found: Any = self.page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))")
        return list(found)
