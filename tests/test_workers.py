import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from impromptu.workers import side_by_side


def half(number: int) -> float:
    if number == 13:
        os._exit(9)
    return number / 2


def taken(numbers: range, seen: list[int]) -> Iterator[int]:
    for number in numbers:
        seen.append(number)
        yield number


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_comes_back_with_its_result(workers: int) -> None:
    assert dict(side_by_side(half, range(10), workers)) == {n: n / 2 for n in range(10)}
    assert dict(side_by_side(half, [], workers)) == {}


def test_items_are_taken_only_as_workers_get_free() -> None:
    seen: list[int] = []
    results = side_by_side(half, taken(range(20, 1000), seen), 2)
    next(results)
    assert len(seen) <= 2 * 2 + 1
    results.close()  # type: ignore[attr-defined]


def test_a_worker_that_dies_is_one_clear_error() -> None:
    with pytest.raises(OSError, match="a worker process died"):
        list(side_by_side(half, [12, 13, 14], 2))


def test_workers_come_with_what_was_asked_for_imported(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from impromptu.workers import begin, side_by_side\n"
        "def is_imported(name):\n"
        "    return name in sys.modules\n"
        "if __name__ == '__main__':\n"
        "    begin(['colorsys'])\n"
        "    print(sorted(side_by_side(is_imported, ['colorsys', 'wave'], 2)))\n"
    )
    told = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    assert told.stdout == "[('colorsys', True), ('wave', False)]\n"


@pytest.mark.parametrize(
    ("wait_s", "sleeps_s"),
    [(0.0, [1.0] * 4), (0.05, [1.0] * 4), (0.2, [1.0] * 4), (0.8, [1.0] * 4), (2.0, [0.0, 5.0])],
)
def test_ctrl_c_ends_all_without_noise_whenever_it_comes(
    tmp_path: Path, wait_s: float, sleeps_s: list[float]
) -> None:
    """The last time one worker waits for work."""
    script = tmp_path / "script.py"
    script.write_text(
        "import time\n"
        "from impromptu.workers import begin, side_by_side\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        begin(['impromptu.part', 'impromptu.datasets.nuscenes'])\n"
        f"        list(side_by_side(time.sleep, {sleeps_s}, 2))\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted')\n"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, str(script)]
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as main:
        assert main.stdout is not None
        assert main.stdout.readline() == "ready\n"
        time.sleep(wait_s)
        os.killpg(main.pid, signal.SIGINT)
        assert main.communicate(timeout=20) == ("interrupted\n", "")


def test_a_module_that_cannot_be_imported_beforehand_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "half_written.py").write_text("1 / 0")
    script = tmp_path / "script.py"
    script.write_text(
        "import time\n"
        "from impromptu.workers import begin, side_by_side\n"
        "if __name__ == '__main__':\n"
        "    begin(['half_written'])\n"
        "    try:\n"
        "        list(side_by_side(time.sleep, [0.0] * 4, 2))\n"
        "    except OSError as error:\n"
        "        print(error)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    told = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, timeout=60
    )
    assert "with --workers 1, which tells" in told.stdout
