"""The story, step by step. Each step waits for what the events say, never for a duration."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from fashion_demo.books import Books
from fashion_demo.images import unpack
from fashion_demo.product_log import ProductLog
from fashion_demo.stack import Processes
from fashion_demo.telling import Teller
from fashion_demo.timeline import Happened, Timeline
from fashion_demo.traffic import Traffic
from relearn_client import Relearn, Unavailable

PROJECT = "fashion"
PROJECT_FILE = Path(__file__).parent.parent / "project.yaml"
ANNOTATORS = 3
CLEAN_PREDICTIONS = 400  # after the reference is frozen, before the camera is turned
QUIET_PREDICTIONS = 1200  # after the alert is resolved
POLL_S = 0.1

T = TypeVar("T")


class StoryStuck(Exception):
    """The story can't go on: a step did not happen in time, or the loop decided otherwise; says why."""


@dataclass(kw_only=True)
class Story:
    """What the steps share."""

    relearn: Relearn
    processes: Processes
    timeline: Timeline
    teller: Teller
    folder: Path
    rate: float
    seed: int
    traffic: Traffic = field(init=False)
    started_at: float = 0.0
    changed_at: float = 0.0
    finished_at: float = 0.0

    def __post_init__(self) -> None:
        """The product's log is where the traffic is read from."""
        self.traffic = Traffic(ProductLog(self.product_log))

    @property
    def product_log(self) -> Path:
        """Where the product writes what it got."""
        return self.folder / "product.jsonl"

    def run(self) -> None:
        """All steps, in order."""
        self.import_samples()
        self.first_champion()
        self.start_product()
        self.freeze_reference()
        self.turn_camera()
        self.label()
        self.train()
        self.shadow()
        self.canary()
        self.quiet()
        self.come_to_rest()

    def import_samples(self) -> None:
        """A project and its first labels."""
        self.teller.step("import 4,000 labeled pictures")
        self.relearn.apply_project(PROJECT_FILE)
        labeled = self.folder / "labeled"
        unpack("labeled", labeled)
        try:
            self._import(labeled)
        except Unavailable:  # an import that broke off left nothing behind, so the same again is right
            self._import(labeled)
        version = self._wait(lambda: self.timeline.all("VersionCommitted"), "the first dataset version")[0]
        counts = version.message["dataset_version"]["counts"]
        self.teller.note(f"{counts['train']} to train, {counts['validation']} to validate")

    def _import(self, folder: Path) -> None:
        self.relearn.import_folder(
            PROJECT, folder, on_progress=lambda sent, total: self.teller.progress(f"{sent} of {total}")
        )

    def first_champion(self) -> None:
        """The first study, and its winner serves."""
        self.teller.step("the first study")
        self._tell_runs()
        self._passed(step=1)
        self._wait(lambda: self.timeline.all("RouteChanged"), "the first route")

    def start_product(self) -> None:
        """The product and the annotators, in their own processes."""
        self.teller.step(f"a product sends {self.rate:.0f} pictures a second")
        self._wait(lambda: self.relearn.route_acknowledged(PROJECT), "a gateway with the model")
        self.started_at = time.time()
        self.processes.start(
            "product",
            "fashion_demo.product",
            [
                f"--url={self.relearn.endpoints.gateway}",
                f"--model={PROJECT}",
                f"--rate={self.rate}",
                f"--seed={self.seed}",
                f"--log={self.product_log}",
            ],
        )
        for number in range(1, ANNOTATORS + 1):
            name = f"annotator-{number}"
            self.processes.start(
                name,
                "fashion_demo.annotator",
                [
                    f"--project={PROJECT}",
                    f"--truth={self.product_log}",
                    f"--seed={self.seed * 1000 + number}",
                ],
                token=self.processes.local("tokens", "add", name, "--role", "annotator"),
            )

    def freeze_reference(self) -> None:
        """The monitor learns what this champion's traffic looks like."""
        self.teller.step("monitoring freezes its reference from live predictions")

        def frozen() -> bool:
            watched = self.relearn.monitoring(PROJECT).versions
            if watched:
                self.teller.progress(f"{watched[0].reference_predictions} predictions")
            return bool(watched) and watched[0].reference_frozen

        self._wait(frozen, "the reference")
        answers = len(self.traffic.answers)
        self._wait(lambda: len(self.traffic.answers) >= answers + CLEAN_PREDICTIONS, "clean traffic")

    def turn_camera(self) -> None:
        """Somebody bumps into the camera."""
        self.teller.step("the camera is turned by 90 degrees")
        self.changed_at = time.time()
        self.processes.tell("product", "camera turned")
        alert = self._wait(lambda: self._since("AlertOpened"), "an alert")[0]
        self.teller.note(f"alert after {alert.time - self.changed_at:.1f} s: {_reason(alert)}")

    def label(self) -> None:
        """Flags become tasks, annotators answer, audits settle the alert, labels are committed."""
        self.teller.step("flags become label tasks, simulated annotators answer")

        def since(name: str) -> list[Happened]:
            labels = {e.message["label"]["label_id"] for e in self._since("LabelAccepted")}
            self.teller.progress(f"{len(labels)} labels for {len(self._since('PredictionFlagged'))} flags")
            return self._since(name)

        def confirmed() -> list[Happened]:
            if refuted := self._since("AlertRefuted"):
                raise StoryStuck(f"the alert was refuted: {_reason(refuted[0])}")
            return since("AlertConfirmed")

        self.teller.note(f"alert confirmed: {_reason(self._wait(confirmed, 'the audits of the alert')[0])}")
        self._wait(lambda: since("StudyStarted"), "a study")
        for committed in self._since("VersionCommitted"):
            version = committed.message["dataset_version"]
            self.teller.note(f"{version['dataset_version_id']}: {version['message']}")

    def train(self) -> None:
        """One study on old and new labels."""
        study = self._since("StudyStarted")[0].message["study"]
        self.teller.step(f"a study on {study['dataset_version_id']}: {study['reason']}")
        self._tell_runs()
        self._passed(step=1)

    def shadow(self) -> None:
        """The challenger runs beside the champion; their disagreements are labeled."""
        self.teller.step("shadow: champion and challenger on the same pictures")

        def progress() -> None:
            for event in self._since("ShadowCompared")[-1:]:
                pairs, differ = event.message.get("pairs", 0), event.message.get("disagreements", 0)
                self.teller.progress(
                    f"{pairs} pairs, {differ} disagreements, {event.message.get('asked', 0)} of them asked"
                )

        self._passed(step=2, meanwhile=progress)

    def canary(self) -> None:
        """The challenger gets more and more of the traffic."""
        self.teller.step("canary")
        told = 0

        def ended() -> list[Happened]:
            nonlocal told
            steps = [e for e in self._since("RouteChanged") if e.message["route"]["phase"] != "PHASE_SHADOW"]
            for step in steps[told:]:
                weight = step.message["route"].get("weight_percent")
                self.teller.note(f"{weight} % of the traffic" if weight else _reason(step))
            told = len(steps)
            return [step for step in steps if step.message["outcome"] in ("OUTCOME_FINISHED", "OUTCOME_UNDONE")]

        end = self._wait(ended, "the end of the rollout")[0]
        if end.message["outcome"] == "OUTCOME_UNDONE":
            raise StoryStuck(f"the rollout was undone: {_reason(end)}")
        self.finished_at = end.time
        resolved = self._wait(lambda: self._since("AlertResolved"), "the alert's end")[0]
        self.teller.note(f"alert resolved: {_reason(resolved)}")

    def quiet(self) -> None:
        """And then nothing happens."""
        self.teller.step("and then it is quiet")
        answers = len(self.traffic.answers)

        def quiet() -> bool:
            seen = len(self.traffic.answers) - answers
            self.teller.progress(f"{seen} of {QUIET_PREDICTIONS} predictions without an alert")
            watched = self.relearn.monitoring(PROJECT).versions
            return seen >= QUIET_PREDICTIONS and bool(watched) and watched[0].reference_frozen

        self._wait(quiet, "quiet traffic")
        self.processes.stop("product")
        self.traffic.read()
        self.teller.note(f"{len(self.traffic.answers)} requests in all")

    def come_to_rest(self) -> None:
        """What the traffic left behind is brought to its end: picks, tasks, labels."""
        self.teller.step("the last labels are answered and committed")
        counted = -1

        def at_rest() -> bool:
            nonlocal counted
            ends = Books(events=self.timeline.events).open_ends()
            self.teller.progress(f"{len(ends)} to go" + (f": {ends[0]}" if ends else ""))
            state = self.relearn.monitoring(PROJECT)
            before, counted = counted, state.predictions
            picked = sum(stream.reserved for stream in state.budget.streams.values())
            return not ends and not picked and counted == before

        self._wait(at_rest, "the last label")

    def _passed(self, *, step: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """The gate lets the newest version through this step."""

        def judged() -> list[Happened]:
            meanwhile()
            judgements = [
                event for event in self._since("ModelVersionJudged") if event.message["judgement"]["step"] == step
            ]
            for event in judgements:
                if event.message["judgement"]["verdict"] == "VERDICT_REJECTED":
                    raise StoryStuck(f"gate step {step} rejected the version: {_gate_reason(event)}")
            return [event for event in judgements if event.message["judgement"]["verdict"] == "VERDICT_PASSED"]

        passed = self._wait(judged, f"gate step {step}")[0]
        self.teller.note(f"gate step {step}: {_gate_reason(passed)}")

    def _since(self, name: str) -> list[Happened]:
        return self.timeline.all(name, lambda event: event.time >= self.changed_at)

    def _tell_runs(self) -> None:
        """Tell each run as it ends, until the study has a winner."""
        told: set[str] = set()

        def finished() -> list[Happened]:
            for event in self._since("RunFinished") + self._since("RunFailed"):
                if event.message["run"]["run_id"] not in told:
                    told.add(event.message["run"]["run_id"])
                    self.teller.note(_run(event))
            self.teller.progress(f"{len(told)} runs ended")
            return self._since("StudyFinished")

        study = self._wait(finished, "the study's end", deadline_s=400)[0]
        if "winner" not in study.message:
            raise StoryStuck("the study has no winner: all of its runs failed")

    def _wait(self, condition: Callable[[], T], what: str, *, deadline_s: float = 300) -> T:
        """Until the condition holds; tells the traffic meanwhile."""
        give_up_at = time.monotonic() + deadline_s
        while True:
            self.processes.check()
            self.traffic.read()
            self.teller.accuracy(self.traffic.curve)
            try:
                if found := condition():
                    return found
            except Unavailable as away:  # a service that is restarted comes back
                self.teller.progress(str(away.message))
            if time.monotonic() > give_up_at:
                why = "\n".join(str(line) for line in self.relearn.why(PROJECT))
                raise StoryStuck(f"waited {deadline_s:.0f} s for {what}; the stages say:\n{why}")
            time.sleep(POLL_S)


def _run(event: Happened) -> str:
    run = event.message["run"]
    outcome = run.get("failure") or f"objective {run.get('objective', 0):.3f}"
    parameters = ", ".join(f"{p['name']} {p.get('text', p.get('number'))}" for p in run.get("parameters", []))
    return f"{run['family']}: {outcome} ({parameters})"


def _gate_reason(event: Happened) -> str:
    return str(event.message["judgement"]["reason"])


def _reason(event: Happened) -> str:
    return str(event.message.get("alert", event.message)["reason"])
