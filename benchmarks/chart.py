"""Draws bars as an SVG that is legible on light and dark pages."""

from collections.abc import Sequence
from html import escape

_WIDTH, _LABELS, _ROW, _BAR = 860, 330, 46, 15
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .a { fill: #8c959f } .b { fill: #57606a } .ours .a { fill: #6ea8fe } .ours .b { fill: #0969da }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .b { fill: #c9d1d9 } }
"""


def bars(title: str, legend: tuple[str, str], rows: Sequence[tuple[str, float, float]]) -> str:
    """Draw two bars per row. The first row is ours.

    :param legend: the meaning of the two bars.
    :param rows: a label and two values each.
    """
    scale = (_WIDTH - _LABELS - 70) / max(max(values) for _, *values in rows)
    box = f'viewBox="0 0 {_WIDTH} {70 + _ROW * len(rows)}" role="img" aria-label="{escape(title)}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {box}>', f"<style>{_STYLE}</style>"]
    parts.append(f'<text class="title" x="10" y="22">{escape(title)}</text>')
    for kind, x, text in zip("ab", (10, 270), legend, strict=True):
        parts.append(f'<rect class="{kind}" x="{x}" y="36" width="12" height="12"/>')
        parts.append(f'<text x="{x + 18}" y="47">{escape(text)}</text>')
    for number, (label, *values) in enumerate(rows):
        y = 66 + number * _ROW
        parts.append(f'<g class="{"rival" if number else "ours"}">')
        parts.append(f'<text x="{_LABELS - 10}" y="{y + _BAR + 5}" text-anchor="end">{escape(label)}</text>')
        for kind, top, value in zip("ab", (y, y + _BAR + 2), values, strict=True):
            width = f"{value * scale:.1f}"
            parts.append(f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{width}" height="{_BAR}" rx="2"/>')
            parts.append(f'<text x="{_LABELS + value * scale + 6:.1f}" y="{top + 12}">{value:.0f}</text>')
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])
