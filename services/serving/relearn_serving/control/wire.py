"""Values of control as protobuf, and back. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import inf

from google.protobuf.timestamp_pb2 import Timestamp

from relearn.registry.v1.model_version_pb2 import Judgement as JudgementMessage
from relearn.registry.v1.project_pb2 import Project
from relearn.serving.v1 import control_service_pb2 as pb
from relearn.serving.v1.events_pb2 import PredictionMade, RouteChanged
from relearn.serving.v1.route_pb2 import Route as RouteMessage
from relearn_runtime.errors import InvalidInput
from relearn_serving.control.domain.canary import RolloutPolicy
from relearn_serving.control.domain.evidence import Arm, Tally
from relearn_serving.control.domain.judgements import Judgement, Verdict
from relearn_serving.control.domain.reports import Acknowledgement, CounterKey, Losses
from relearn_serving.control.domain.route import Change, Outcome, Phase, Route
from relearn_serving.control.store import KeptChange, KeptRoute

PHASES: "Mapping[Phase, RouteMessage.Phase.ValueType]" = {
    Phase.SERVING: RouteMessage.PHASE_SERVING,
    Phase.SHADOW: RouteMessage.PHASE_SHADOW,
    Phase.CANARY: RouteMessage.PHASE_CANARY,
}

OUTCOMES: "Mapping[Outcome, RouteChanged.Outcome.ValueType]" = {
    Outcome.FIRST: RouteChanged.OUTCOME_FIRST,
    Outcome.STARTED: RouteChanged.OUTCOME_STARTED,
    Outcome.ADVANCED: RouteChanged.OUTCOME_ADVANCED,
    Outcome.FINISHED: RouteChanged.OUTCOME_FINISHED,
    Outcome.UNDONE: RouteChanged.OUTCOME_UNDONE,
    Outcome.ROLLED_BACK: RouteChanged.OUTCOME_ROLLED_BACK,
}

VERDICTS: "Mapping[JudgementMessage.Verdict.ValueType, Verdict]" = {
    JudgementMessage.VERDICT_PASSED: Verdict.PASSED,
    JudgementMessage.VERDICT_REJECTED: Verdict.REJECTED,
    JudgementMessage.VERDICT_UNDECIDED: Verdict.UNDECIDED,
}

ARMS: "Mapping[PredictionMade.Arm.ValueType, Arm]" = {
    PredictionMade.ARM_CHAMPION: Arm.CHAMPION,
    PredictionMade.ARM_CANARY: Arm.CANARY,
    PredictionMade.ARM_SHADOW: Arm.SHADOW,
    PredictionMade.ARM_PINNED: Arm.PINNED,
}

_DEFAULT_STEPS = (1, 5, 25, 50, 100)
_DEFAULT_REQUESTS = 200
_DEFAULT_ERROR_INCREASE = 0.01
_DEFAULT_LATENCY_RATIO = 3.0


def is_paused(project: Project) -> bool:
    return project.state == Project.STATE_PAUSED


def policy(project: Project) -> RolloutPolicy:
    """The project's numbers; registry has filled the defaults in, older projects may lack some."""
    rollout = project.rollout
    return RolloutPolicy(
        canary_percent=tuple(rollout.canary_percent) or _DEFAULT_STEPS,
        requests_per_step=rollout.requests_per_step if rollout.HasField("requests_per_step") else _DEFAULT_REQUESTS,
        max_error_increase=rollout.max_error_increase
        if rollout.HasField("max_error_increase")
        else _DEFAULT_ERROR_INCREASE,
        max_latency_ratio=rollout.max_latency_ratio
        if rollout.HasField("max_latency_ratio")
        else _DEFAULT_LATENCY_RATIO,
    )


def judgement(message: JudgementMessage, *, event_id: str) -> Judgement:
    """A verdict that is not known yet says nothing about the route."""
    return Judgement(
        judgement_id=message.judgement_id,
        event_id=event_id,
        model_version_id=message.model_version_id,
        champion=message.champion_model_version_id,
        step=message.step,
        verdict=VERDICTS.get(message.verdict, Verdict.UNDECIDED),
        reason=message.reason,
        person=message.person,
    )


def route(value: Route, *, changed_at: datetime) -> RouteMessage:
    return RouteMessage(
        route_id=f"{value.project_id}/route/{value.revision}",
        project_id=value.project_id,
        revision=value.revision,
        champion_model_version_id=value.champion,
        challenger_model_version_id=value.challenger,
        phase=PHASES[value.phase],
        weight_percent=value.weight,
        change_time=_timestamp(changed_at),
        shards=value.shards,
    )


def kept_route(kept: KeptRoute) -> RouteMessage:
    return route(kept.route, changed_at=kept.changed_at)


def not_served_yet(project: Project) -> RouteMessage:
    """A project that nothing serves: gateways learn that it exists."""
    return RouteMessage(
        route_id=f"{project.project_id}/route/0",
        project_id=project.project_id,
        phase=RouteMessage.PHASE_SERVING,
        change_time=project.create_time,
        shards=1,
    )


def route_changed(change: Change, *, project_revision: int) -> RouteChanged:
    return RouteChanged(
        route=route(change.route, changed_at=change.at),
        project_id=change.route.project_id,
        outcome=OUTCOMES[change.outcome],
        reason=change.reason,
        person=change.person,
        left_model_version_id=change.left,
        project_revision=project_revision,
        barred_model_version_ids=change.route.barred,
        judgement_id=change.judgement_id,
        alert_id=change.alert_id,
    )


def route_change(kept: KeptChange) -> pb.RouteChange:
    change = kept.change
    return pb.RouteChange(
        route=route(change.route, changed_at=change.at),
        outcome=OUTCOMES[change.outcome],
        reason=change.reason,
        person=change.person,
        acknowledge_time=_timestamp(kept.acknowledged_at) if kept.acknowledged_at else None,
    )


def counters(messages: Iterable[pb.VersionCounters]) -> dict[CounterKey, Tally]:
    """Counters by what they count; an arm that is not known is left out.

    Raises:
        InvalidInput: a counter is negative or no number, or one is given twice.
    """
    found: dict[CounterKey, Tally] = {}
    for message in messages:
        if message.arm not in ARMS:
            continue
        key = CounterKey(
            project_id=message.project_id, model_version_id=message.model_version_id, arm=ARMS[message.arm]
        )
        tally = Tally(
            predictions=message.predictions,
            errors=message.errors,
            duration_s=message.duration_s,
            buckets=tuple(message.duration_buckets),
            labels=tuple(message.predicted_labels),
        )
        if min(tally.predictions, tally.errors, *tally.buckets, *tally.labels) < 0 or not 0 <= tally.duration_s < inf:
            raise InvalidInput(f"a counter of {key.model_version_id} is negative or no number")
        if key in found:
            raise InvalidInput(f"counters of {key.model_version_id} as {key.arm.value} are given twice")
        found[key] = tally
    return found


def losses(report: pb.ReportGatewayRequest) -> Losses:
    """What a gateway says it could not pass on.

    Raises:
        InvalidInput: one of the counts is negative.
    """
    found = Losses(dropped=report.dropped_predictions, spooled=report.spooled_predictions, shed=report.shed_shadows)
    if min(found.dropped, found.spooled, found.shed) < 0:
        raise InvalidInput(f"counts of lost predictions must not be negative, got {found}")
    return found


def acknowledgements(messages: Iterable[pb.RouteAcknowledgement]) -> list[Acknowledgement]:
    """One per project; the last counts."""
    found = {
        message.project_id: Acknowledgement(
            project_id=message.project_id,
            revision=message.revision,
            problem=message.problem[:1000],
            problem_revision=message.problem_revision,
            hopeless=message.hopeless,
        )
        for message in messages
    }
    return list(found.values())


def _timestamp(at: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(at.astimezone(UTC))
    return message
