"""Drives closed-loop scenarios: rules without a model, and the trained model if there is one."""

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from impromptu import chat_server
from impromptu.answer_forms import Form
from impromptu.closed_loop import campaign, client, prompting, scenarios, table
from impromptu.closed_loop.camera import SIZES_PX, Cameras
from impromptu.closed_loop.driver import Model
from impromptu.closed_loop.drivers import DRIVERS
from impromptu.closed_loop.listening import listening
from impromptu.closed_loop.outcomes import VRef
from impromptu.closed_loop.plans import OnUnreadable
from impromptu.closed_loop.scenarios import Scenario
from impromptu.closed_loop.server import Server
from impromptu.closed_loop.trace import Trace
from impromptu.engines import Decoding, Settings, transformers
from impromptu.engines.openai import connect
from impromptu.files import atomic_writer, read_json, read_json_lines, write_json
from impromptu.pipeline.answering import NAME, Answering
from impromptu.pipeline.extras import Say, lacking
from impromptu.preset import STRICT
from impromptu.report.driven import Driven, driven
from impromptu.wording import load_wording

RULE_RUNS, MODEL_RUNS = 5, 1
"""Of each scenario that is driven."""
MODEL_SCENARIOS = 1
"""Of each category: a step takes a model on a CPU a second, a rule a quarter of a millisecond."""
ON_UNREADABLE: OnUnreadable = "constant_velocity"
_BATCH = 4
_LONGEST_ANSWER = 128
"""Tokens; six places take about 108 of the tiny model's."""
_SIZE, _TIMEOUT_S = "800x450", 120.0
_RESAMPLES, _SEED = 1000, 0
_V_REF: VRef = "fixed"
MODEL = "tiny_model"
_PACKAGES = "fastapi", "openai", "uvicorn"
_ABOUT = (
    "The tiny model sees the front camera at {}; in place of an answer that cannot be read, "
    "it goes straight on at its speed. Its runs end {:.0f} m from where their logs are by then, on "
    "average; the score does not ask for that."
)


def drive(out: Path, trained: Settings | None, say: Say) -> Driven:
    """Drive scenarios, score, and write ``table.md`` and ``table.json``; return what these tell.

    Args:
        out: A folder of runs for each driver.
        trained: The model, as it is opened here; None for none.
        say: Told what begins.
    """
    shutil.rmtree(out, ignore_errors=True)
    every = list(scenarios.load().values())
    models, remarks = list[table.Model](), list[str]()
    if trained and (why := lacking("the tiny model in the closed loop", _PACKAGES, "closed_loop")):
        say(why)
        remarks.append(why)
    elif trained:
        few = _first_of_each(every)
        _by_model(out / MODEL, trained, few, say)
        models.append(_scored(out / MODEL, MODEL_RUNS, few))
        remarks.append(_ABOUT.format(_SIZE, _astray_m(out / MODEL)))
    for name in DRIVERS:
        _by_rule(out / name, every, say)
        models.append(_scored(out / name, RULE_RUNS, every))
    told = table.to_json(models, _V_REF, _RESAMPLES, _SEED)
    write_json(out / "table.json", told)
    with atomic_writer(out / "table.md") as file:
        file.write(table.to_markdown(models, _V_REF))
    shown = driven(told)
    return replace(shown, remarks=[*shown.remarks, *remarks])


def _first_of_each(every: Sequence[Scenario]) -> list[Scenario]:
    of = {name: [one for one in every if one.category == name] for name in scenarios.CATEGORIES}
    return [one for some in of.values() for one in some[:MODEL_SCENARIOS]]


def _scored(folder: Path, runs: int, asked: Sequence[Scenario]) -> table.Model:
    names = [one.name for one in asked]
    return table.scored(folder, _V_REF, runs, _RESAMPLES, _SEED, names)


def _by_rule(out: Path, every: Sequence[Scenario], say: Say) -> None:
    say(f"{out.name} drives {len(every)} scenarios, runs of each: {RULE_RUNS}: {out}")
    campaign.open_folder(out, {"driver": out.name})
    jobs = campaign.waiting(out, every, RULE_RUNS)
    _tell(list(campaign.in_process(jobs, out, out.name, DRIVERS[out.name])), say)


def _by_model(out: Path, trained: Settings, few: Sequence[Scenario], say: Say) -> None:
    """Drive with a model: simulator -> our model server -> an OpenAI-compatible one -> model."""
    say(f"the tiny model drives {len(few)} scenarios, runs of each: {MODEL_RUNS}: {out}")
    campaign.open_folder(out, {"driver": MODEL, "pictures": _SIZE})
    with tempfile.TemporaryDirectory() as scratch, _served(trained, Path(scratch)) as settings:
        question = prompting.asked("front", None, load_wording(None, STRICT), Form())
        model = Model(question, connect(settings, 0), settings, ON_UNREADABLE)
        with listening(Server(model, Trace(out / "server.jsonl"))) as url:
            address = client.Address(url, _TIMEOUT_S)
            driver = client.Served(address, Cameras(SIZES_PX[_SIZE]), client.views(address))
            jobs = campaign.waiting(out, few, MODEL_RUNS)
            _tell(list(campaign.in_parallel(jobs, out, MODEL, driver, _BATCH)), say)


def _astray_m(out: Path) -> float:
    """Return how far runs end from where their logs are by then, on average; 0 without any."""
    far_m = list[float]()
    for trace in out.glob("*/run_*/trace.jsonl"):
        *_, (_, last) = read_json_lines(trace)
        log = read_json(trace.with_name("reference_trajectory.json"))[str(last["timestamp_us"])]
        far_m.append(math.dist((last["x_m"], last["y_m"]), log[:2]))
    return sum(far_m) / max(len(far_m), 1)


@contextmanager
def _served(trained: Settings, scratch: Path) -> Iterator[Settings]:
    """Serve the model; yield what a client of it is opened with."""
    short = replace(trained, decoding=Decoding(max_new_tokens=_LONGEST_ANSWER))
    answering = Answering(transformers.load(short), scratch, _BATCH)
    with chat_server.served(answering) as url:
        yield replace(short, model=NAME, base_url=url, timeout_s=_TIMEOUT_S)


def _tell(ended: list[campaign.Ended], say: Say) -> None:
    failed = campaign.told(ended)
    for why, many in failed.most_common():
        say(f"{many} runs failed: {why}")
    say(f"{len(ended) - failed.total()} runs, {sum(one.steps for one in ended)} half seconds")
