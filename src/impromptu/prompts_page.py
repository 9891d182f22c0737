"""The page that shows every prompt: its template, and what comes out for a made-up drive."""

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from impromptu import action_tokens, judging, plugins, questions
from impromptu.answer_forms import Form
from impromptu.clip import Clip, Unanswerable
from impromptu.curation import asked
from impromptu.datasets import synthetic
from impromptu.geometry import SE2
from impromptu.preset import STRICT
from impromptu.questions import Question, observe
from impromptu.wording import Wording

_HEAD = """# Prompts

Written by `impromptu prompts` from `src/impromptu/wording.yaml` and
`src/impromptu/curation/prompts.yaml`; change those files, not this page.
Words in braces are filled for each clip. The examples are of the made-up drives in
`src/impromptu/datasets/synthetic.py`, which have one camera.
"""
_JUDGE = """## judge: how good is an answer in free text (q3, q5)?

What `impromptu judge` asks another model, several times an answer. From `src/impromptu/judging.py`.
"""
_FORMS = """## forms: numbers or action tokens, at once or after a few lines of thought

With `--actions FILE` or `--answers slow` the prompts of q7 and planning end in one sentence more
for each, and answers change as shown. Steps here are 12 cm apart along x, 5 cm along y.
"""
_CURATION = """# Curation

What `impromptu curate` asks a teacher about each keyframe. From
`src/impromptu/curation/prompts.yaml`. `{description}` is what the teacher said to `describe`.
"""
_STAGES = {
    "describe": "what does the front image show?",
    "identify": "is a scene out of the ordinary, by its description?",
    "propose": "what kind of scene is it, in the teacher's own words?",
    "label": "which of four kinds of scenes is it, in four steps?",
    "repair": "put behind a question when an answer to it could not be used",
}
_SHOWN = {
    "front": "the front view",
    "forward": "the forward views",
    "surround": "all views",
    "each": "each view in a sample of its own",
}


def page(wording: Wording) -> str:
    """Return the page as Markdown."""
    all_of = {name: plugins.load(questions, name, Question) for name in plugins.names(questions)}
    in_order = sorted(all_of.items(), key=lambda item: (item[1].task == "planning", item[1].task))
    sections = [_section(name, question, wording) for name, question in in_order]
    sections += [_FORMS, *_form_lines(wording)]
    return "\n".join([_HEAD, *sections, _JUDGE, _fenced(judging.PROMPT), _CURATION, *_stages()])


def _stages() -> Iterator[str]:
    for name, template in asked.templates().items():
        yield f"## {name}: {_STAGES[name]}\n\n{_fenced(template.strip())}"


def _section(name: str, question: Question, wording: Wording) -> str:
    title = (import_module(f"impromptu.questions.{name}").__doc__ or "").partition("\n")[0]
    lines = [f"## {question.task}: {title.partition(': ')[2] or title}\n", _facts(question)]
    lines.append(_fenced(wording.templates[f"{question.task}.prompt"]))
    for key, template in wording.templates.items():
        if key.startswith(f"{question.task}.") and not key.endswith(".prompt"):
            lines.append(f"- `{key}`: `{json.dumps(template, ensure_ascii=False)}`")
    prompt, answer = max(_examples(question, wording), key=lambda pair: len(pair[1]))
    lines.append(f"\nExample:\n{_fenced(prompt)}")
    if answer:
        lines.append(f"Answer:\n{_fenced(answer)}")
    return "\n".join(lines)


def _form_lines(wording: Wording) -> Iterator[str]:
    for key, template in wording.templates.items():
        if key.startswith(("actions.", "slow.")):
            yield f"- `{key}`: `{json.dumps(template, ensure_ascii=False)}`"
    question = plugins.load(questions, "trajectory", Question)
    steps_m = np.array([[0.0, -3.0], [15.0, 3.0]])
    actions = action_tokens.fit(steps_m, "uniform", 128)
    for title, form in (("Slow", Form("slow")), ("As tokens", Form("fast", actions))):
        examples = _examples(question, wording, form)
        yield f"\n{title}:\n{_fenced(max((answer for _, answer in examples), key=len))}"


def _facts(question: Question) -> str:
    needs = [
        f"{seconds:g} s of {part}"
        for part, seconds in (("past", question.past_s), ("future", question.future_s))
        if seconds
    ]
    answered = "derived from the log" if question.truth else "given by a teacher"
    needed = f" Needs {' and '.join(needs)}." if needs else ""
    return f"Shows {_SHOWN[question.views]}.{needed} The answer is {answered}.\n"


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```\n"


def _examples(
    question: Question, wording: Wording, form: Form | None = None
) -> Iterator[tuple[str, str]]:
    """Yield (prompt, answer) of every made-up clip with all of its past."""
    for log in synthetic.logs(Path(), Path()):
        for clip in synthetic.clips(log):
            if isinstance(clip, Clip) and clip.observation.past.t_s[0] <= -3:
                yield from _asked(question, clip, wording, form or Form())


def _asked(
    question: Question, clip: Clip, wording: Wording, form: Form
) -> Iterator[tuple[str, str]]:
    lidar = SE2(0.0, np.array([0.94, 0.0]))  # where nuScenes has it
    clip = replace(clip, observation=replace(clip.observation, ego_SE2_planning=lidar))
    for _, seen in observe(question, clip, STRICT, ("FRONT",), ("FRONT",)):
        if isinstance(seen, Unanswerable):
            continue
        try:
            answer, _ = form.answer(question, seen, STRICT, wording)
        except Unanswerable:
            continue
        yield form.prompt(question, seen.observation, wording), answer
