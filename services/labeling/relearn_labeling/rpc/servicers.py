"""The servicers, each put together from the concerns that have its RPCs. What none has answers UNIMPLEMENTED."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from relearn.labeling.v1.labeling_service_pb2_grpc import LabelingServiceServicer
from relearn.labeling.v1.management_service_pb2_grpc import ManagementServiceServicer
from relearn.labeling.v1.review_service_pb2_grpc import ReviewServiceServicer
from relearn_labeling.rpc.answering import Answering
from relearn_labeling.rpc.exchange import Exchange
from relearn_labeling.rpc.gold import SettingGold
from relearn_labeling.rpc.handing_out import HandingOut
from relearn_labeling.rpc.label_sets import LabelSets
from relearn_labeling.rpc.own import OwnWork
from relearn_labeling.rpc.reading import Reading
from relearn_labeling.rpc.reporting import Reporting
from relearn_labeling.rpc.requests import Requesting
from relearn_labeling.rpc.reviews import Reviewing
from relearn_labeling.rpc.revoking import Revoking
from relearn_labeling.rpc.turns import Turns
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Now, Store

S = TypeVar("S")


def labeling(*, store: Store[Transaction], new_id: NewId, now: Now) -> LabelingServiceServicer:
    """What annotators do, and what engineers and services look at."""
    turns, label_sets = Turns(now=now), LabelSets()
    return _composed(
        LabelingServiceServicer,
        HandingOut(store=store, turns=turns, label_sets=label_sets, new_id=new_id, now=now),
        Answering(store=store, turns=turns, label_sets=label_sets, new_id=new_id),
        OwnWork(store=store, now=now),
        Reading(store=store),
    )


def review(*, store: Store[Transaction], new_id: NewId, now: Now) -> ReviewServiceServicer:
    """What reviewers do."""
    return _composed(ReviewServiceServicer, Reviewing(store=store, label_sets=LabelSets(), new_id=new_id, now=now))


def management(*, store: Store[Transaction], new_id: NewId, now: Now) -> ManagementServiceServicer:
    """What label managers do."""
    return _composed(
        ManagementServiceServicer,
        Requesting(store=store, new_id=new_id, now=now),
        Exchange(store=store, new_id=new_id, now=now),
        Reporting(store=store, now=now),
        SettingGold(store=store, new_id=new_id, now=now),
        Revoking(store=store, new_id=new_id, now=now),
    )


def _composed(base: Callable[[], S], *concerns: object) -> S:
    """The servicer with the RPCs of all concerns; each public method of a concern is one."""
    servicer = base()
    for concern in concerns:
        for name in (name for name in dir(type(concern)) if not name.startswith("_")):
            if not hasattr(type(servicer), name):
                raise TypeError(f"{type(servicer).__name__} has no RPC {name}")
            setattr(servicer, name, getattr(concern, name))
    return servicer
