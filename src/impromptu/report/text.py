"""How the report writes numbers, and text that others wrote."""

import html
import re
from base64 import b64encode

from impromptu.pictures import run_style

_GLYPHS = {"o": "●", "s": "■", "^": "▲", "D": "◆"}


def number(value: float | None, unit: str) -> str:
    """Write a figure to three decimals, a count as an integer, and 0 / 0 as what it is."""
    if value is None:
        return "none (0 / 0)"
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    if unit == "count":
        return f"{value:.0f}"
    return "< 0.001" if 0 < value < 0.0005 else f"{value:.3f}"


def signed(value: float) -> str:
    """Write a difference with its sign."""
    sign = "−" if value < 0 else "+"
    return f"{sign}{number(abs(value), '')}"


def metres(value_m: float | None) -> str:
    """Write a distance, or a dash where there is none."""
    return "–" if value_m is None else f"{value_m:.2f} m"


def counted(reasons: dict[str, int]) -> str:
    """Write counts by reason, most frequent first: ``3 future_under_5s, 1 no_front_view``."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {reason}" for reason, count in ordered)


def mark(position: int) -> tuple[int, str]:
    """Return which of the page's colours is a run's, and the sign that repeats its marker."""
    colors = [run_style(number)[0] for number in range(len(_GLYPHS))]
    color, marker = run_style(position)
    return colors.index(color), _GLYPHS[marker]


def data_uri(content: bytes, kind: str) -> str:
    """Return an image as an address that holds the image itself."""
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def markdown_cell(value: object) -> str:
    """Write a value so that it stays one cell of a table, and plain text."""
    one_line = " ".join(html.escape(str(value), quote=False).split())
    return re.sub(r"([\\|`*\[])", r"\\\1", one_line)


def markdown_code(value: str) -> str:
    """Write text as code that stays one cell of a table; nothing for nothing."""
    if r"\|" in value:  # in code a backslash cannot be escaped, and would free the bar after it
        return markdown_cell(value)
    one_line = " ".join(value.split()).replace("|", r"\|")
    fence = "`" * (_longest_ticks(one_line) + 1)
    return f"{fence} {one_line} {fence}" if one_line else ""


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "↓": r"$\downarrow$", "↑": r"$\uparrow$", "–": "--", "−": "$-$", "…": r"\ldots{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}  # fmt: skip


def latex(value: object) -> str:
    """Write a value as plain text of LaTeX; what its fonts may lack becomes a question mark."""
    one_line = " ".join(str(value).split())
    known = "".join(_LATEX.get(sign, sign if sign < "\u0250" else "?") for sign in one_line)
    return f"{{}}{known}" if known[:1] in ("[", "*") else known  # after \\ both mean something


def fenced(value: str) -> str:
    """Write text as a code block whose fence no run of backticks in it can end."""
    fence = "`" * max(3, _longest_ticks(value) + 1)
    return f"{fence}text\n{value}\n{fence}"


def _longest_ticks(value: str) -> int:
    return max((len(run) for run in re.findall("`+", value)), default=0)
