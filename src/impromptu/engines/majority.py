"""No model: gives every question the commonest answer of a training file, whatever is asked.

What "always KEEP, STRAIGHT" scores is what a figure on q6 has to be compared with. Of q2, whose
answers have a line for each object, it is the commonest line, for each object of the prompt.
"""

import re
from collections import Counter
from collections.abc import Sequence

from impromptu.conversation import Sample
from impromptu.engines import Answerer, Completion, Engine, Settings, one_by_one
from impromptu.engines._asked import UNSUPPORTED, task_of
from impromptu.engines._training_file import training_samples
from impromptu.questions import AnswerError, motion_intention
from impromptu.wording import Wording, default_templates

TASKS = "q1", "q2", "q4", "q6"
"""Those whose answers are words that come again."""

_OBJECT = re.compile(r"^Object (\d+):", re.MULTILINE)


def _open(settings: Settings) -> Answerer:
    common = _commonest(training_samples(settings, "majority", TASKS))
    if not common:
        raise ValueError(f"{settings.model}: no answered sample of {', '.join(TASKS)} in it")
    return one_by_one(lambda sample: _answer(sample, common))


def _commonest(samples: Sequence[Sample]) -> dict[str, str]:
    """Return the commonest answer by task, of q2 the commonest action; of equals the first."""
    counts = {task: Counter[str]() for task in TASKS}
    for sample in samples:
        if (task := task_of(sample)) in counts and sample.answer:
            counts[task].update(_parts(task, sample))
    return {task: count.most_common(1)[0][0] for task, count in counts.items() if count}


def _parts(task: str, sample: Sample) -> list[str]:
    if task != "q2":
        return [sample.answer.strip()]
    try:
        actions = motion_intention.read(sample.answer).values()
    except AnswerError as error:
        raise ValueError(f"training sample {sample.id}: {error}") from error
    return [f"{action.speed}, {action.path}" for action in actions]


def _answer(sample: Sample, common: dict[str, str]) -> Completion:
    task = task_of(sample)
    if task not in common:
        return UNSUPPORTED
    if task != "q2":
        return Completion(common[task], "stop")
    lines = [f"Object {number}: {common[task]}" for number in _OBJECT.findall(sample.prompt)]
    if not lines:
        return UNSUPPORTED
    actions = motion_intention.read("\n".join(lines))
    written = motion_intention.write(actions, Wording(default_templates("strict")))
    return Completion(written, "stop")


ENGINE = Engine(_open, runs_model=False, fitted=True)
