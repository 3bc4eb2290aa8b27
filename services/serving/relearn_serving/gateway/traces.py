"""W3C trace context of a request, carried on into its prediction's headers at the cost of two random numbers."""

import random
import re

_NOT_ZERO = 1 << 64 | 1  # neither the trace nor the span may be all zeros
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


def child_of(traceparent: str) -> str:
    """A new span in the caller's trace; a new, unsampled trace when the caller sent none that can be read.

    The id alone joins the product's trace to everything that follows; whether spans are recorded
    is the caller's decision and travels with it.
    """
    if traceparent and (match := _TRACEPARENT.fullmatch(traceparent)):
        return f"00-{traceparent[3:35]}-{random.getrandbits(64) or 1:016x}-{match[1]}"
    digits = f"{random.getrandbits(192) | _NOT_ZERO:048x}"
    return f"00-{digits[:32]}-{digits[32:]}-00"
