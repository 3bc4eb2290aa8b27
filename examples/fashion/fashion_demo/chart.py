"""Accuracy over time as an SVG picture."""

from collections.abc import Callable, Sequence
from html import escape

from fashion_demo.intervals import Share
from fashion_demo.outcome import Moment, Phase, Point

WIDTH, HEIGHT = 1000, 440
LEFT, RIGHT, TOP, BOTTOM = 78, 156, 110, 56
LETTER = 7.6  # width of a letter, about
ROWS = 4  # of names of moments, above the names of the phases
ROW_HEIGHT = 19
SHOWN = {  # moments that are named in the picture, by what they are called there
    "turned": "camera turned",
    "alert": "alert",
    "first_task": "first task",
    "confirmed": "alert confirmed",
    "gate_2": "gate step 2",
    "finished": "new champion",
}


def accuracy_chart(points: Sequence[Point], moments: Sequence[Moment], phases: Sequence[Phase]) -> str:
    """Two curves (with the loop and without it) over what the loop was busy with, and the moments, named.

    Args:
        points: in order of time; their intervals are drawn as bands.
        moments: in order of time.
        phases: in order of time, not overlapping.

    Returns:
        One `<svg>` element without outside references.
    """
    last_s = max((p.at_s for p in points), default=1.0)

    def x(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(at_s, last_s) / last_s

    def y(accuracy: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - accuracy)

    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg">',
            "<title>Accuracy of the product's answers over time</title>",
            *_phases(phases, x),
            *_axes(x=x, y=y, last_s=last_s),
            *_curve("without", "loop switched off", [(x(p.at_s), p.without_loop) for p in points], y),
            *_curve("live", "with the loop", [(x(p.at_s), p.live) for p in points], y),
            *_moments(moments, x),
            "</svg>",
        ]
    )


def _phases(phases: Sequence[Phase], x: Callable[[float], float]) -> list[str]:
    lines = []
    for phase in phases:
        left, right = x(phase.from_s), x(phase.to_s)
        lines.append(
            f'<rect class="phase {phase.name}" x="{left:.1f}" width="{right - left:.1f}" y="{TOP}"'
            f' height="{HEIGHT - TOP - BOTTOM}"/>'
            f'<text class="phase" x="{(left + right) / 2:.1f}" y="{TOP - 8}" text-anchor="middle">'
            f"{escape(phase.name)}<title>{phase.to_s - phase.from_s:.0f} s</title></text>"
        )
    return lines


def _axes(*, x: Callable[[float], float], y: Callable[[float], float], last_s: float) -> list[str]:
    lines = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}"'
            f' y2="{y(share):.1f}"/>'
            f'<text class="tick" x="{LEFT - 8}" y="{y(share) + 5:.1f}" text-anchor="end">'
            f"{share:.0%}</text>"
        )
    step = next(s for s in (10, 20, 30, 60, 120, 600) if last_s / s <= 12 or s == 600)
    for at_s in range(0, int(last_s) + 1, step):
        lines.append(
            f'<text class="tick" x="{x(at_s):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{at_s}</text>'
        )
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (y(0) + y(1)) / 2
    return [
        *lines,
        f'<text class="axis" x="{middle_x:.1f}" y="{HEIGHT - 10}" text-anchor="middle">'
        "seconds since the product started</text>",
        f'<text class="axis" transform="translate(18 {middle_y:.1f}) rotate(-90)" text-anchor="middle">'
        "accuracy of 100 answers</text>",
    ]


def _curve(kind: str, name: str, shares: Sequence[tuple[float, Share]], y: Callable[[float], float]) -> list[str]:
    """A line in its band, with its name at the right end."""
    if not shares:
        return []
    band = [(at_x, y(share.upper)) for at_x, share in shares]
    band += [(at_x, y(share.lower)) for at_x, share in reversed(shares)]
    end_x, end = shares[-1]
    return [
        f'<polygon class="band {kind}" points="{_points(band)}"/>',
        f'<polyline class="curve {kind}" points="{_points([(at_x, y(share.value)) for at_x, share in shares])}"/>',
        f'<text class="name {kind}" x="{end_x + 8:.1f}" y="{y(end.value) + 4:.1f}">{escape(name)}</text>',
    ]


def _moments(moments: Sequence[Moment], x: Callable[[float], float]) -> list[str]:
    """Hairlines with names, each in the first row where it does not run into its neighbour."""
    lines = []
    free = [0.0] * ROWS  # where each row is free again
    for moment in moments:
        at_x = x(moment.at_s)
        if moment.key.startswith("canary_"):
            lines.append(
                f'<line class="step" x1="{at_x:.1f}" x2="{at_x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">'
                f"<title>{escape(moment.name)}</title></line>"
            )
        if moment.key not in SHOWN:
            continue
        row = next((row for row in range(ROWS) if free[row] <= at_x), ROWS - 1)
        free[row] = at_x + LETTER * (len(SHOWN[moment.key]) + 1)
        at_y = 14 + ROW_HEIGHT * row
        lines.append(
            f'<line class="moment" x1="{at_x:.1f}" x2="{at_x:.1f}" y1="{at_y - 10}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="moment" x="{at_x + 5:.1f}" y="{at_y}">'
            f"{escape(SHOWN[moment.key])}<title>{escape(moment.detail)}</title></text>"
        )
    return lines


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
