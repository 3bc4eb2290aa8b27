"""From what happened to what it was worth."""

from collections import Counter, defaultdict
from collections.abc import Collection

from fashion_demo import checks
from fashion_demo.held_out import measure_held_out
from fashion_demo.images import shuffled
from fashion_demo.intervals import share
from fashion_demo.measure import answers as ask_version
from fashion_demo.moments import Turn, moments, phases
from fashion_demo.outcome import Outcome, Point, StreamSpending, Stretch
from fashion_demo.product import view
from fashion_demo.product_log import Answer
from fashion_demo.story import PROJECT, Story
from fashion_demo.traffic import STRETCH, accuracy_by_picture

STREAMS = ("selected", "audit", "disagreement")


def evaluate(story: Story) -> Outcome:
    """Measure both champions on held-out pictures and put everything together."""
    gateway = story.relearn.endpoints.gateway
    turn = Turn(events=story.timeline.events, started_at=story.started_at, changed_at=story.changed_at)
    finished = turn.first("RouteChanged", outcome="OUTCOME_FINISHED").message["route"]
    first, last = _first_champion(turn), finished["champion_model_version_id"]
    held_out = measure_held_out(gateway, model=PROJECT, first=_number(first), last=_number(last), seed=story.seed)
    before, during, after = _stretches(story, _learned(turn))
    traced = traced_prediction(turn)
    trace = story.relearn.trace(traced)
    return Outcome(
        seed=story.seed,
        held_out=held_out,
        traffic=(before, during, after),
        spending=spending(turn),
        learned_from=int(turn.committed().message["dataset_version"]["counts"]["selected"]),
        moments=moments(turn),
        phases=phases(turn),
        points=_points(story, first=_number(first)),
        checks=(
            *checks.accuracy_checks(held_out),
            checks.traffic_check(story.traffic.answers),
            checks.alert_check(turn, first_champion=first, answers_before=before.answers, answers_after=after.answers),
            checks.rollout_check(turn),
            checks.books_check(turn.events),
            checks.trace_check(trace, route_id=finished["route_id"]),
        ),
        traced_prediction=traced,
        trace=tuple(trace.lines()),
    )


def spending(turn: Turn) -> tuple[StreamSpending, ...]:
    """Labels and answers by the stream of the task's first flag, since the camera was turned."""
    stream_of: dict[str, str] = {}
    for event in turn.events:
        if event.name == "LabelTaskOpened":
            task = event.message["label_task"]
            stream = task["flags"][0]["stream"].removeprefix("STREAM_").lower()
            stream_of.setdefault(task["label_task_id"], stream)
    labels: dict[str, set[str]] = defaultdict(set)
    answers = Counter[str]()
    for event in turn.events:
        if event.time < turn.changed_at:
            continue
        if event.name == "LabelAccepted":
            label = event.message["label"]
            labels[stream_of[label["label_task_id"]]].add(label["label_id"])
        if event.name == "AnnotationSubmitted":
            answers[stream_of[event.message["label_task_id"]]] += 1
    return tuple(StreamSpending(stream=s, labels=len(labels[s]), answers=answers[s]) for s in STREAMS)


def _learned(turn: Turn) -> dict[str, int]:
    """Samples whose bought labels the new champion learned from, with the number of the version that brought each."""
    last = int(turn.committed().message["dataset_version"]["number"])
    version_of = {
        label_id: int(event.message["dataset_version"]["number"])
        for event in turn.events
        if event.name == "VersionCommitted"
        for label_id in event.message.get("label_ids", ())
    }
    accepted = [event.message["label"] for event in turn.events if event.name == "LabelAccepted"]
    learned = {label["sample_id"]: version_of.get(label["label_id"], last + 1) for label in accepted}
    return {sample_id: number for sample_id, number in learned.items() if number <= last}


def _stretches(story: Story, learned: Collection[str]) -> tuple[Stretch, Stretch, Stretch]:
    """Traffic before the turn, from the turn to the new champion, and after.

    Pictures come again with other noise; the new champion is not measured on those it has learned from.
    """
    digests = {sample_id.rpartition("/")[2] for sample_id in learned}
    trained_on = {answer.picture for answer in story.traffic.answers if answer.sha256 in digests}

    def stretch(name: str, *, since: float, until: float, without: Collection[str] = ()) -> Stretch:
        found = [answer for answer in story.traffic.answers if since <= answer.time < until]
        return Stretch(name=name, answers=len(found), accuracy=accuracy_by_picture(found, without=without))

    end = max(answer.time for answer in story.traffic.answers) + 1
    return (
        stretch("before the camera was turned", since=story.started_at, until=story.changed_at),
        stretch("from the turn to the new champion", since=story.changed_at, until=story.finished_at),
        stretch("after, without pictures it learned from", since=story.finished_at, until=end, without=trained_on),
    )


def _points(story: Story, *, first: str) -> tuple[Point, ...]:
    """Accuracy of each full stretch of traffic; the first champion is asked again about the same pictures."""
    pictures = shuffled("traffic", seed=story.seed)
    found = sorted(story.traffic.answers, key=lambda answer: answer.time)
    others = [answer for answer in found if answer.version != first and not answer.error]
    contents = [
        view(
            pictures[answer.number % len(pictures)],
            turned=answer.turned,
            noise_seed=[story.seed, answer.number],
        )
        for answer in others
    ]
    asked = ask_version(story.relearn.endpoints.gateway, model=PROJECT, version=first, contents=contents)
    without_loop = {a.number: given == a.truth for a, given in zip(others, asked, strict=True)}

    def point(stretch: list[Answer]) -> Point:
        return Point(
            at_s=stretch[len(stretch) // 2].time - story.started_at,
            live=share([answer.right for answer in stretch]),
            without_loop=share([without_loop.get(answer.number, answer.right) for answer in stretch]),
        )

    full = len(found) // STRETCH * STRETCH
    return tuple(point(found[i : i + STRETCH]) for i in range(0, full, STRETCH))


def _first_champion(turn: Turn) -> str:
    route = next(event for event in turn.events if event.name == "RouteChanged").message["route"]
    return str(route["champion_model_version_id"])


def _number(model_version_id: str) -> str:
    return model_version_id.rpartition("/")[2]


def traced_prediction(turn: Turn) -> str:
    """A prediction that the alert selected, and whose label the new champion learned from: of those that came last,
    because their way is the shortest to read."""
    learned = _learned(turn)
    flags = [event.message["flag"] for event in turn.events if event.name == "PredictionFlagged"]
    selected = [f for f in flags if f.get("alert_id") == turn.alert_id and f["stream"] == "STREAM_SELECTED"]
    traced = max((f for f in selected if f["sample_id"] in learned), key=lambda flag: learned[flag["sample_id"]])
    return str(traced["prediction_id"])
