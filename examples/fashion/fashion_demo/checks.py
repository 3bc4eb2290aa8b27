"""What must hold for the loop to have closed."""

from collections.abc import Sequence

from fashion_demo.books import Books
from fashion_demo.moments import Turn
from fashion_demo.outcome import Check, HeldOut
from fashion_demo.product_log import Answer
from fashion_demo.timeline import Happened
from relearn_client.tracing import Trace

RECOVERED_AT_LEAST = 0.75
OLD_CAMERA_LOSS_AT_MOST = 0.05


def accuracy_checks(held_out: HeldOut) -> tuple[Check, ...]:
    """What the new champion is worth; both compare the value measured, and show how sure it is."""
    recovered, lost = held_out.recovered, held_out.lost
    return (
        Check(
            name="accuracy recovered",
            passed=recovered.value >= RECOVERED_AT_LEAST,
            detail=f"{recovered} of the loss, at least {RECOVERED_AT_LEAST:.0%} asked",
        ),
        Check(
            name="the old camera still works",
            passed=lost.value <= OLD_CAMERA_LOSS_AT_MOST,
            detail=f"{lost.in_points()} lost picture by picture, at most {100 * OLD_CAMERA_LOSS_AT_MOST:.0f} allowed",
        ),
    )


def traffic_check(answers: Sequence[Answer]) -> Check:
    """Nobody was left without an answer."""
    failed = sum(bool(answer.error) for answer in answers)
    return Check(name="every request answered", passed=not failed, detail=f"{len(answers):,} requests, {failed} failed")


def alert_check(turn: Turn, *, first_champion: str, answers_before: int, answers_after: int) -> Check:
    """One alert in the whole run, about the first champion, opened after the turn."""
    alerts = [event for event in turn.events if event.name == "AlertOpened"]
    about = [event.message["alert"]["model_version_id"] for event in alerts]
    return Check(
        name="one alert, about the first champion, after the turn",
        passed=about == [first_champion] and alerts[0].time >= turn.changed_at,
        detail=f"{len(alerts)} in all; none in {answers_before:,} answers before the turn"
        f" and {answers_after:,} after the cure"
        if len(alerts) == 1
        else f"{len(alerts)} alerts: {', '.join(about)}",
    )


def rollout_check(turn: Turn) -> Check:
    """The challenger won where both differ, and only then got traffic, step by step."""
    judged = turn.judged(step=2)
    settled = {m["name"]: m.get("value", 0) for m in judged.message["judgement"]["measurements"]}
    asked = sum(int(settled[f"sign_test/{name}"]) for name in ("wins", "losses", "neither", "disputed"))
    routes = [e for e in turn.events if e.name == "RouteChanged" and e.time >= turn.changed_at]
    phases = [route.message["route"]["phase"].removeprefix("PHASE_").lower() for route in routes]
    in_order = phases[0] == "shadow" and phases[-1] == "serving" and set(phases[1:-1]) == {"canary"}
    return Check(
        name="shadow, gate, canary, in this order",
        passed=in_order and all(route.time >= judged.time for route in routes[1:]),
        detail=f"{', '.join(phases)}; {asked} disagreements settled: {judged.message['judgement']['reason']}",
    )


def books_check(events: Sequence[Happened]) -> Check:
    """Nothing was lost and nothing counted twice."""
    books = Books(events=events)
    wrong = [*books.problems(), *books.open_ends()]
    tasks = {message["label_task_id"] for message in books.messages("LabelTaskOpened")}
    return Check(
        name="the books balance",
        passed=not wrong,
        detail="; ".join(wrong[:3]) or f"{len(tasks)} tasks, one a flagged sample; each label committed once",
    )


def trace_check(trace: Trace, *, route_id: str) -> Check:
    """The trace leads to the route on which the new champion serves."""
    reached = next((node for node in trace.nodes if node.id == route_id), None)
    return Check(
        name="the trace of a flagged prediction reaches the new champion",
        passed=reached is not None,
        detail=f"{reached.id}: {reached.summary}" if reached else f"{route_id} is not in it",
    )
