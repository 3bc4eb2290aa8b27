"""W3C trace context of a request, carried on into its predictions' headers at the cost of a comparison."""

import random
import re

_NOT_ZERO = 1 << 64 | 1  # neither the trace nor the span may be all zeros
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def carried_on(traceparent: str) -> str:
    """The caller's span, or the root of a new, unsampled trace when the caller sent none that can be read.

    The gateway records no span per request, so what follows hangs from the caller's, which exists. Whether spans are
    recorded is the caller's decision and travels with it.
    """
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        return f"00{traceparent[2:]}"
    digits = f"{random.getrandbits(192) | _NOT_ZERO:048x}"
    return f"00-{digits[:32]}-{digits[32:]}-00"
