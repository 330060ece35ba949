"""Bars as an SVG that reads on light and on dark pages."""

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
    """Draw two bars a row; the first row is ours.

    :param legend: what the two bars are.
    :param rows: a label and two values, such as milliseconds.
    """
    scale = (_WIDTH - _LABELS - 70) / max(max(first, second) for _, first, second in rows)
    height = 70 + _ROW * len(rows)
    box = f'viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="10" y="22">{escape(title)}</text>',
    ]
    for number, (kind, text) in enumerate(zip("ab", legend, strict=True)):
        x = 10 + number * 260
        parts.append(f'<rect class="{kind}" x="{x}" y="36" width="12" height="12"/>')
        parts.append(f'<text x="{x + 18}" y="47">{escape(text)}</text>')
    for number, (label, *values) in enumerate(rows):
        y = 66 + number * _ROW
        parts.append(f'<g class="{"ours" if number == 0 else "rival"}">')
        parts.append(f'<text x="{_LABELS - 10}" y="{y + _BAR + 5}" text-anchor="end">{escape(label)}</text>')
        for offset, (kind, value) in enumerate(zip("ab", values, strict=True)):
            top = y + offset * (_BAR + 2)
            parts.append(
                f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{value * scale:.1f}" height="{_BAR}" rx="2"/>'
            )
            parts.append(f'<text x="{_LABELS + value * scale + 6:.1f}" y="{top + 12}">{value:.0f}</text>')
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])
