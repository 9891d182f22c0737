"""Find the sentences of sample files that somebody has, so that our questions can use them.

Each prompt is taken apart by the formats that all such files share: view headers, the history
block, object lines, speeds, commands, decisions. What is left is the sentence. The sentence that
most samples of a task have is kept, and every sample is then asked again in it, by the code that
asks about real clips, to see how many come out letter for letter.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impromptu import plugins, questions
from impromptu.clip import Agent, Camera, EgoStatus, MetaAction, Observation, Trajectory
from impromptu.conversation import IMAGE, Sample
from impromptu.preset import STRICT
from impromptu.questions import AnswerError, Question
from impromptu.questions._text import PATHS, SPEEDS
from impromptu.wording import SLOT, Wording, check_templates, load_wording

DEFAULT = load_wording(None, STRICT)


def _unnamed(pattern: str) -> str:
    return re.sub(r"\?P<\w+>", "?:", pattern)


def _spoken(words: Mapping[str, str]) -> dict[str, str]:
    return {DEFAULT.templates[f"q3.decision.{word}"]: word for word in words}


_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_VIEW = r"(?:FRONT|BACK|REAR|SIDE|LEFT|RIGHT)(?: (?:LEFT|RIGHT))?"
_HEADER = rf"<(?P<view>[A-Za-z][A-Za-z ]*?)(?P<noun> VIEW)?>:(?P<inner>\s*){IMAGE}(?P<after>\n*)"
_STATUS = {
    "acceleration": rf"Acceleration: X {_NUMBER}, Y {_NUMBER}(?: m/s\^2)?",
    "velocity": rf"Velocity:(?: X)? {_NUMBER}(?:, Y {_NUMBER})?(?: m/s)?",
    "steering": rf"Steering angle: {_NUMBER}(?: rad| \([^()]*\))?",
}
_STATUS_SLOTS = {"acceleration": ("x", "y"), "velocity": ("x", "y"), "steering": ("steering",)}
_ENTRY = rf"\(t-(?P<t>\d+\.\d+)s\) \[(?P<x>{_NUMBER}), (?P<y>{_NUMBER})\]" + "".join(
    rf"(?:, (?P<{name}>{pattern}))?" for name, pattern in _STATUS.items()
)
_OBJECT = (
    r"Object \d+: (?P<category>[^,\n]+), (?P<x>\d+) meters (?P<ahead>ahead|behind), "
    r"(?P<y>\d+) meters to the (?P<side>left|right), speed of (?P<speed>\d+) m/s\."
)
_SPEED_WORDS, _PATH_WORDS = _spoken(SPEEDS), _spoken(PATHS)
_PATTERNS = {
    "views": rf"(?:{_unnamed(_HEADER)})+",
    "history": rf"{_unnamed(_ENTRY)}(?:, {_unnamed(_ENTRY)})*",
    "history_s": r"(?<=last )\d+\.\d+(?= second)|(?<=past )\d+\.\d+(?= second)",
    "objects": rf"{_unnamed(_OBJECT)}(?:\n{_unnamed(_OBJECT)})*",
    "view": rf"\b{_VIEW}\b(?= view| camera| VIEW| CAMERA)",
    "view_lower": rf"\b{_VIEW.lower()}\b(?= view| camera)",
    "decision": rf"(?:{'|'.join(_SPEED_WORDS)})(?: and (?:{'|'.join(_PATH_WORDS)}))?",
    "command": "go straight and turn (?:left|right)|go straight|turn (?:left|right)",
    "speed": r"\d+(?= ?m/s)",
}
"""What stands in a slot, and by what it is known in a sentence not yet taken apart."""

_SLOTS: Mapping[str, tuple[str, ...]] = {
    "q1": ("views",),
    "q2": ("objects", "view", "view_lower"),
    "q3": ("views", "decision", "command", "speed"),
    "q4": (),
    "q5": ("view", "view_lower"),
    "q6": ("views", "command", "speed"),
    "q7": ("views", "history", "history_s"),
    "planning": ("history", "history_s"),
}
_WAYPOINTS = rf"\[{_NUMBER}, {_NUMBER}\](?:, \[{_NUMBER}, {_NUMBER}\])*"
_TAGS = re.compile(r"</?(?:DYNAMIC OBJECTS|SPEED PATH PLAN|PLANNING)>")


@dataclass(frozen=True, slots=True)
class Mined:
    """The sentences of one task, and how well they fit its samples.

    Attributes:
        templates: By name, as a wording file has them; empty where they could not be used.
        samples, prompts_same, answers_same: How many there are, and how many of their prompts and
            answers come out letter for letter; an empty answer counts as the same.
        trouble: Why the templates could not be used, or the first prompt or answer that differs.
    """

    task: str
    templates: dict[str, str]
    samples: int
    prompts_same: int
    answers_same: int
    trouble: str


def mine(samples: Sequence[Sample]) -> tuple[list[Mined], list[Sample]]:
    """Mine the sentences of every task; also return the samples of no task known here."""
    by_task: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_task[task_of(sample)].append(sample)
    unknown = by_task.pop("", [])
    asked = [plugins.load(questions, name, Question) for name in plugins.names(questions)]
    return [_mine(one, by_task[one.task]) for one in asked if one.task in by_task], unknown


def task_of(sample: Sample) -> str:
    """Tell a sample's task by the shape of its answer, else of its prompt; empty if by neither."""
    answer = _TAGS.sub("", sample.answer).strip()
    if re.search(_PATTERNS["history"], sample.prompt):
        return "planning" if len(re.findall(rf"\[{_NUMBER}, {_NUMBER}\]", answer)) == 6 else "q7"
    if re.search(_PATTERNS["objects"], sample.prompt) or answer.startswith("Object "):
        return "q2"
    if re.fullmatch(rf"(?:{'|'.join(SPEEDS)}), ?(?:{'|'.join(PATHS)})", answer):
        return "q6"
    if re.match(r"(?:Yes, I see an? |No, I don't see any)", answer):
        return "q1"
    if re.fullmatch("Red|Green|Yellow|None", answer) or re.search(r"\bYellow\b", sample.prompt):
        return "q4"
    if re.search(_PATTERNS["decision"], sample.prompt) and re.search(r"\d ?m/s", sample.prompt):
        return "q3"
    return "q5" if sample.prompt.count(IMAGE) == 1 else ""


def _mine(question: Question, samples: Sequence[Sample]) -> Mined:
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        for name, template in _candidates(question.task, sample):
            votes[name][template] += 1
    # Of equals the first counted wins, and each sample's best guess is counted first.
    templates = {name: counter.most_common(1)[0][0] for name, counter in votes.items()}
    try:
        check_templates(templates, DEFAULT.templates, question.task)
    except ValueError as error:
        return Mined(question.task, {}, len(samples), 0, 0, str(error))
    return _verified(question, samples, templates)


def _candidates(task: str, sample: Sample) -> Iterator[tuple[str, str]]:
    """Yield (name, template) of all that a sample's sentences could be, the likeliest first."""
    prompts = [sample.prompt]
    for slot in _SLOTS[task]:
        prompts = [one for prompt in prompts for one in _with_slot(prompt, slot)]
    for prompt in dict.fromkeys(prompts):
        yield f"{task}.prompt", prompt
    if any("{command}" in prompt for prompt in prompts):
        yield f"{task}.command", "{command}"
    if "views" in _SLOTS[task] and (header := re.search(_HEADER, sample.prompt)):
        tag = f"<{{view}}{header['noun'] or ''}>:"
        yield f"{task}.view", f"{tag}{header['inner']}{IMAGE}{header['after']}"
    if "history" in _SLOTS[task]:
        yield from _trajectory_candidates(task, sample)
    if task == "q1" and sample.answer.startswith("No"):
        yield "q1.nobody", sample.answer


def _trajectory_candidates(task: str, sample: Sample) -> Iterator[tuple[str, str]]:
    for name, pattern in _STATUS.items():
        found = re.search(pattern, sample.prompt)
        if found and f"{task}.{name}" in DEFAULT.templates:
            yield f"{task}.{name}", _numbers_out(found[0], _STATUS_SLOTS[name])
    answer = _TAGS.sub("", sample.answer)
    yield f"{task}.answer", re.sub(_WAYPOINTS, "{waypoints}", answer, count=1)


def _with_slot(text: str, slot: str) -> list[str]:
    """Return the text with a slot in place of each match in turn, then of all that are alike.

    A text without a match comes back as it is.
    """
    matches = list(re.finditer(_PATTERNS[slot], text))
    alike = [[match] for match in matches]
    alike += [[m for m in matches if m[0] == word] for word in sorted({m[0] for m in matches})]
    made = [_cut_out(text, group, f"{{{slot}}}") for group in alike]
    return list(dict.fromkeys(made)) or [text]


def _cut_out(text: str, matches: Sequence[re.Match[str]], put: str) -> str:
    for match in reversed(matches):
        text = f"{text[: match.start()]}{put}{text[match.end() :]}"
    return text


def _numbers_out(text: str, slots: Sequence[str]) -> str:
    names = iter(slots)
    return re.sub(rf"(?<=[ ]){_NUMBER}", lambda _: f"{{{next(names)}}}", text)


def _verified(question: Question, samples: Sequence[Sample], templates: dict[str, str]) -> Mined:
    wording = Wording({**DEFAULT.templates, **templates})
    shape = _shape(templates[f"{question.task}.prompt"])
    prompts_same, answers_same, trouble = 0, 0, ""
    for sample in samples:
        prompt = _asked_again(question, sample.prompt, shape, wording)
        answer = _answered_again(question, sample.answer, wording)
        prompts_same += prompt == sample.prompt
        answers_same += answer == _TAGS.sub("", sample.answer)
        pairs = ((sample.prompt, prompt), (_TAGS.sub("", sample.answer), answer))
        trouble = trouble or next((_difference(sample.id, *p) for p in pairs if p[0] != p[1]), "")
    return Mined(question.task, templates, len(samples), prompts_same, answers_same, trouble)


def _shape(template: str) -> re.Pattern[str]:
    """Return the pattern that a template's prompts match, with a group for each slot."""
    texts, slots = SLOT.split(template)[::2], SLOT.findall(template)
    pattern = re.escape(texts[0])
    for number, (slot, text) in enumerate(zip(slots, texts[1:], strict=True)):
        again = slot in slots[:number]
        group = f"(?P={slot})" if again else f"(?P<{slot}>{_PATTERNS[slot]})"
        pattern += group + re.escape(text)
    return re.compile(pattern)


def _asked_again(
    question: Question, prompt: str, shape: re.Pattern[str], wording: Wording
) -> str | None:
    match = shape.fullmatch(prompt)
    if match is None:
        return None
    return question.prompt(_observation(match.groupdict()), wording)


def _answered_again(question: Question, answer: str, wording: Wording) -> str | None:
    if not answer:
        return ""
    try:
        return _TAGS.sub("", question.write(question.read(answer), wording))
    except AnswerError:
        return None


def _difference(name: str, given: str, made: str | None) -> str:
    if made is None:
        return f"{name}: of another form: {given[:160]!r}"
    at = next((i for i, (a, b) in enumerate(zip(given, made, strict=False)) if a != b), len(made))
    start = max(0, at - 30)
    return f"{name}: has {given[start : at + 30]!r} where we write {made[start : at + 30]!r}"


def _observation(slots: Mapping[str, str]) -> Observation:
    """Return what a model was shown, as far as the slots of its prompt tell."""
    past, statuses = _past(slots.get("history", "(t-0.0s) [0.0, 0.0]"))
    if "speed" in slots:
        statuses = (*statuses[:-1], EgoStatus(np.array([float(slots["speed"]), 0.0])))
    return Observation(
        cameras=_cameras(slots),
        past=past,
        statuses=statuses,
        agents=tuple(_agent(match) for match in re.finditer(_OBJECT, slots.get("objects", ""))),
        command=slots.get("command"),
        decision=_decision(slots["decision"]) if "decision" in slots else None,
    )


def _cameras(slots: Mapping[str, str]) -> tuple[Camera, ...]:
    lone = slots.get("view") or slots.get("view_lower", "front").upper()
    names = [header["view"] for header in re.finditer(_HEADER, slots.get("views", ""))] or [lone]
    return tuple(Camera(name, Path()) for name in names)


def _past(history: str) -> tuple[Trajectory, tuple[EgoStatus | None, ...]]:
    entries = list(re.finditer(_ENTRY, history))
    t_s = [-float(entry["t"]) for entry in entries]
    xy_m = [[float(entry["x"]), float(entry["y"])] for entry in entries]
    return Trajectory(np.array(t_s), np.array(xy_m)), tuple(map(_status, entries))


def _status(entry: re.Match[str]) -> EgoStatus | None:
    numbers = {name: _numbers(entry[name]) for name in _STATUS}
    if not numbers["velocity"]:
        return None
    return EgoStatus(
        velocity_mps=np.array([*numbers["velocity"], 0.0][:2]),
        acceleration_mps2=np.array(numbers["acceleration"]) if numbers["acceleration"] else None,
        steering_rad=numbers["steering"][0] if numbers["steering"] else None,
    )


def _numbers(clause: str | None) -> list[float]:
    return [float(number) for number in re.findall(rf"(?<=[ ]){_NUMBER}", clause or "")]


def _agent(match: re.Match[str]) -> Agent:
    # A tenth of a metre, lost in rounding, keeps the side of a zero.
    x = (float(match["x"]) + 0.1) * (1 if match["ahead"] == "ahead" else -1)
    y = (float(match["y"]) + 0.1) * (1 if match["side"] == "left" else -1)
    velocity_mps = np.array([float(match["speed"]), 0.0])
    size_m = np.ones(3)
    return Agent("", match["category"], "vehicle", np.array([x, y, 0]), size_m, 0.0, velocity_mps)


def _decision(words: str) -> MetaAction:
    speed, _, path = words.partition(" and ")
    return MetaAction(SPEEDS[_SPEED_WORDS[speed]], PATHS[_PATH_WORDS.get(path, "STRAIGHT")])
