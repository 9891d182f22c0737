"""Has a stand-in teacher answer q3 to q5, and choose clips of unusual scenes among keyframes."""

from pathlib import Path

from impromptu import annotation, chat_server, plugins, questions
from impromptu.annotation import Teacher
from impromptu.asking import Spending
from impromptu.curation import running, to_review
from impromptu.curation.choosing import KEPT, choose
from impromptu.curation.funnel import REASONS
from impromptu.curation.recipe import CurationRecipe
from impromptu.curation.stages import STAGES
from impromptu.engines import Settings
from impromptu.generation import generate
from impromptu.miniature import teacher, truth
from impromptu.miniature.unusual import Curator, plant
from impromptu.part import Recipe
from impromptu.pipeline.extras import Say, lacking
from impromptu.report import Account
from impromptu.report.text import counted

ANNOTATED = ("kitti",)
"""Of one camera, so that it takes seconds."""
_AT_ONCE = 8
"""Requests: the stand-in is quick, and more connections only cost time."""
_ANSWERS, _CURATION = "Teacher answers", "Curation"


def have_answered(samples_dir: Path, say: Say) -> Account:
    """Have a stand-in teacher answer what no log tells, in runs until nothing is left."""
    if why := lacking("teacher answers", ["openai"], "openai"):
        say(why)
        return Account(_ANSWERS, [why])
    rows = list[tuple[str | int, ...]]()
    stand_in = teacher.Teacher(truth.truths(samples_dir))
    with chat_server.served(stand_in) as url:
        asked = Teacher(Settings(teacher.MODEL, base_url=url, concurrency=_AT_ONCE))
        for run in ("a stand-in teacher answers", "it is asked again where it gave no answer"):
            say(f"{run}: {samples_dir / annotation.FOLDER}")
            written = annotation.annotate(samples_dir, asked, Spending(), ANNOTATED).written
            samples, dropped = sum(written.samples.values()), counted(written.dropped) or "none"
            say(f"{samples} samples, without an answer: {dropped}")
            rows.append((run, samples + written.dropped.total(), samples, dropped))
    remarks = [
        f"Questions q3, q4 and q5 of {', '.join(ANNOTATED)}. The teacher is made up: it knows the "
        "miniature's truth, and is late, busy, broken, cut short or wrong now and then.",
    ]
    head = ("run", "prompts", "samples", "without an answer")
    command = "impromptu annotate --samples DIR --base_url URL --model NAME"
    return Account(_ANSWERS, remarks, head, rows, command)


def curate(data_raw: Path, samples_dir: Path, out: Path, workers: int, say: Say) -> Account:
    """Have a stand-in teacher look at every keyframe, keep clips, and ask questions of those.

    Args:
        data_raw: Folder of the datasets.
        samples_dir: All keyframes and their front images.
        out: Answers, labels, fates and the list of clips go here, their samples below it.
        workers: Logs at once.
        say: Told what begins.
    """
    if why := lacking("curation", ["openai"], "openai"):
        say(why)
        return Account(_CURATION, [why])
    say(f"a stand-in teacher looks at every keyframe: {out}")
    known = truth.truths(samples_dir)
    stand_in = teacher.Teacher(known, curator=Curator(plant(known), teacher.MISTAKEN))
    recipe = CurationRecipe()
    with chat_server.served(stand_in) as url:
        settings = Settings(teacher.MODEL, base_url=url, concurrency=_AT_ONCE)
        with running.open_curation(samples_dir, out, recipe, settings) as curation:
            for stage in STAGES:
                running.ask(curation, stage, Spending())
            running.write_labels(curation)
    steps = choose(samples_dir, out, recipe, {})["steps"]
    to_review.write(out / to_review.PLACE, [out / running.LABELS], recipe, samples_dir)
    say(f"{steps[0]['in']} keyframes, {steps[-1]['out']} clips kept; asking questions of these")
    names = sorted(steps[0]["datasets"])
    asking = Recipe(tuple(plugins.names(questions)), clips=(out / KEPT).resolve())
    made = generate(data_raw, out / "data_qa_results", names, None, asking, workers)
    say(f"{made.samples} samples of the clips kept: {out / 'data_qa_results'}")
    rows = [
        (REASONS[step["dropped_as"]], step["in"], step["dropped"], step["out"]) for step in steps
    ]
    remarks = [
        f"The clips kept gave {made.samples:,} samples of all questions.",
        "Nothing in a miniature is out of the ordinary: which keyframes are to pass for unusual is "
        f"planted by a rule, and the teacher leaves each category out of {teacher.MISTAKEN:.0%} of "
        "the labels, and adds one to as many.",
    ]
    head = ("dropped, because", "in", "dropped", "out")
    command = "impromptu curate --samples DIR --out DIR --base_url URL --model NAME"
    return Account(_CURATION, remarks, head, rows, command)
