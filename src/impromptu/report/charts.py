"""Charts of errors in metres, as SVG in the page's own ink: over time, and how often how large."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from impromptu.arrays import Floats
from impromptu.conversation import clip_id, log_of
from impromptu.intervals import Interval, clustered
from impromptu.metrics import Metric, Sums, ratio
from impromptu.metrics._displacement import error_sums, times_s
from impromptu.pictures import house_style, run_style, spread
from impromptu.report.runs import Entry, SampleFile

_ERRORS = "ade_fde"
"""The metric whose sums are errors at each time."""
EDGES_M = 0.0625 * 2 ** (np.arange(23) / 2)
"""Two bins an octave; the first also holds what is less, the last what is more (128 m)."""
_TICKS_M = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1e3, 1e4)
# Matplotlib writes colours as they are; the page knows these as its own, light and dark.
_INK, _QUIET, _LINE = "#010203", "#040506", "#070809"
_VARIABLES = {_INK: "var(--ink)", _QUIET: "var(--quiet)", _LINE: "var(--line)"} | {
    run_style(place)[0].lower(): f"var(--run-{place})" for place in range(4)
}
_STYLE = {
    "svg.fonttype": "none",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 10,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _QUIET,
    "text.color": _INK,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One run's error over time, and of each sample.

    Attributes:
        t_s: (k,)
        mean_m: (k,)
        low_m, high_m: (k,) ends of the 95 % interval; None where there is none.
        each_m: (n,) mean error of each sample over all times.
    """

    entry: Entry
    t_s: Floats
    mean_m: Floats
    low_m: Floats | None
    high_m: Floats | None
    each_m: Floats


@dataclass(frozen=True, slots=True)
class Charts:
    """Of one file of samples: two drawings, and the drawn means as text."""

    over_time: str
    histogram: str
    t_s: Sequence[float]
    means_m: Sequence[tuple[str, Sequence[float]]]


def charts(file: SampleFile, salt: str) -> Charts | None:
    """Draw a file's errors; None where answers are no paths or none could be read.

    Runs that repeat the truth are left out.

    Args:
        file: What was asked, and who.
        salt: Different for each file of a page, so that no two drawings share an id.
    """
    curves = [
        _curve(entry, file.task)
        for entry in file.entries
        if _ERRORS in entry.evaluation.sums and entry.run.role != "truth"
    ]
    # An answer may be as far off as 9e307 m; no axis reaches there.
    curves = [curve for curve in curves if np.isfinite(curve.mean_m).all()]
    if not curves:
        return None
    return Charts(
        _over_time(curves, f"{salt}-time"),
        _histograms(curves, f"{salt}-bins"),
        curves[0].t_s.tolist(),
        [(curve.entry.run.name, curve.mean_m.tolist()) for curve in curves],
    )


def _curve(entry: Entry, task: str) -> Curve:
    sums = entry.evaluation.sums[_ERRORS]
    t_s = times_s(sums)
    with np.errstate(over="ignore"):
        each_m = np.mean([sums[f"error_{s:g}s"] for s in t_s], axis=0)
        mean_m = np.array([sums[f"error_{s:g}s"].mean() for s in t_s])
    bounds = _bounds(entry, task, sums)
    ends = np.array([bounds[f"{s:g}"] for s in t_s]).T if bounds else (None, None)
    return Curve(entry, np.array(t_s), mean_m, ends[0], ends[1], each_m)


def _bounds(entry: Entry, task: str, sums: Sums) -> Mapping[str, Interval]:
    logs = [log_of(clip_id(one.id, task)) for one in entry.evaluation.reading.read]
    how = entry.result["bootstrap"]
    if not all(logs):
        return {}
    found = clustered({"": _AT_EACH}, {"": sums}, logs, how["resamples"], how["seed"])
    return found.get("", {})


def _at_each(sums: Sums) -> dict[str, Floats]:
    return {f"{s:g}": ratio(sums[f"error_{s:g}s"], sums["samples"]) for s in times_s(sums)}


_AT_EACH = Metric("error at each time", "m", False, error_sums, _at_each, headline="")


def _color(entry: Entry) -> str:
    return run_style(entry.position)[0] if entry.run.pictured else _QUIET


def _over_time(curves: Sequence[Curve], salt: str) -> str:
    with house_style(), context({**_STYLE, "svg.hashsalt": salt}):
        figure = Figure(figsize=(6.4, 3.9))
        axes = figure.add_axes((0.1, 0.13, 0.52, 0.84))
        for curve in curves:
            color, marker = _color(curve.entry), run_style(curve.entry.position)[1]
            drawn = curve.entry.run.pictured
            axes.plot(
                curve.t_s,
                curve.mean_m,
                color=color,
                marker=marker if drawn else None,
                markersize=4.5,
                linewidth=1.8 if drawn else 1,
                zorder=3 if drawn else 2,
                clip_on=False,
            )
            if drawn and curve.low_m is not None and curve.high_m is not None:
                axes.fill_between(
                    curve.t_s, curve.low_m, curve.high_m, color=color, alpha=0.18, linewidth=0
                )
        _logarithmic(axes, curves)
        axes.set(xlabel="time ahead (s)", xlim=(curves[0].t_s[0], curves[0].t_s[-1]))
        axes.set_xticks(curves[0].t_s[1::2])
        axes.set_ylabel("mean error (m), logarithmic")
        axes.grid(axis="y", color=_LINE, linewidth=0.8)
        axes.tick_params(length=0)
        axes.set_axisbelow(True)
        _name_ends(axes, curves)
        return _svg(figure)


def _logarithmic(axes: Axes, curves: Sequence[Curve]) -> None:
    axes.set_yscale("log")
    positive = np.concatenate([curve.mean_m[curve.mean_m > 0] for curve in curves])
    low, high = (positive.min(), positive.max()) if positive.size else (0.1, 1.0)
    axes.set_ylim(float(low) / 1.25, float(high) * 1.25)
    axes.yaxis.set_major_locator(FixedLocator(_TICKS_M))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _name_ends(axes: Axes, curves: Sequence[Curve]) -> None:
    """Write each run's last error and name right of its line, none over another."""
    low, high = np.log(axes.get_ylim())
    last_m = [max(float(curve.mean_m[-1]), 1e-9) for curve in curves]
    levels = [float(np.clip((np.log(m) - low) / (high - low), 0, 1)) for m in last_m]
    for curve, level, m in zip(
        curves, spread(levels, line=0.065, lowest=0.03), last_m, strict=True
    ):
        color = _color(curve.entry)
        axes.annotate(
            f"{curve.mean_m[-1]:.2f} {_short(curve.entry.run.name)}",
            (float(curve.t_s[-1]), m),
            (1.05, level),
            textcoords="axes fraction",
            va="center",
            color=_INK if curve.entry.run.pictured else _QUIET,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.8,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 0,
            },
        )


def _short(name: str, most: int = 25) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _histograms(curves: Sequence[Curve], salt: str) -> str:
    """Draw one strip a run over the same bins, all to one scale of shares."""
    shares = [_shares(curve.each_m) for curve in curves]
    used = np.flatnonzero(np.sum(shares, axis=0))
    first, last = max(int(used[0]) - 1, 0), min(int(used[-1]) + 2, len(EDGES_M) - 1)
    highest = max(float(share.max()) for share in shares)
    count = len(curves)
    with house_style(), context({**_STYLE, "svg.hashsalt": salt}):
        figure = Figure(figsize=(6.4, 0.55 + 0.42 * count))
        bottom = 0.5 / (0.55 + 0.42 * count)
        axes = figure.add_axes((0.37, bottom, 0.61, 0.99 - bottom))
        for row, (curve, share) in enumerate(zip(curves, shares, strict=True)):
            base, color = count - 1 - row, _color(curve.entry)
            heights = 0.86 * share / highest
            axes.bar(
                EDGES_M[:-1], heights, np.diff(EDGES_M), bottom=base, align="edge", color=color,
                linewidth=0, alpha=0.85 if curve.entry.run.pictured else 0.55,
            )  # fmt: skip
            axes.axhline(base, color=_LINE, linewidth=0.8)
            median_m = float(np.clip(np.median(curve.each_m), EDGES_M[first], EDGES_M[last]))
            axes.plot([median_m, median_m], [base, base + 0.3], color=_INK, linewidth=1.4)
        axes.set(xscale="log", xlim=(EDGES_M[first], EDGES_M[last]), ylim=(0, count))
        axes.xaxis.set_major_locator(FixedLocator(_TICKS_M))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("mean error of a sample (m), logarithmic")
        names = [_short(curve.entry.run.name) for curve in curves]
        axes.set_yticks(np.arange(count)[::-1] + 0.25, names)
        for label, curve in zip(axes.get_yticklabels(), curves, strict=True):
            label.set_color(_INK if curve.entry.run.pictured else _QUIET)
        axes.tick_params(length=0)
        return _svg(figure)


def _shares(each_m: Floats) -> Floats:
    """Return the share of samples in each bin; the outer two have no far end."""
    inside = np.clip(each_m, EDGES_M[0], np.nextafter(EDGES_M[-1], 0))
    counts: Floats = np.histogram(inside, EDGES_M)[0] / len(each_m)
    return counts


def _svg(figure: Figure) -> str:
    """Return an SVG element in the page's fonts and colours, without dates, ids or a size."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"<style.*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'<g id="[^"]*"', "<g", drawing)
    drawing = re.sub(r' (?:xmlns(?::xlink)?|version)="[^"]*"', "", drawing)
    drawing = re.sub(r'(<svg)(?: (?:width|height)="[^"]*"| (viewBox="[^"]*"))+', r"\1 \2", drawing)
    drawing = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", drawing)
    for color, variable in _VARIABLES.items():
        drawing = drawing.replace(color, variable)
    return drawing.replace("<svg", '<svg aria-hidden="true" class="chart"', 1)
