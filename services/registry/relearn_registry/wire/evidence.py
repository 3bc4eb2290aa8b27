"""Flags and comparisons as evidence of gate step 2."""

from __future__ import annotations

from relearn.monitoring.v1.events_pb2 import ShadowCompared
from relearn.monitoring.v1.flag_pb2 import Flag, Stream
from relearn_registry.domain.evidence import AskedDisagreement
from relearn_registry.domain.step_two import Comparison
from relearn_runtime.errors import InvalidInput


class InvalidDisagreement(InvalidInput):
    """A flag of the disagreement stream that can't be evidence."""

    reason = "INVALID_DISAGREEMENT"


def asked_disagreement(flag: Flag) -> AskedDisagreement | None:
    """The disagreement that a flag asks about; None for the other streams.

    Raises:
        InvalidDisagreement: it names no pair, or no place among those asked.
    """
    if flag.stream != Stream.STREAM_DISAGREEMENT:
        return None
    between = flag.disagreement
    if not (between.champion_model_version_id and between.challenger_model_version_id and between.number > 0):
        raise InvalidDisagreement(
            f"flag {flag.flag_id} is a disagreement without a pair or a number", flag_id=flag.flag_id
        )
    return AskedDisagreement(
        flag_id=flag.flag_id,
        champion_id=between.champion_model_version_id,
        challenger_id=between.challenger_model_version_id,
        number=between.number,
        sample_id=flag.sample_id,
        champion_label=between.champion_label,
        challenger_label=between.challenger_label,
    )


def comparison(compared: ShadowCompared) -> Comparison:
    """What the shadow showed so far."""
    return Comparison(
        pairs=compared.pairs,
        disagreements=compared.disagreements,
        asked=compared.asked,
        stop_reason=compared.stop_reason,
    )
