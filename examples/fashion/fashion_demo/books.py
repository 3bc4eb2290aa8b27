"""What must hold of the events of a project, whoever was killed when: nothing lost, nothing counted twice."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fashion_demo.timeline import Happened, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Events of one project, repeated deliveries already left out, in an order that holds within each topic's key."""

    events: Sequence[Happened]

    def messages(self, name: str) -> Iterator[Message]:
        """Values of the events of one short name."""
        return (event.message for event in self.events if event.name == name)

    def problems(self) -> list[str]:
        """Every broken promise, in words; empty when all hold. These hold at any moment."""
        return [*self._tasks(), *self._labels(), *self._versions(), *self._champion(), *self._budgets()]

    def open_ends(self) -> list[str]:
        """What was begun and has not ended, in words: nothing, once all that was flagged has come to rest."""
        flagged = {flag["flag"]["sample_id"] for flag in self.messages("PredictionFlagged")}
        tasks = {opened["label_task"]["label_task_id"]: opened["label_task"] for opened in self._opened()}
        accepted = {event["label"]["label_id"]: event["label_task_id"] for event in self.messages("LabelAccepted")}
        settled = {*accepted.values(), *(event["label_task_id"] for event in self.messages("LabelTaskClosed"))}
        superseded = {event["label_id"] for event in self.messages("LabelSuperseded")}
        committed = set(self._committed())
        without = flagged - {task["sample_id"] for task in tasks.values()}
        return [
            *(f"{sample} was flagged and has no task" for sample in sorted(without)),
            *(f"task {task_id} was never settled" for task_id in sorted(set(tasks) - settled)),
            *(f"label {label_id} was never committed" for label_id in sorted(set(accepted) - committed - superseded)),
        ]

    def _opened(self) -> Iterator[Message]:
        return self.messages("LabelTaskOpened")

    def _committed(self) -> Iterator[str]:
        return (label_id for version in self.messages("VersionCommitted") for label_id in version.get("label_ids", ()))

    def _tasks(self) -> Iterator[str]:
        flagged = {flag["flag"]["sample_id"] for flag in self.messages("PredictionFlagged")}
        flag_ids = Counter(flag["flag"]["flag_id"] for flag in self.messages("PredictionFlagged"))
        tasks: dict[tuple[str, int], set[str]] = {}
        for opened in self._opened():
            task = opened["label_task"]
            tasks.setdefault((task["sample_id"], task["label_set_version"]), set()).add(task["label_task_id"])
        yield from (f"flag {flag_id} was written {n} times" for flag_id, n in flag_ids.items() if n > 1)
        yield from (f"{sample} has {len(ids)} tasks" for (sample, _), ids in tasks.items() if len(ids) > 1)
        yield from (f"{sample} has a task and no flag" for sample in sorted({s for s, _ in tasks} - flagged))

    def _labels(self) -> Iterator[str]:
        accepted: dict[str, set[str]] = {}
        for event in self.messages("LabelAccepted"):
            label = event["label"]
            accepted.setdefault(label["label_task_id"], set()).add(label["label_id"])
        superseded = {event["label_id"] for event in self.messages("LabelSuperseded")}
        for task_id, label_ids in accepted.items():
            if len(label_ids - superseded) > 1:
                yield f"task {task_id} has {len(label_ids - superseded)} labels"
        committed = Counter(self._committed())
        yield from (f"label {label_id} was committed {n} times" for label_id, n in committed.items() if n > 1)
        unknown = set(committed) - {label_id for label_ids in accepted.values() for label_id in label_ids}
        yield from (f"label {label_id} was committed and never accepted" for label_id in sorted(unknown))
        answers = Counter(
            (event["label_task_id"], event["annotation"]["annotator"]) for event in self.messages("AnnotationSubmitted")
        )
        yield from (f"{who} answered task {task} {n} times" for (task, who), n in answers.items() if n > 1)

    def _versions(self) -> Iterator[str]:
        numbers = [int(event["dataset_version"]["number"]) for event in self.messages("VersionCommitted")]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"dataset versions are numbered {numbers}"
        studies = Counter(event["study"]["study_id"] for event in self.messages("StudyFinished"))
        yield from (f"study {study_id} finished {n} times" for study_id, n in studies.items() if n > 1)
        runs = [*self.messages("RunFinished"), *self.messages("RunFailed")]
        outcomes = Counter((run["run"]["study_id"], run["run"].get("trial", 0)) for run in runs)
        yield from (f"trial {trial} of {study} has {n} outcomes" for (study, trial), n in outcomes.items() if n > 1)
        registered = Counter(event["model_version"]["study_id"] for event in self.messages("ModelVersionRegistered"))
        yield from (f"study {study_id} became {n} model versions" for study_id, n in registered.items() if n > 1)

    def _champion(self) -> Iterator[str]:
        routes = [event["route"] for event in self.messages("RouteChanged")]
        revisions = [int(route["revision"]) for route in routes]
        if revisions != list(range(1, len(revisions) + 1)):
            yield f"route revisions are {revisions}"
        aliases = [e["model_version_id"] for e in self.messages("AliasMoved") if e["alias"] == "champion"]
        if routes and (not aliases or aliases[-1] != routes[-1]["champion_model_version_id"]):
            champion = routes[-1]["champion_model_version_id"]
            yield f"the route serves {champion}, the alias says {aliases[-1:]}"

    def _budgets(self) -> Iterator[str]:
        project = next(self.messages("ProjectApplied"))["project"]
        flags = [event["flag"] for event in self.messages("PredictionFlagged")]
        days = Counter(flag["pick_time"][:10] for flag in flags)  # a pick is paid on its day, flagged when it may be
        limit = project["monitoring"]["labels_per_day"]
        yield from (f"{n} labels were bought on {day}, {limit} allowed" for day, n in days.items() if n > limit)
        asked = Counter(
            (flag["alert_id"], flag["stream"]) for flag in flags if flag.get("alert_id") and "disagreement" not in flag
        )
        limits = {
            "STREAM_AUDIT": project["monitoring"]["audits_per_alert"],
            "STREAM_SELECTED": project["monitoring"]["selected_per_alert"],
        }
        for (alert_id, stream), n in asked.items():
            if n > limits[stream]:
                yield f"alert {alert_id} asked for {n} of {stream}, {limits[stream]} allowed"
        answers = Counter(event["annotation"]["create_time"][:10] for event in self.messages("AnnotationSubmitted"))
        cap = project["labeling"]["answers_per_day"]
        yield from (f"{n} answers on {day}, {cap} allowed" for day, n in answers.items() if n > cap)
