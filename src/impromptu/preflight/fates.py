"""What can become of a sample on its way into training, and how each of it is told.

Found in the source of LLaMA-Factory 0.9.5: `converter.py` and `processor/supervised.py` skip a
conversation they cannot use with a line in the log; `mm_plugin.py`, Pillow and the reader of the
file stop everything; `infer_seqlen` cuts what is longer than ``cutoff_len`` without a word.
"""

from impromptu.audits import Severity

STOPS = {
    "unreadable_file": "{n} files cannot be read.",
    "not_json": "{n} places are no JSON: LLaMA-Factory cannot load the file.",
    "cut_short": "{n} files end in the middle: LLaMA-Factory cannot load them.",
    "too_large": "{n} records are longer than 16 MB and were not looked at.",
    "too_deep": "{n} records nest brackets too deep to be read.",
    "wrong_type": "{n} records have a value of a wrong type: loading or tokenising them fails.",
    "no_messages": "{n} records have no list of messages under the name the registry gives.",
    "no_utf8": "{n} records hold characters that no UTF-8 file can hold: loading them fails.",
    "marks": "In {n} samples the <image> markers are not as many as the images: an error.",
    "missing_image": (
        "{n} samples name an image that is not there, neither from media_dir (by default "
        "dataset_dir) nor from here: an error when tokenised."
    ),
    "not_a_file": "{n} samples name a folder, a pipe or the like as an image.",
    "unreadable_image": "{n} samples have an image that cannot be opened.",
    "truncated_image": "{n} samples have an image whose end is missing: an error when tokenised.",
    "not_an_image": "{n} samples have an image file that is no image.",
    "too_many_pixels": "{n} samples have an image that Pillow refuses for its size.",
    "too_thin": "{n} samples have an image so thin that scaling it leaves a side of 0 pixels.",
    "image_token": "{n} samples hold the model's own <|image_pad|> in their text: an error.",
    "image_cut": (
        "{n} samples are over cutoff_len so far that image tokens are cut off: training stops at "
        "them ('image features and image tokens do not match')."
    ),
}
"""Training stops, before its first step or in the middle."""

SKIPPED = {
    "wrong_roles": "{n} conversations do not take turns as the registry's tags say: skipped.",
    "odd_turns": "{n} conversations have an odd number of messages: skipped.",
    "no_turns": "{n} conversations have no message: skipped.",
}
"""Not trained on; a line in the log tells."""

CUT = {
    "answer_cut": "{n} samples are over cutoff_len and lose the end of an answer: no word of it.",
    "turns_cut": "{n} samples are over cutoff_len and lose whole turns: no word of it.",
    "prompt_cut": "{n} samples are over cutoff_len and lose the end of a question: no word of it.",
}
"""Trained on, but not on all of it."""

NOT_COUNTED = {
    "tool_call": "{n} conversations call a tool; their tokens are not counted here.",
}
"""Trained on; what of it is not known here."""

NOTED = {
    "chat_token": "{n} samples hold a control token of the chat, such as <|im_end|>.",
    "images_as_text": "In {n} records the images are text, not a list; taken for one image.",
}
"""Trained on, and worth a look."""

TEXTS = STOPS | SKIPPED | CUT | NOT_COUNTED | NOTED


def severity(reason: str) -> Severity:
    """Return how grave it is."""
    return "warning" if reason in NOTED else "error"
