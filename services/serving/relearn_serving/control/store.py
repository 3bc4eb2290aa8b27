"""Tables and queries of control."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

import relearn_runtime
from relearn_serving.control.domain.evidence import Arm, Evidence, Tally
from relearn_serving.control.domain.reports import Acknowledgement, CounterKey, Losses
from relearn_serving.control.domain.route import Change, Outcome, Pass, Phase, Route

metadata = sa.MetaData()


def _version_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("champion", sa.Text, nullable=False),
        sa.Column("challenger", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("shards", sa.Integer, nullable=False),
    )


routes = sa.Table(
    "routes",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    *_version_columns(),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("approved", JSONB(none_as_null=True)),
    sa.Column("waiting", JSONB(none_as_null=True)),
    sa.Column("champions", ARRAY(sa.Text), nullable=False),
    sa.Column("barred", ARRAY(sa.Text), nullable=False),
    sa.Column("evidence", JSONB, nullable=False),
    sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
)

route_changes = sa.Table(
    "route_changes",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, primary_key=True),
    *_version_columns(),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("left_version", sa.Text, nullable=False),
    sa.Column("project_revision", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("acknowledged_at", sa.DateTime(timezone=True)),
)

gateways = sa.Table(
    "gateways",
    metadata,
    sa.Column("gateway_id", sa.Text, primary_key=True),
    sa.Column("report", sa.BigInteger, nullable=False),
    sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("dropped", sa.BigInteger, nullable=False),
    sa.Column("spooled", sa.BigInteger, nullable=False),
    sa.Column("shed", sa.BigInteger, nullable=False),
)

gateway_counters = sa.Table(
    "gateway_counters",
    metadata,
    sa.Column("gateway_id", sa.Text, sa.ForeignKey("gateways.gateway_id", ondelete="cascade"), primary_key=True),
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("model_version_id", sa.Text, primary_key=True),
    sa.Column("arm", sa.Text, primary_key=True),
    sa.Column("predictions", sa.BigInteger, nullable=False),
    sa.Column("errors", sa.BigInteger, nullable=False),
    sa.Column("duration_s", sa.Double, nullable=False),
    sa.Column("buckets", ARRAY(sa.BigInteger), nullable=False),
    sa.Column("labels", ARRAY(sa.BigInteger), nullable=False),
)

acknowledgements = sa.Table(
    "acknowledgements",
    metadata,
    sa.Column("gateway_id", sa.Text, sa.ForeignKey("gateways.gateway_id", ondelete="cascade"), primary_key=True),
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("problem_revision", sa.BigInteger, nullable=False),
    sa.Column("hopeless", sa.Boolean, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRoute:
    """A route and the evidence of its running rollout."""

    route: Route
    evidence: Evidence
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChange:
    """A change as history keeps it."""

    change: Change
    acknowledged_at: datetime | None


class Routes:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, project_id: str) -> KeptRoute | None:
        row = (await self._connection.execute(_one(project_id))).mappings().first()
        return None if row is None else _kept(row)

    async def lock(self, project_id: str, *, now: datetime) -> KeptRoute:
        """The project's route, locked until the transaction ends; revision 0 where nothing ever served."""
        fresh = _row(KeptRoute(route=Route(project_id=project_id), evidence=Evidence(), changed_at=now))
        await self._connection.execute(insert(routes).values(fresh).on_conflict_do_nothing())
        return _kept((await self._connection.execute(_one(project_id).with_for_update())).mappings().one())

    async def all(self) -> list[KeptRoute]:
        rows = await self._connection.execute(sa.select(routes).order_by(routes.c.project_id))
        return [_kept(row) for row in rows.mappings()]

    async def save(self, kept: KeptRoute) -> None:
        values = _row(kept)
        await self._connection.execute(
            sa.update(routes).where(routes.c.project_id == kept.route.project_id).values(values)
        )

    async def add_change(self, change: Change, *, project_revision: int) -> None:
        await self._connection.execute(
            sa.insert(route_changes).values(
                project_id=change.route.project_id,
                revision=change.route.revision,
                **_versions(change.route),
                outcome=change.outcome.value,
                reason=change.reason,
                person=change.person,
                left_version=change.left,
                project_revision=project_revision,
                changed_at=change.at,
            )
        )

    async def changes(self, project_id: str, *, before: int | None, limit: int) -> list[KeptChange]:
        """Newest first, with revisions below `before`."""
        found = sa.select(route_changes).where(route_changes.c.project_id == project_id)
        if before is not None:
            found = found.where(route_changes.c.revision < before)
        rows = await self._connection.execute(found.order_by(route_changes.c.revision.desc()).limit(limit))
        return [_change(row) for row in rows.mappings()]

    async def unacknowledged(self, project_id: str, revision: int) -> bool:
        """Whether this revision is still on its way to some gateway."""
        found = sa.select(route_changes.c.revision).where(
            route_changes.c.project_id == project_id,
            route_changes.c.revision == revision,
            route_changes.c.acknowledged_at.is_(None),
        )
        return (await self._connection.execute(found)).first() is not None

    async def acknowledged(self, project_id: str, revision: int, *, now: datetime) -> list[datetime]:
        """The last live gateway has put this revision, and thereby all before it, in force; when they were made."""
        reached = (
            sa.update(route_changes)
            .where(
                route_changes.c.project_id == project_id,
                route_changes.c.revision <= revision,
                route_changes.c.acknowledged_at.is_(None),
            )
            .values(acknowledged_at=now)
        )
        rows = await self._connection.execute(reached.returning(route_changes.c.changed_at))
        return [changed_at for (changed_at,) in rows]


class Gateways:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim_report(self, gateway_id: str, report: int, losses: Losses, *, now: datetime) -> bool:
        """True when this report is newer than all before it; the gateway stays locked until the end."""
        told = {"report": report, "reported_at": now, **asdict(losses)}
        upsert = insert(gateways).values(gateway_id=gateway_id, **told)
        upsert = upsert.on_conflict_do_update(
            index_elements=[gateways.c.gateway_id], set_=told, where=gateways.c.report < upsert.excluded.report
        )
        return (await self._connection.execute(upsert.returning(gateways.c.gateway_id))).first() is not None

    async def counters(self, gateway_id: str) -> dict[CounterKey, Tally]:
        rows = await self._connection.execute(
            sa.select(gateway_counters).where(gateway_counters.c.gateway_id == gateway_id)
        )
        return {
            CounterKey(
                project_id=row["project_id"], model_version_id=row["model_version_id"], arm=Arm(row["arm"])
            ): Tally(
                predictions=row["predictions"],
                errors=row["errors"],
                duration_s=row["duration_s"],
                buckets=tuple(row["buckets"]),
                labels=tuple(row["labels"]),
            )
            for row in rows.mappings()
        }

    async def save_counters(self, gateway_id: str, counters: Mapping[CounterKey, Tally]) -> None:
        if not counters:
            return
        upsert = insert(gateway_counters).values(
            [
                {
                    "gateway_id": gateway_id,
                    "project_id": key.project_id,
                    "model_version_id": key.model_version_id,
                    "arm": key.arm.value,
                    **asdict(tally),
                    "buckets": list(tally.buckets),
                    "labels": list(tally.labels),
                }
                for key, tally in counters.items()
            ]
        )
        changed = ("predictions", "errors", "duration_s", "buckets", "labels")
        await self._connection.execute(
            upsert.on_conflict_do_update(
                index_elements=["gateway_id", "project_id", "model_version_id", "arm"],
                set_={name: upsert.excluded[name] for name in changed},
            )
        )

    async def acknowledge(self, gateway_id: str, given: Sequence[Acknowledgement]) -> None:
        if not given:
            return
        upsert = insert(acknowledgements).values([{"gateway_id": gateway_id, **asdict(each)} for each in given])
        await self._connection.execute(
            upsert.on_conflict_do_update(
                index_elements=["gateway_id", "project_id"],
                set_={name: upsert.excluded[name] for name in ("revision", "problem", "problem_revision", "hopeless")},
            )
        )

    async def standing(self, project_id: str, *, since: datetime) -> dict[str, Acknowledgement | None]:
        """What each gateway that reported after `since` has in force for a project; None: nothing yet."""
        joined = sa.outerjoin(
            gateways,
            acknowledgements,
            sa.and_(
                acknowledgements.c.gateway_id == gateways.c.gateway_id, acknowledgements.c.project_id == project_id
            ),
        )
        rows = await self._connection.execute(
            sa.select(gateways.c.gateway_id.label("gateway"), acknowledgements)
            .select_from(joined)
            .where(gateways.c.reported_at > since)
        )
        return {
            row["gateway"]: None
            if row["revision"] is None
            else Acknowledgement(
                project_id=project_id,
                revision=row["revision"],
                problem=row["problem"],
                problem_revision=row["problem_revision"],
                hopeless=row["hopeless"],
            )
            for row in rows.mappings()
        }

    async def losses(self, *, live_since: datetime) -> Losses:
        """Of all gateways that are remembered; a spool counts while its gateway reports."""
        live = gateways.c.reported_at > live_since
        sums = {
            "dropped": sa.func.sum(gateways.c.dropped),
            "spooled": sa.func.sum(gateways.c.spooled).filter(live),
            "shed": sa.func.sum(gateways.c.shed),
        }
        row = await self._connection.execute(sa.select(*(sa.func.coalesce(s, 0).label(n) for n, s in sums.items())))
        return Losses(**{name: int(count) for name, count in row.mappings().one().items()})

    async def forget(self, *, before: datetime) -> None:
        """Gateways that have been silent since then."""
        await self._connection.execute(sa.delete(gateways).where(gateways.c.reported_at < before))


class Transaction(relearn_runtime.Transaction):
    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.routes = Routes(connection)
        self.gateways = Gateways(connection)


def _one(project_id: str) -> sa.Select[Any]:
    return sa.select(routes).where(routes.c.project_id == project_id)


def _versions(route: Route) -> dict[str, Any]:
    return {
        "champion": route.champion,
        "challenger": route.challenger,
        "phase": route.phase.value,
        "weight": route.weight,
        "shards": route.shards,
    }


def _row(kept: KeptRoute) -> dict[str, Any]:
    route = kept.route
    return {
        "project_id": route.project_id,
        "revision": route.revision,
        **_versions(route),
        "event_id": route.event_id,
        "approved": asdict(route.approved) if route.approved else None,
        "waiting": asdict(route.waiting) if route.waiting else None,
        "champions": list(route.champions),
        "barred": list(route.barred),
        "evidence": asdict(kept.evidence),
        "changed_at": kept.changed_at,
    }


def _kept(row: Mapping[Any, Any]) -> KeptRoute:
    route = Route(
        project_id=row["project_id"],
        revision=row["revision"],
        champion=row["champion"],
        challenger=row["challenger"],
        phase=Phase(row["phase"]),
        weight=row["weight"],
        shards=row["shards"],
        event_id=row["event_id"],
        approved=Pass(**row["approved"]) if row["approved"] else None,
        waiting=Pass(**row["waiting"]) if row["waiting"] else None,
        champions=tuple(row["champions"]),
        barred=tuple(row["barred"]),
    )
    return KeptRoute(route=route, evidence=_evidence(row["evidence"]), changed_at=row["changed_at"])


def _evidence(values: Mapping[str, Any]) -> Evidence:
    def tally(name: str) -> Tally:
        kept = values[name]
        return Tally(**{**kept, "buckets": tuple(kept["buckets"]), "labels": tuple(kept["labels"])})

    return Evidence(
        shadow=tally("shadow"),
        champion_beside_shadow=tally("champion_beside_shadow"),
        canary=tally("canary"),
        champion_beside_canary=tally("champion_beside_canary"),
        canary_before_step=values["canary_before_step"],
    )


def _change(row: Mapping[Any, Any]) -> KeptChange:
    route = Route(
        project_id=row["project_id"],
        revision=row["revision"],
        champion=row["champion"],
        challenger=row["challenger"],
        phase=Phase(row["phase"]),
        weight=row["weight"],
        shards=row["shards"],
    )
    change = Change(
        route=route,
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        at=row["changed_at"],
        left=row["left_version"],
        person=row["person"],
    )
    return KeptChange(change=change, acknowledged_at=row["acknowledged_at"])
