"""How waypoints are answered: in numbers or action tokens, at once or after a few lines of thought.

Each form is another rendering of the same sample: the same id, images and truth, a sentence more
in the prompt that asks for the form, and an answer that the question's own ``read`` reads. The
lines of thought are answer text, written from the truth of q1, q2 and q6; a prompt is written
from an observation, and cannot hold them.
"""

from dataclasses import dataclass, replace
from typing import Literal

from impromptu.action_tokens import Codebook
from impromptu.clip import Agent, Clip, MetaAction, Observation, Trajectory, covers_s
from impromptu.meta_actions import STRICT
from impromptu.preset import Preset
from impromptu.questions import Question, _waypoints, motion_intention, vulnerable_road_users
from impromptu.questions._text import tagged
from impromptu.wording import Wording

Answers = Literal["fast", "slow"]

TOLD = 6
"""The most road users that a slow answer tells of, the nearest ones."""
_TAGS = "time_of_day", "weather"


@dataclass(frozen=True, slots=True)
class Form:
    """One form of answers about waypoints; other questions' answers have only one.

    Attributes:
        answers: ``fast`` is the waypoints alone, ``slow`` first tells what they rest on.
        actions: Writes waypoints as action tokens; None writes numbers.
    """

    answers: Answers = "fast"
    actions: Codebook | None = None

    def prompt(self, question: Question, observation: Observation, wording: Wording) -> str:
        """Write a question's prompt, and after it what form of answer is asked for."""
        text = question.prompt(observation, wording)
        if question.read_padded is None:
            return text
        slow, tokens = self.answers == "slow", self.actions is not None
        asks = [("actions.request", tokens), ("slow.request", slow)]
        return "\n".join([text, *(wording.render(name) for name, asked in asks if asked)])

    def answer(
        self, question: Question, clip: Clip, preset: Preset, wording: Wording
    ) -> tuple[str, bool]:
        """Write the true answer, and tell whether waypoints were clipped to the codebook's steps.

        Raises:
            Unanswerable: There is none, or a slow answer has no decision to tell.
        """
        if question.truth is None:
            return "", False
        truth, clipped = question.truth(clip, preset), False
        text = question.write(truth, wording)
        if not isinstance(truth, Trajectory):
            return text, clipped
        if self.actions is not None:
            tokens, clipped = self.actions.write(truth.xy_m)
            text = tagged(_waypoints.TAG, tokens)
        if self.answers == "slow":
            text = f"{thought(clip, preset, wording)}\n{text}"
        return text, clipped


def thought(clip: Clip, preset: Preset, wording: Wording) -> str:
    """Write what a plan rests on: the scene, the road users in the front view, the decision.

    What is not known is left out: the scene where the dataset has no word for it, road users where
    nobody looked for them, what one will do where it is lost before the horizon.

    Args:
        clip: With the front view as its first, as the questions about waypoints show it.
        preset: By which rules road users are chosen and actions named.
        wording: The sentences.

    Raises:
        Unanswerable: The decision is not known.
    """
    decision = preset.ego_action(clip)
    lines = []
    if scene := ", ".join(clip.tags[tag] for tag in _TAGS if clip.tags.get(tag)):
        lines.append(wording.render("slow.scene", scene=scene))
    if clip.observation.annotated:
        lines += _road_users(clip, preset, wording)
    lines.append(wording.render("slow.decision", action=_words(decision)))
    return "\n".join(lines)


def _road_users(clip: Clip, preset: Preset, wording: Wording) -> list[str]:
    """Return q1's answer about the front view, and one line on each of q2's agents there."""
    sightings = vulnerable_road_users.truth(clip, preset)
    near = preset.moving(clip)[:TOLD]
    known = [agent for agent in near if _reaches(clip, agent)]
    observation = replace(clip.observation, agents=tuple(known))
    actions = preset.agent_actions(replace(clip, observation=observation))
    said = {agent.id: _words(actions[number]) for number, agent in enumerate(known, start=1)}
    return [
        wording.render("slow.vulnerable", sightings=vulnerable_road_users.write(sightings, wording))
    ] + [
        wording.render(
            "slow.agent",
            agent=motion_intention.line(number, agent),
            action=said.get(agent.id, wording.render("slow.unknown")),
        )
        for number, agent in enumerate(near, start=1)
    ]


def _reaches(clip: Clip, agent: Agent) -> bool:
    future = clip.agent_futures.get(agent.id)
    return future is not None and covers_s(future, STRICT.horizon_s)


def _words(action: MetaAction) -> str:
    return f"{action.speed}, {action.path}"
