"""The events of a small loop that closed, and an outcome made of them."""

from typing import Any

from fashion_demo.intervals import Share, share
from fashion_demo.moments import Turn, moments, phases
from fashion_demo.outcome import Check, HeldOut, Outcome, Point, StreamSpending, Stretch
from fashion_demo.timeline import Happened

STARTED, TURNED = 90.0, 100.0
FIRST, LAST = "p/model/1", "p/model/2"


def happened(name: str, time: float, **message: Any) -> Happened:
    return Happened(name=name, event_id=f"{name}-{time}", time=time, causes=(), message=message)


def flag(number: int, *, stream: str = "SELECTED", alert_id: str = "alert") -> dict[str, Any]:
    return {
        "flag_id": f"flag-{number}",
        "sample_id": f"p/sample/{number}",
        "prediction_id": f"prediction-{number}",
        "stream": f"STREAM_{stream}",
    } | ({"alert_id": alert_id} if alert_id else {})


def bought(number: int, time: float, **of_flag: Any) -> list[Happened]:
    """A flag, its task, an answer and its label, 0.1 s apart; `number` names all of them."""
    flagged, task_id = flag(number, **of_flag), f"task-{number}"
    task = {"label_task_id": task_id, "sample_id": flagged["sample_id"], "flags": [flagged]}
    label = {"label_id": f"label-{number}", "label_task_id": task_id, "sample_id": flagged["sample_id"]}
    return [
        happened("PredictionFlagged", time, flag=flagged),
        happened("LabelTaskOpened", time + 0.1, label_task=task, label_task_id=task_id),
        happened("AnnotationSubmitted", time + 0.2, label_task_id=task_id),
        happened("LabelAccepted", time + 0.3, label=label, label_task_id=task_id),
    ]


def version(number: int, time: float, *label_ids: str) -> Happened:
    values = {"dataset_version_id": f"p/data/{number}", "number": str(number), "counts": {"selected": "1"}}
    return happened("VersionCommitted", time, dataset_version=values, label_ids=list(label_ids))


def route(time: float, phase: str, champion: str = FIRST, *, outcome: str = "ADVANCED", **more: Any) -> Happened:
    values = {"phase": f"PHASE_{phase}", "champion_model_version_id": champion, "route_id": f"p/route/{time}"} | more
    return happened("RouteChanged", time, route=values, outcome=f"OUTCOME_{outcome}", reason="enough requests")


def judged(step: int, verdict: str, time: float) -> Happened:
    tested = {"wins": 40, "losses": 0, "neither": 19, "disputed": 1}
    measurements = [{"name": f"sign_test/{name}", "value": value} for name, value in tested.items()]
    values = {"step": step, "verdict": f"VERDICT_{verdict}", "reason": "better", "measurements": measurements}
    return happened("ModelVersionJudged", time, judgement=values)


def closed_loop() -> list[Happened]:
    """From the first champion to the second one."""
    return [
        version(1, 80.0),
        route(85.0, "SERVING", outcome="FIRST"),
        *bought(1, 95.0, alert_id=""),  # everyday, of a picture before the turn
        happened("AlertOpened", 101.0, alert={"alert_id": "alert", "model_version_id": FIRST, "reason": "unlike"}),
        *bought(2, 101.5, stream="AUDIT", alert_id=""),  # everyday
        *bought(3, 102.0, stream="AUDIT"),
        *bought(4, 102.5),
        happened("AlertConfirmed", 103.0, alert={"reason": "harm"}),
        version(2, 104.0, "label-1", "label-2", "label-3"),
        version(3, 105.0, "label-4"),
        happened("StudyStarted", 105.1, study={"dataset_version_id": "p/data/3"}),
        *bought(5, 105.5),  # too late to be learned from
        happened("StudyFinished", 110.0, study={}),
        judged(1, "PASSED", 110.1),
        route(110.2, "SHADOW"),
        judged(2, "UNDECIDED", 111.0),
        judged(2, "PASSED", 112.0),
        route(112.1, "CANARY", weight_percent=10),
        route(113.0, "CANARY", weight_percent=50),
        route(114.0, "SERVING", LAST, outcome="FINISHED"),
        happened("AlertResolved", 114.1, alert={"reason": "left the route"}),
        version(4, 120.0, "label-5"),
    ]


def turn(*more: Happened) -> Turn:
    events = sorted([*closed_loop(), *more], key=lambda event: event.time)
    return Turn(events=events, started_at=STARTED, changed_at=TURNED)


def outcome(*, passed: bool = True) -> Outcome:
    """An outcome of that loop, with hostile text wherever text is shown."""
    some = share([True] * 80 + [False] * 20)
    lost = Share(value=0.01, lower=0.0, upper=0.02, n=100)
    points = tuple(Point(at_s=2.0 * n, live=some, without_loop=some) for n in range(15))
    return Outcome(
        seed=3,
        held_out=HeldOut(
            first_old_camera=some,
            first_new_camera=some,
            last_old_camera=some,
            last_new_camera=some,
            recovered=Share(value=0.86, lower=0.84, upper=0.88, n=2000),
            lost=lost,
        ),
        traffic=(Stretch(name="before <i>", answers=1418, accuracy=some),),
        spending=(StreamSpending(stream="selected", labels=200, answers=210),),
        learned_from=200,
        moments=moments(turn()),
        phases=phases(turn()),
        points=points,
        checks=(Check(name="<script>alert(1)</script>", passed=passed, detail="$verdict & more"),),
        traced_prediction="5bc1f6da-0926-4765-815c-535afcccfa41/0",
        trace=("root <b>", "└─ sample p/sample/" + "a1" * 32 + ": sent", "   └─ route p/route/1: x"),
    )
