"""q6: what should the ego do with its speed and its path in the next three seconds?"""

from impromptu.clip import Clip, MetaAction, Observation, Unanswerable
from impromptu.preset import Preset
from impromptu.questions import Question, _text
from impromptu.wording import Wording

TAG = "SPEED PATH PLAN"


def narrow(clip: Clip, preset: Preset) -> Observation:
    """Show all, if the speed is known."""
    if clip.observation.status is None:
        raise Unanswerable("speed_unknown")
    return clip.observation


def prompt(observation: Observation, wording: Wording) -> str:
    """Ask for one word each."""
    return wording.render(
        "q6.prompt",
        views=_text.views(observation.cameras, wording, "q6"),
        speed=_text.speed(observation),
        command=_text.command(observation, wording, "q6"),
    )


def truth(clip: Clip, preset: Preset) -> MetaAction:
    """Return what the driver did."""
    return preset.ego_action(clip)


def write(action: MetaAction, wording: Wording) -> str:
    """Write ``SPEED,PATH`` in tags."""
    return _text.tagged(TAG, f"{action.speed},{action.path}")


def read(text: str) -> MetaAction:
    """Read ``SPEED,PATH`` or ``SPEED, PATH``; raises ``AnswerError``."""
    return _text.meta_action(_text.untagged(TAG, text))


QUESTION = Question(
    task="q6",
    views="surround",
    past_s=0.0,
    future_s=3.0,
    prompt=prompt,
    truth=truth,
    write=write,
    read=read,
    metrics=("plan_accuracy",),
    narrow=narrow,
)
