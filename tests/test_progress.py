import pytest

from impromptu import progress


def test_plain_lines_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    assert list(progress.track(iter("abc"), 3, "logs", "read")) == ["a", "b", "c"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[-1].startswith("read: 3/3 logs, ")
    assert lines[-1].endswith(" 0 s left")
