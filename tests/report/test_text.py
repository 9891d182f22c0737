"""Numbers and foreign text, as written in the report."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from impromptu.report import text


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (None, "m", "none (0 / 0)"),
        (7.0, "count", "7"),
        (0.0, "m", "0.000"),
        (0.0004, "m", "< 0.001"),
        (0.0006, "m", "0.001"),
        (12.34567, "m", "12.346"),
    ],
)
def test_numbers(value: float | None, unit: str, written: str) -> None:
    assert text.number(value, unit) == written


def test_reasons_come_most_frequent_first_then_by_name() -> None:
    assert text.counted({"c": 1, "b": 2, "a": 1}) == "2 b, 1 a, 1 c"
    assert text.counted({}) == ""


def test_runs_have_signs_of_their_own_and_start_over_when_there_are_many() -> None:
    assert len({text.mark(position) for position in range(4)}) == 4
    assert text.mark(4) == text.mark(0)


@given(st.text())
@example("\\|")
def test_any_text_stays_one_cell(value: str) -> None:
    for written in (text.markdown_cell(value), text.markdown_code(value)):
        assert len(written.splitlines()) <= 1
        assert not re.search(r"(?<!\\)\|", written.replace("\\\\", ""))


def test_markup_in_a_cell_is_text() -> None:
    assert text.markdown_cell("a *b* <i> [c](d) `e`") == r"a \*b\* &lt;i&gt; \[c](d) \`e\`"


@given(st.text(alphabet="`a\n"))
def test_no_text_ends_its_own_fence(value: str) -> None:
    opening, *inside, closing = text.fenced(value).split("\n")
    assert opening == f"{closing}text"
    assert "\n".join(inside) == value
    assert not any(line.startswith(closing) for line in inside)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("50% & $x_1$ #2 ~^", r"50\% \& \$x\_1\$ \#2 \textasciitilde{}\textasciicircum{}"),
        ("avg (m) ↓", r"avg (m) $\downarrow$"),
        ("[2] starred", "{}[2] starred"),
        ("two\n\nparagraphs", "two paragraphs"),
        ("模型 é", "?? é"),
        ('a<b>|"c"', r"a\textless{}b\textgreater{}\textbar{}''c''"),
    ],
)
def test_latex_is_plain_text(given_text: str, expected: str) -> None:
    assert text.latex(given_text) == expected


@pytest.mark.parametrize(
    ("value", "shown"), [(-0.4281, "−0.428"), (0.25, "+0.250"), (0.0, "+0.000")]
)
def test_a_difference_has_its_sign(value: float, shown: str) -> None:
    assert text.signed(value) == shown


def test_a_wild_figure_stays_short() -> None:
    assert text.number(9e307, "m") == "9e+307"
