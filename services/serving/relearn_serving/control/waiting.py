"""What a project's route waits for."""

from relearn_runtime import Now, Store, Waiting
from relearn_serving.control import wire
from relearn_serving.control.domain.acknowledgements import LIVE_FOR, problems, reached
from relearn_serving.control.domain.canary import decide
from relearn_serving.control.domain.reports import Losses
from relearn_serving.control.domain.route import Phase
from relearn_serving.control.store import Transaction

STAGE = "rollout"


async def waiting(project_id: str, *, store: Store[Transaction], now: Now) -> list[Waiting]:
    """Lines for `GetWaiting`. Raises NotFound for a project that was never applied."""
    async with store.transaction() as tx:
        project = await tx.projects.require(project_id)
        kept = await tx.routes.get(project_id)
        standing = await tx.gateways.standing(project_id, since=now() - LIVE_FOR)
        losses = await tx.gateways.losses(live_since=now() - LIVE_FOR)
    if kept is None or kept.route.revision == 0:
        held = kept is not None and kept.route.waiting and wire.is_paused(project)
        line = (
            "the project is paused; a version has passed the gate" if held else "a first version that passes the gate"
        )
        return [Waiting(stage="route", waits_for=line, needs_person=bool(held))]
    lines = []
    route, policy = kept.route, wire.policy(project)
    _, missing = reached(standing.values(), route.revision)
    if not standing:
        lines.append(Waiting(stage="gateways", waits_for="no gateway has reported in the last 3 s", needs_person=True))
    elif missing:
        why = "; ".join(problems(standing.values())) or "on their way"
        waits_for = f"{missing} of {len(standing)} gateways do not serve revision {route.revision} yet: {why}"
        lines.append(Waiting(stage="gateways", waits_for=waits_for))
    if losses:
        lines.append(Waiting(stage="predictions", waits_for=_words(losses)))
    if wire.is_paused(project):
        lines.append(Waiting(stage=STAGE, waits_for="the project is paused; no rollout moves on", needs_person=True))
    if route.challenger:
        reason = decide(route, kept.evidence, policy).reason
        share = min(1.0, kept.evidence.in_step / policy.requests_per_step) if route.phase is Phase.CANARY else None
        lines.append(Waiting(stage=STAGE, waits_for=f"{route.challenger}: {reason}", progress=share))
    else:
        lines.append(Waiting(stage=STAGE, waits_for=f"{route.champion} serves; no challenger has passed gate step 1"))
    if route.waiting:
        until = "until the running rollout ends" if route.challenger else "to be started"
        lines.append(Waiting(stage=STAGE, waits_for=f"{route.waiting.model_version_id} waits {until}"))
    return lines


def _words(losses: Losses) -> str:
    """What could not be kept, of all projects together, as gateways count it."""
    where = f"Kafka: {losses.spooled} are in the spools of the gateways" if losses.spooled else "nothing"
    return f"{where}; in two days {losses.dropped} were lost and {losses.shed} of shadows shed"
