"""One job in a process of its own: `python -I -m relearn_media.renditions.worker`.

Reads one line of JSON from standard input and writes one to standard output. Before it looks at any byte of the
sample it gives up memory, processor time, file size and priority beyond what the job may use.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from relearn_media.errors import MediaRefused

_FILES = 64  # open at once


def main() -> None:
    """Does the job of standard input and tells how it went; never raises for what the sample holds."""
    line = sys.stdin.buffer.readline()
    answers = take_standard_output()
    job = json.loads(line)
    give_up(job["budget"])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with answers:
        answers.write(json.dumps(_outcome(job)).encode())
    os._exit(0)  # no destructor of a library that a hostile file went through runs any more


def take_standard_output() -> Any:
    """Standard output for this module alone: what a library prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def give_up(budget: dict[str, int]) -> None:
    """Memory, processor time, file size, open files and priority beyond the budget of this process."""
    for limit, value in (
        (resource.RLIMIT_AS, budget["memory_bytes"]),
        (resource.RLIMIT_FSIZE, budget["output_bytes"]),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (budget["cpu_s"], budget["cpu_s"] + 5))  # SIGXCPU first, which tells why
    os.nice(10)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the parent is gone, however it went
    os._exit(1)


def _outcome(job: dict[str, Any]) -> dict[str, Any]:
    try:
        return _done(job)
    except MediaRefused as refused:
        return {"refused": {"reason": refused.reason, "message": str(refused)}}
    except MemoryError:
        return {"failed": "RENDER_OUT_OF_MEMORY"}
    except OSError as error:
        return {"failed": "RENDER_TOO_LARGE" if error.errno == errno.EFBIG else "RENDER_CRASHED", "why": str(error)}
    except Exception:  # the parent tells it; here nobody reads
        return {"failed": "RENDER_CRASHED", "why": traceback.format_exc(limit=-3)}


def _done(job: dict[str, Any]) -> dict[str, Any]:
    # here, not above: what decoders do as they are loaded is within the limits as well
    from relearn_media.renditions.making import limits_from, make, quiet
    from relearn_media.renditions.rendered import Rendition, manifest

    quiet()
    wanted = frozenset(Rendition(name) for name in job["wanted"])
    info, made = make(Path(job["source"]), Path(job["folder"]), wanted, limits_from(job["limits"]))
    return manifest(info, made)


if __name__ == "__main__":
    main()
