"""Accuracy over time as an SVG picture."""

from collections.abc import Callable, Sequence
from html import escape

from fashion_demo.outcome import Moment, Point

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 118, 40
ROWS = 6  # rows of event names above the curve, so that near ones do not overlap
ROW_HEIGHT = 17


def accuracy_chart(points: Sequence[Point], moments: Sequence[Moment]) -> str:
    """Two curves (with the loop and without it) and the moments of the story, marked.

    Args:
        points: in order of time; their intervals are drawn as a band.
        moments: in order of time.

    Returns:
        One `<svg>` element without outside references.
    """
    last_s = max((p.at_s for p in points), default=1.0)

    def x(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at_s / last_s

    def y(accuracy: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - accuracy)

    live = [(x(p.at_s), y(p.live.value)) for p in points if p.live.n]
    without = [(x(p.at_s), y(p.without_loop.value)) for p in points if p.without_loop.n]
    band = [(x(p.at_s), y(p.live.upper)) for p in points if p.live.n]
    band += [(x(p.at_s), y(p.live.lower)) for p in reversed(points) if p.live.n]
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg">',
        "<title>Accuracy of the product's answers over time</title>",
        *_axes(x=x, y=y, last_s=last_s),
        f'<polygon class="band" points="{_points(band)}"/>',
        f'<polyline class="without" points="{_points(without)}"/>',
        f'<polyline class="live" points="{_points(live)}"/>',
        *_markers([(x(m.at_s), m) for m in moments if m.at_s <= last_s]),
        "</svg>",
    ]
    return "\n".join(parts)


def _axes(*, x: Callable[[float], float], y: Callable[[float], float], last_s: float) -> list[str]:
    lines = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}"'
            f' y2="{y(share):.1f}"/>'
            f'<text class="tick" x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end">'
            f"{share:.0%}</text>"
        )
    step = next(s for s in (10, 20, 30, 60, 120, 600) if last_s / s <= 12 or s == 600)
    for at_s in range(0, int(last_s) + 1, step):
        lines.append(
            f'<text class="tick" x="{x(at_s):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{at_s} s</text>'
        )
    return lines


def _markers(placed: Sequence[tuple[float, Moment]]) -> list[str]:
    lines = []
    for number, (at_x, moment) in enumerate(placed):
        at_y = 14 + ROW_HEIGHT * (number % ROWS)
        anchor, offset = ("end", -4) if at_x > WIDTH * 0.72 else ("start", 4)
        lines.append(
            f'<line class="moment" x1="{at_x:.1f}" x2="{at_x:.1f}" y1="{at_y - 10}"'
            f' y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="moment" x="{at_x + offset:.1f}" y="{at_y}" text-anchor="{anchor}">'
            f"{escape(moment.name)}<title>{escape(moment.detail)}</title></text>"
        )
    return lines


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
