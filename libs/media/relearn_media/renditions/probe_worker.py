"""Probes samples in a process of its own: `python -I -m relearn_media.renditions.probe_worker`.

Reads one line of JSON, what it may use up and what is accepted; then, until its input ends, samples: eight bytes of
length, big-endian, and as many bytes. Each is answered by one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, BinaryIO

from relearn_media.errors import MediaRefused
from relearn_media.renditions.worker import give_up, take_standard_output

LENGTH_BYTES = 8


def main() -> None:
    """Answers sample after sample; never raises for what they hold."""
    samples = sys.stdin.buffer
    job = json.loads(samples.readline())
    answers = take_standard_output()
    give_up(job["budget"])
    with answers:
        while (data := _next(samples)) is not None:
            answers.write(json.dumps(_outcome(data, job["limits"])).encode() + b"\n")
            answers.flush()
    os._exit(0)  # no destructor of a library that a hostile file went through runs any more


def _next(samples: BinaryIO) -> bytes | None:
    """None when the parent has closed our input, or is gone."""
    length = samples.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    data = samples.read(size := int.from_bytes(length, "big"))
    return data if len(data) == size else None


def _outcome(data: bytes, limits: dict[str, Any]) -> dict[str, Any]:
    # here, not above: what decoders do as they are loaded is within the limits as well
    from relearn_media.probing import probe
    from relearn_media.renditions.making import limits_from, quiet
    from relearn_media.renditions.rendered import info_values, refusal

    quiet()
    try:
        return {"info": info_values(probe(data, limits_from(limits)))}
    except MediaRefused as refused:
        return refusal(refused)
    except MemoryError:
        return {"failed": "RENDER_OUT_OF_MEMORY"}
    except Exception as error:  # the parent tells it; here nobody reads
        return {"failed": "RENDER_CRASHED", "why": repr(error)}


if __name__ == "__main__":
    main()
