"""q3: why does the ego do what it is about to do?"""

from impromptu.arrays import altered
from impromptu.clip import Clip, MetaAction, Observation, Unanswerable
from impromptu.preset import Preset
from impromptu.questions import Question, _text
from impromptu.wording import Wording


def narrow(clip: Clip, preset: Preset) -> Observation:
    """Show all, and tell the decision, whose reason is asked for."""
    if clip.observation.status is None:
        raise Unanswerable("speed_unknown")
    return altered(clip.observation, decision=preset.ego_action(clip))


def prompt(observation: Observation, wording: Wording) -> str:
    """Tell speed and decision, and ask for the reason."""
    if observation.decision is None:
        raise Unanswerable("no_decision")
    return wording.render(
        "q3.prompt",
        views=_text.views(observation.cameras, wording, "q3"),
        speed=_text.speed(observation),
        command=_text.command(observation, wording, "q3"),
        decision=decision(observation.decision, wording),
    )


def decision(action: MetaAction, wording: Wording) -> str:
    """Write a decision in words; a car that stops has no path."""
    words = [action.speed] if action.speed == "STOP" else [action.speed, action.path]
    return " and ".join(wording.render(f"q3.decision.{word}") for word in words)


QUESTION = Question(
    task="q3",
    views="surround",
    past_s=0.0,
    future_s=3.0,
    prompt=prompt,
    truth=None,
    write=_text.write_sentence,
    read=_text.read_sentence,
    metrics=(),
    narrow=narrow,
)
