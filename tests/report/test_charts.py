"""Curves, histograms and confusion matrices: what is drawn is what was scored."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from impromptu.conversation import Sample
from impromptu.pictures import run_style
from impromptu.report import Run, sample_files
from impromptu.report import charts as module
from impromptu.report.charts import EDGES_M, charts
from impromptu.report.confusion import NOTHING, _cells, _matrix

MakeRun = Callable[[str, Mapping[str, str]], Run]


def test_means_at_each_time_are_those_of_the_readable_answers(runs: Sequence[Run]) -> None:
    (file,) = sample_files(runs)
    drawn = charts(file, "a")
    assert drawn is not None
    assert drawn.t_s == pytest.approx(np.arange(1, 11) / 2)
    short, echo = drawn.means_m
    # 0, 1, 3 and 4 m short all along.
    assert (short[0], echo[0]) == ("short", "echo")
    assert short[1] == pytest.approx([2.0] * 10)
    assert echo[1] == pytest.approx([0.0] * 10)


def test_drawings_are_well_formed_without_outside_names_or_fixed_ink(runs: Sequence[Run]) -> None:
    hostile = replace(runs[0], name='<script>alert(1)</script>" onload="x')
    (file,) = sample_files([hostile, runs[1]])
    drawn = charts(file, "a")
    assert drawn is not None
    for drawing in (drawn.over_time, drawn.histogram):
        parsed = ElementTree.fromstring(drawing.replace("xlink:href", "href"))  # noqa: S314 - ours
        assert not [one for one in parsed.iter() if one.tag in ("script", "style", "metadata")]
        assert not [one for one in parsed.iter() if "onload" in one.attrib]
        assert "http" not in drawing and "#0102" not in drawing and "var(--ink)" in drawing
        assert not re.search('id="(figure|axes|patch|text)_', drawing)


def test_two_files_share_no_id_and_the_same_gives_the_same(runs: Sequence[Run]) -> None:
    (file,) = sample_files(runs)
    one, other, again = (charts(file, salt) for salt in ("a", "b", "a"))
    assert one is not None and other is not None
    assert one == again
    ids = [re.findall(r'id="([^"]+)"', c.over_time + c.histogram) for c in (one, other)]
    assert ids[0] and not set(ids[0]) & set(ids[1])
    assert len(set(ids[0])) == len(ids[0])


def test_shares_are_of_all_answers_and_the_outer_bins_are_open() -> None:
    shares = module._shares(np.array([0.0, 1e-9, 1.01, 1e300]))
    assert shares.sum() == pytest.approx(1)
    assert (shares[0], shares[-1]) == (0.5, 0.25)
    assert shares[np.searchsorted(EDGES_M, 1.01) - 1] == 0.25


def test_truth_alone_and_nothing_readable_are_not_drawn(
    runs: Sequence[Run], make_run: MakeRun, samples: Sequence[Sample]
) -> None:
    assert charts(sample_files([replace(runs[0], role="truth")])[0], "a") is None
    mute = make_run("mute", {one.id: "?" for one in samples})
    assert charts(sample_files([mute])[0], "a") is None
    wild = f"<PLANNING>{', '.join(['[9e307, 9e307]'] * 10)}</PLANNING>"
    infinite = make_run("wild", {one.id: wild for one in samples})
    assert charts(sample_files([infinite])[0], "a") is None


def test_the_page_has_the_colours_of_the_pictures() -> None:
    style = (Path(module.__file__).parent / "templates/report.css").read_text()
    for place in range(4):
        assert f"--run-{place}: {run_style(place)[0]};" in style


def test_a_matrix_has_a_row_for_each_word_and_one_for_nothing(runs: Sequence[Run]) -> None:
    sums = {"speed:KEEP>KEEP": 3.0, "speed:KEEP>STOP": 1.0, "speed:>STOP": 2.0, "samples": 4.0,
            "both:KEEP>": 9.0}  # fmt: skip
    cells = _cells(sums)
    assert set(cells) == {"speed"}
    found = _matrix(sample_files(runs)[0].entries[0], "speed", cells["speed"])
    assert found.words == ["KEEP", "STOP", NOTHING]
    assert found.rows == [
        ("KEEP", [3, 1, 0], [0.75, 0.25, 0.0]),
        ("STOP", [0, 0, 0], [0.0, 0.0, 0.0]),
        (NOTHING, [0, 2, 0], [0.0, 1.0, 0.0]),
    ]
