"""Bounds on a rate that stay valid however often one looks."""

from math import inf, lgamma, log


def lower_bound(events: int, trials: int, *, alpha: float) -> float:
    """A number that the true rate is below with probability at most `alpha`, over all looks together.

    Args:
        events: 0..trials.
        alpha: 0 < alpha < 1.

    Source: Robbins (1970), "Statistical methods related to the law of the iterated logarithm"; the
        mixture here is uniform over the rate, so the bound is the edge of {p : M(p) < 1/alpha}.
    """
    return _edge(events, trials, alpha=alpha, outside=0.0)


def upper_bound(events: int, trials: int, *, alpha: float) -> float:
    """A number that the true rate is above with probability at most `alpha`, over all looks together."""
    return _edge(events, trials, alpha=alpha, outside=1.0)


def _edge(events: int, trials: int, *, alpha: float, outside: float) -> float:
    """Where log M(p) crosses log(1/alpha) between the observed rate and `outside`."""
    if not 0 <= events <= trials:
        raise ValueError(f"events must be in 0..trials, got {events} of {trials}")
    if trials == 0 or events == trials * outside:
        return outside
    inside, limit = events / trials, -log(alpha)
    for _ in range(60):
        middle = (inside + outside) / 2
        if _log_martingale(events, trials, middle) < limit:
            inside = middle
        else:
            outside = middle
    return outside


def _log_martingale(events: int, trials: int, rate: float) -> float:
    """log of the uniform mixture's likelihood ratio against `rate`."""
    rest = trials - events
    if (events and rate == 0.0) or (rest and rate == 1.0):
        return inf
    mixture = lgamma(events + 1) + lgamma(rest + 1) - lgamma(trials + 2)
    return mixture - (events * log(rate) if events else 0.0) - (rest * log(1 - rate) if rest else 0.0)
