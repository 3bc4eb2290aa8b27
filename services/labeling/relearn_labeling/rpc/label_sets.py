"""Label sets as every call needs them: read once a process, since one never changes."""

from __future__ import annotations

from dataclasses import dataclass

from relearn.registry.v1 import project_pb2
from relearn_labeling import region_messages
from relearn_labeling.domain.regions import LabelSet
from relearn_labeling.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLabelSet:
    """A label set, as its message and as the domain has it."""

    message: project_pb2.LabelSet
    value: LabelSet


class LabelSets:
    """Those that were asked for: a few a project, for as long as the process runs."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], KnownLabelSet] = {}

    async def get(self, tx: Transaction, project_id: str, version: int) -> KnownLabelSet:
        """The label set of a task that there is."""
        if (known := self._known.get((project_id, version))) is None:
            message = await tx.label_sets.get(project_id, version)
            known = KnownLabelSet(message=message, value=region_messages.label_set(message))
            self._known[project_id, version] = known
        return known
