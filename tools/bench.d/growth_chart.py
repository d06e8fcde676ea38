"""The picture of how a search grows, as one SVG file: lines in logarithmic scales, for two
clients."""
from __future__ import annotations

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

from chart import STYLE, spelled, text

WIDTH, HEIGHT = 880, 470
LEFT, RIGHT, TOP, BOTTOM = 100, 214, 76, 58

#: Labels stand at least this far from each other, from line to line.
LABEL_HEIGHT = 16

#: From 1 run to this power of ten.
DECADES = 8

#: How each line is drawn, its name, and which search it shows.
LINES = (
    ("loses", "all schedules", "all"),
    ("bound", "at most 2 preemptions", "2"),
    ("bound", "at most 1 preemption", "1"),
    ("bound", "no preemption", "0"),
    ("holds", "all, reduced", "reduced"),
)

LINE_STYLE = """
  .curve { fill: none; stroke-width: 2.5px; }
  .curve.loses { stroke: var(--loses); } .curve.holds { stroke: var(--holds); }
  .curve.bound { stroke: var(--faint); stroke-dasharray: 6 4; }
  .dot { fill: var(--ink); }
"""


def drawn(found: list) -> str:
    """`found` are the searches of two clients."""
    title = "Runs that a search of two clients takes"
    sizes = sorted({each.statements for each in found})
    lines = [line(found, sizes, kind, name, searched) for kind, name, searched in LINES]
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(summary(found))}">',
        f"<title>{title}</title>",
        f"<style>{STYLE}{LINE_STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        text(16, 30, title, "title"),
        text(16, 50, "Both scales are logarithmic. Most statements are on tables of the client's own. A line that "
                     "goes on without a dot is counted, not run.", "faint"),
        *grid(sizes),
        *(part for curve, _ in lines for part in curve),
        *labels([label for _, label in lines]),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def runs(each) -> float:
    """The runs of a search, with those that were broken off; or all schedules that there are."""
    if each.runs is not None:
        return each.runs + each.broken_off
    statements = each.statements
    return math.comb(2 * statements, statements)


def x(sizes: list[int], statements: float) -> float:
    share = math.log(statements / sizes[0]) / math.log(sizes[-1] / sizes[0])
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def y(count: float) -> float:
    share = math.log10(max(count, 1)) / DECADES
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def grid(sizes: list[int]) -> list[str]:
    parts = []
    for power in range(DECADES + 1):
        height = y(10 ** power)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{height:.1f}" x2="{WIDTH - RIGHT}" y2="{height:.1f}"/>')
        parts.append(text(LEFT - 8, height + 4, spelled(10 ** power), "faint", "end"))
    for statements in sizes:
        parts.append(text(x(sizes, statements), HEIGHT - BOTTOM + 20, str(statements), "faint", "middle"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, "statements of each client", "faint", "middle"))
    return parts


@dataclass
class Label:
    """What stands beside the end of a line."""

    x: float
    y: float
    words: str


def labels(wanted: list[Label]) -> list[str]:
    """The labels, from the top. One that would stand on another one is moved down."""
    parts = []
    free = 0.0
    for label in sorted(wanted, key=lambda it: it.y):
        height = max(label.y, free)
        free = height + LABEL_HEIGHT
        parts.append(text(label.x, height, label.words))
    return parts


def line(found: list, sizes: list[int], kind: str, name: str, searched: str) -> tuple[list[str], Label]:
    """The line of one search with its dots, and its label."""
    searches = sorted((it for it in found if it.searched == searched), key=lambda it: it.statements)
    shown = [it for it in searches if runs(it) <= 10 ** DECADES]
    points = " ".join(f"{x(sizes, it.statements):.1f},{y(runs(it)):.1f}" for it in shown)
    last = shown[-1]
    end = x(sizes, last.statements), y(runs(last))
    if len(shown) < len(searches):
        end = up_to_the_edge(sizes, last, searches[len(shown)])
        points += f" {end[0]:.1f},{end[1]:.1f}"
    dots = [
        f'<circle class="dot" cx="{x(sizes, it.statements):.1f}" cy="{y(runs(it)):.1f}" r="3"/>'
        for it in shown if it.runs is not None
    ]
    label = name if len(shown) < len(searches) else f"{name}: {spelled(runs(last))}"
    curve = [f'<polyline class="curve {kind}" points="{points}"/>', *dots]
    return curve, Label(end[0] + 9, end[1] + 4, label)


def up_to_the_edge(sizes: list[int], last, beyond) -> tuple[float, float]:
    """Where the line to a point beyond the picture leaves it."""
    rise = math.log10(runs(beyond)) - math.log10(runs(last))
    share = (DECADES - math.log10(runs(last))) / rise
    near, far = x(sizes, last.statements), x(sizes, beyond.statements)
    return near + share * (far - near), y(10 ** DECADES)


def summary(found: list) -> str:
    said = []
    for _, name, searched in LINES:
        counts = ", ".join(
            f"{runs(it):.0f} with {it.statements} statements"
            for it in sorted(found, key=lambda it: it.statements)
            if it.searched == searched and runs(it) <= 10 ** DECADES
        )
        said.append(f"{name}: {counts}")
    return "Line chart: runs of a search of two clients. " + "; ".join(said) + "."
