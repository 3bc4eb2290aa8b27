"""The story, step by step. Each step waits for what the events say, never for a duration."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from fashion_demo.images import unpack
from fashion_demo.product_log import ProductLog
from fashion_demo.stack import Processes
from fashion_demo.telling import Teller
from fashion_demo.timeline import Happened, Timeline
from fashion_demo.traffic import Traffic
from relearn_client import Relearn

PROJECT = "fashion"
PROJECT_FILE = Path(__file__).parent.parent / "project.yaml"
ANNOTATORS = 3
CLEAN_PREDICTIONS = 400  # after the reference is frozen, before the camera is turned
QUIET_PREDICTIONS = 1200  # after the alert is resolved
POLL_S = 0.1

T = TypeVar("T")


class StoryStuck(Exception):
    """A step did not happen in time; says what each stage waits for."""


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

    def import_samples(self) -> None:
        """A project and its first labels."""
        self.teller.step("import 4,000 labeled pictures")
        self.relearn.apply_project(PROJECT_FILE)
        labeled = self.folder / "labeled"
        unpack("labeled", labeled)
        done = self.relearn.import_folder(
            PROJECT,
            labeled,
            on_progress=lambda sent, total: self.teller.progress(f"{sent} of {total}"),
        )
        if done.version is None:
            raise StoryStuck("the import changed nothing: the stack is not a fresh one")
        counts = done.version.counts
        self.teller.note(f"{done.version.dataset_version_id}: {counts.train} to train, {counts.validation} to validate")

    def first_champion(self) -> None:
        """The first study, and its winner serves."""
        self.teller.step("the first study")
        self._tell_runs(until="ModelVersionJudged")
        judged = self._wait(lambda: self.timeline.all("ModelVersionJudged"), "the gate's word")
        self.teller.note(judged[0].message["judgement"]["reason"])
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
                token=self.processes.output("tokens", "add", name, "--role", "annotator"),
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
        alert = self._wait(
            lambda: self.timeline.all("AlertOpened", lambda e: e.time > self.changed_at),
            "an alert",
        )[0]
        self.teller.note(f"alert after {alert.time - self.changed_at:.1f} s: {_reason(alert)}")

    def label(self) -> None:
        """Flags become tasks, annotators answer, audits settle the alert, labels are committed."""
        self.teller.step("flags become label tasks, annotators answer")
        imported = len(self.timeline.all("VersionCommitted"))

        def progress() -> list[Happened]:
            flags = self._since("PredictionFlagged")
            labels = {e.message["label"]["label_id"] for e in self._since("LabelAccepted")}
            self.teller.progress(f"{len(labels)} labels for {len(flags)} flags")
            return self._since("AlertConfirmed")

        confirmed = self._wait(progress, "the alert's confirmation")[0]
        self.teller.note(f"alert confirmed: {_reason(confirmed)}")
        self._wait(lambda: (progress(), self._since("StudyStarted"))[1], "a study")
        for committed in self.timeline.all("VersionCommitted")[imported:]:
            version = committed.message["dataset_version"]
            self.teller.note(f"{version['dataset_version_id']}: {version['message']}")

    def train(self) -> None:
        """One study on old and new labels."""
        study = self._since("StudyStarted")[0].message["study"]
        self.teller.step(f"a study on {study['dataset_version_id']}: {study['reason']}")
        self._tell_runs(until="StudyFinished")
        judged = self._wait(lambda: self._judged(step=1), "gate step 1")[0]
        self.teller.note(f"gate step 1: {judged.message['judgement']['reason']}")

    def shadow(self) -> None:
        """The challenger runs beside the champion; their disagreements are labeled."""
        self.teller.step("shadow: champion and challenger on the same pictures")

        def compared() -> list[Happened]:
            for event in self._since("ShadowCompared")[-1:]:
                pairs, differ = event.message.get("pairs", 0), event.message.get("disagreements", 0)
                asked = event.message.get("asked", 0)
                self.teller.progress(f"{pairs} pairs, {differ} disagreements, {asked} asked")
            verdicts = ("VERDICT_PASSED", "VERDICT_REJECTED")
            judged = self._judged(step=2)
            return [e for e in judged if e.message["judgement"]["verdict"] in verdicts]

        judged = self._wait(compared, "gate step 2")[0]
        self.teller.note(f"gate step 2: {judged.message['judgement']['reason']}")

    def canary(self) -> None:
        """The challenger gets more and more of the traffic."""
        self.teller.step("canary")
        told = 0

        def finished() -> list[Happened]:
            nonlocal told
            changes = self._since("RouteChanged")
            for change in changes[told:]:
                self.teller.note(_reason(change))
            told = len(changes)
            ends = ("OUTCOME_FINISHED", "OUTCOME_UNDONE")
            return [change for change in changes if change.message["outcome"] in ends]

        self.finished_at = self._wait(finished, "the end of the rollout")[0].time
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
        self.processes.tell("product", "stop")
        self.processes.finish("product")
        self.traffic.read()
        self.teller.note(f"{len(self.traffic.answers)} requests answered")

    def _judged(self, *, step: int) -> list[Happened]:
        return [event for event in self._since("ModelVersionJudged") if event.message["judgement"]["step"] == step]

    def _since(self, name: str) -> list[Happened]:
        return self.timeline.all(name, lambda event: event.time >= self.changed_at)

    def _tell_runs(self, *, until: str) -> None:
        """Tell each run as it ends."""
        told: set[str] = set()

        def ended() -> bool:
            runs = self._since("RunFinished") + self._since("RunFailed")
            for event in runs:
                run = event.message["run"]
                if run["run_id"] not in told:
                    told.add(run["run_id"])
                    outcome = run.get("failure") or f"objective {run.get('objective', 0):.3f}"
                    parameters = ", ".join(
                        f"{p['name']} {p.get('text', p.get('number'))}" for p in run.get("parameters", [])
                    )
                    self.teller.note(f"{run['family']}: {outcome} ({parameters})")
            self.teller.progress(f"{len(told)} runs ended")
            return bool(self._since(until))

        self._wait(ended, "the study's end", deadline_s=400)

    def _wait(self, condition: Callable[[], T], what: str, *, deadline_s: float = 300) -> T:
        """Until the condition holds; tells the traffic meanwhile."""
        give_up_at = time.monotonic() + deadline_s
        while True:
            self.processes.check()
            self.traffic.read()
            self.teller.accuracy(self.traffic.curve())
            if found := condition():
                return found
            if time.monotonic() > give_up_at:
                why = "\n".join(str(line) for line in self.relearn.why(PROJECT))
                raise StoryStuck(f"waited {deadline_s:.0f} s for {what}; the stages say:\n{why}")
            time.sleep(POLL_S)


def _reason(event: Happened) -> str:
    return str(event.message.get("alert", event.message)["reason"])
