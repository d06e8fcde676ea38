"""The chart of what each strategy costs, as one SVG file. It has its own background, light or dark
as the reader prefers, so it is legible on any page."""
from __future__ import annotations

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 880, 262, 70
TOP, ROW, BAR, BOTTOM = 112, 34, 11, 44

STYLE = """
  svg { --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --grid: #d1d9e0;
        --holds: #0969da; --holds-apart: #80b3ec; --loses: #cf222e; --loses-apart: #e79097; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #0d1117; --ink: #f0f6fc; --faint: #9198a1; --grid: #3d444d;
          --holds: #4493f8; --holds-apart: #2a568e; --loses: #f85149; --loses-apart: #8e3733; }
  }
  .paper { fill: var(--paper); } .grid { stroke: var(--grid); }
  .line { stroke: var(--ink); stroke-dasharray: 5 4; }
  .holds { fill: var(--holds); } .holds-apart { fill: var(--holds-apart); }
  .loses { fill: var(--loses); } .loses-apart { fill: var(--loses-apart); }
  text { font-family: system-ui, sans-serif; font-size: 12px; fill: var(--ink); }
  .name { font-family: ui-monospace, monospace; } .title { font-size: 16px; font-weight: 600; }
  .faint { fill: var(--faint); font-size: 11px; }
  .value { stroke: var(--paper); stroke-width: 3px; paint-order: stroke; }
"""


@dataclass(frozen=True)
class Bars:
    """A strategy's deposits per second."""

    name: str
    hot: float
    apart: float
    #: Whether updates were lost.
    loses: bool


def drawn(bars: list[Bars], measure: float, clients: int, accounts: int, note: str) -> str:
    """`measure` is how many deposits a second native atomic_update makes on the hot account."""
    scale = Scale([rate for each in bars for rate in (each.hot, each.apart)] + [measure])
    height = TOP + ROW * len(bars) + BOTTOM
    title = f"Deposits per second by strategy, {clients} clients"
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(summary(bars, measure, clients, accounts))}">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>',
        text(16, 30, title, "title"),
        text(16, 50, "Over HTTP, on MySQL with stock durability. Logarithmic scale: each line is ten times "
                     f"the one before.{note}", "faint"),
        *legend(accounts),
        *grid(scale, height),
        *(bar for number, each in enumerate(bars) for bar in drawn_bars(each, scale, TOP + ROW * number)),
        *reference(scale, measure, height),
        *(label for number, each in enumerate(bars) for label in labels(each, scale, TOP + ROW * number)),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


class Scale:
    """Logarithmic, over whole powers of ten."""

    def __init__(self, values: list[float]) -> None:
        positive = [value for value in values if value > 0]
        self.low = math.floor(math.log10(min(positive) * 0.9))
        self.high = math.log10(max(positive)) + 0.1

    def x(self, value: float) -> float:
        share = (math.log10(max(value, 10 ** self.low)) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> list[int]:
        return [10 ** power for power in range(self.low, math.floor(self.high) + 1)]


def summary(bars: list[Bars], measure: float, clients: int, accounts: int) -> str:
    each = "; ".join(
        f"{it.name} {it.hot:.0f} and {it.apart:.0f}{', loses updates' if it.loses else ''}" for it in bars
    )
    return (
        f"Bar chart: deposits per second at {clients} clients on one hot account and spread over {accounts} "
        f"accounts. {each}. Natively, atomic_update makes {measure:.0f} on the hot account."
    )


def legend(accounts: int) -> list[str]:
    x, items = 16, []
    for names, label in (
        (("holds",), "one hot account"),
        (("holds-apart",), f"spread over {accounts} accounts"),
        (("loses", "loses-apart"), "✗ loses updates"),
    ):
        for name in names:
            items.append(f'<rect class="{name}" x="{x}" y="65" width="14" height="11" rx="2"/>')
            x += 18
        items.append(text(x + 2, 75, label))
        x += 30 + 6.6 * len(label)
    return items


def grid(scale: Scale, height: int) -> list[str]:
    lines = []
    for tick in scale.ticks():
        x = scale.x(tick)
        lines.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - BOTTOM + 4}"/>')
        lines.append(text(x, height - BOTTOM + 18, spelled(tick), "faint", "middle"))
    lines.append(text(WIDTH - RIGHT, height - BOTTOM + 34, "deposits per second", "faint", "end"))
    return lines


def drawn_bars(each: Bars, scale: Scale, y: int) -> list[str]:
    kind = "loses" if each.loses else "holds"
    return [
        f'<rect class="{name}" x="{LEFT}" y="{y + offset}" width="{scale.x(rate) - LEFT:.1f}" '
        f'height="{BAR}" rx="2"/>'
        for offset, name, rate in ((1, kind, each.hot), (BAR + 3, f"{kind}-apart", each.apart))
    ]


def labels(each: Bars, scale: Scale, y: int) -> list[str]:
    return [
        text(LEFT - 10, y + 16, f"{'✗ ' if each.loses else ''}{each.name}", "name", "end"),
        text(scale.x(each.hot) + 5, y + 10.5, spelled(each.hot), "faint value"),
        text(scale.x(each.apart) + 5, y + BAR + 12.5, spelled(each.apart), "faint value"),
    ]


def reference(scale: Scale, measure: float, height: int) -> list[str]:
    x = scale.x(measure)
    return [
        f'<line class="line" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - BOTTOM + 4}"/>',
        text(x, TOP - 14, f"native atomic_update, hot: {spelled(measure)}", "faint", "middle"),
    ]


def spelled(rate: float) -> str:
    """With a thin space between thousands."""
    return f"{rate:,.0f}".replace(",", "\u2009")


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'
