"""How tools/bench prints its figures."""
from __future__ import annotations

import math
import statistics


def markdown(head: list[str], rows: list[list]) -> str:
    """A table of numbers. Its first column is text."""
    rule = ["---"] + ["--:"] * (len(head) - 1)
    return "".join(f"| {' | '.join(map(str, row))} |\n" for row in [head, rule, *rows])


def spread(values: list[float]) -> str:
    """Minimum, median and maximum."""
    return f"{min(values):.2f}–**{statistics.median(values):.2f}**–{max(values):.2f}"


def pair(spelled, first: float, second: float) -> str:
    return f"{spelled(first)} / {spelled(second)}"


def milliseconds(microseconds: float) -> str:
    """A dash if there is no value."""
    return "–" if math.isnan(microseconds) else f"{microseconds / 1000:.2f}"


def share(value: float) -> str:
    return f"{value:.1%}" if value else "0"


def judged(reached: bool) -> str:
    return "reached" if reached else "missed"
