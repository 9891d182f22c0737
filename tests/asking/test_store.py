"""What a store keeps through kills, other processes, and lines that are none."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from impromptu.asking.request import Reply, Request
from impromptu.asking.store import ANSWERS, REJECTED, Store, open_store

ASKED = [Request(f"log/{k}/q4", f"question {k}") for k in range(9)]


def reply_to(request: Request, text: str = "Red", reason: str = "") -> Reply:
    return Reply(
        request.id, request.repeat, request.prompt_sha256, text, "stop", reason, "", "m", 7, 1
    )


def test_a_key_is_of_id_prompt_schema_and_repeat() -> None:
    one = Request("a", "b")
    others = [
        Request("a", "c"),
        Request("c", "b"),
        Request("a", "b", repeat=1),
        Request("a", "b", schema={}),
    ]
    assert len({one.key, *(other.key for other in others)}) == 5
    assert Request("a", "b").key == one.key
    # What is stored under it must be found for ever.
    known = json.dumps(['"\u00e9\n', hashlib.sha256(b"b").hexdigest(), 0]).encode()
    key = hashlib.blake2b(known, digest_size=16).digest()
    assert Request('"\u00e9\n', "b").key == key
    with pytest.raises(ValueError, match="1 <image> markers for 0 images"):
        Request("a", "<image>")


@pytest.mark.parametrize("text", ["Red", 'weiß\u2028\n"\\', "long " * 5_000])
def test_what_is_put_is_there_and_in_the_next_run(tmp_path: Path, text: str) -> None:
    with open_store(tmp_path / "new/store", {"model": "m"}) as store:
        assert ASKED[0] not in store
        for request in ASKED[:3]:
            store.put(request, reply_to(request, text))
        put = store.get(ASKED[1])
    with open_store(tmp_path / "new/store", {"model": "m"}) as store:
        assert [request in store for request in ASKED[:4]] == [True, True, True, False]
        assert store.get(ASKED[1]) == put
        assert put is not None
        assert (put.id, put.text) == ("log/1/q4", text)
        assert store.get(ASKED[5]) is None


def test_other_settings_need_another_store(tmp_path: Path) -> None:
    with open_store(tmp_path, {"model": "m", "temperature": 0.0}) as store:
        store.put(ASKED[0], reply_to(ASKED[0], reason="empty"))
    with (
        pytest.raises(ValueError, match=r"made otherwise .*temperature was 0.0, is 0.7"),
        open_store(tmp_path, {"model": "m", "temperature": 0.7}),
    ):
        pass


def test_settings_that_gave_no_reply_give_way(tmp_path: Path) -> None:
    with open_store(tmp_path, {"model": "mistyped"}):
        pass
    with open_store(tmp_path, {"model": "m"}) as store:
        store.put(ASKED[0], reply_to(ASKED[0]))
    with open_store(tmp_path, {"model": "m"}) as store:
        assert ASKED[0] in store


USE = """
import sys
from pathlib import Path
from impromptu.asking.store import open_store
with open_store(Path(sys.argv[1]), {"model": sys.argv[2]}):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_settings_of_a_run_under_way_do_not_give_way(tmp_path: Path) -> None:
    words = [sys.executable, "-c", USE, str(tmp_path)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    piped = subprocess.PIPE
    with subprocess.Popen([*words, "m"], env=env, stdin=piped, stdout=piped, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "open\n"
        other, same = (
            subprocess.run([*words, model], env=env, input="", capture_output=True, text=True)
            for model in ("other", "m")
        )
        run.communicate("")
    assert "model was 'm', is 'other'" in other.stderr
    assert (same.returncode, same.stdout) == (0, "open\n")


def test_a_torn_line_is_cut_before_the_next_is_written(tmp_path: Path) -> None:
    with open_store(tmp_path, {}) as store:
        for request in ASKED[:2]:
            store.put(request, reply_to(request))
    path = tmp_path / ANSWERS
    path.write_bytes(path.read_bytes()[:-20])
    with open_store(tmp_path, {}) as store:
        assert [request in store for request in ASKED[:2]] == [True, False]
        store.put(ASKED[2], reply_to(ASKED[2]))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["id"] for row in rows] == ["log/0/q4", "log/2/q4"]


def test_lines_of_others_are_passed_over_and_counted(tmp_path: Path) -> None:
    with open_store(tmp_path, {}) as store:
        store.put(ASKED[0], reply_to(ASKED[0]))
    with (tmp_path / ANSWERS).open("ab") as file:
        file.write(b'{"some": "thing"}\n\n')
    with open_store(tmp_path, {}) as store:
        assert (len(store), store.damaged) == (1, 2)
        store.put(ASKED[1], reply_to(ASKED[1]))
    with open_store(tmp_path, {}) as store:
        assert store.get(ASKED[1]) == reply_to(ASKED[1])


def test_a_rejection_is_kept_apart_until_there_is_an_answer(tmp_path: Path) -> None:
    with open_store(tmp_path, {}) as store:
        for reason in ("empty", "refusal"):
            store.put(ASKED[0], reply_to(ASKED[0], "no", reason))
        store.put(ASKED[1], reply_to(ASKED[1], "no", "empty"))
        assert ASKED[0] not in store
        assert store.rejections() == {ASKED[0].key: "refusal", ASKED[1].key: "empty"}
        store.put(ASKED[0], reply_to(ASKED[0]))
        assert store.rejections() == {ASKED[1].key: "empty"}
    assert len((tmp_path / REJECTED).read_text().splitlines()) == 3
    assert len((tmp_path / ANSWERS).read_text().splitlines()) == 1


def test_a_second_answer_changes_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path, {}) as one, open_store(tmp_path, {}) as other:
        one.put(ASKED[0], reply_to(ASKED[0], "first"))
        other.put(ASKED[0], reply_to(ASKED[0], "second"))
        assert other.get(ASKED[0]) == reply_to(ASKED[0], "first")
        assert len(other) == 1
    assert len((tmp_path / ANSWERS).read_text().splitlines()) == 1


_HOLD = """
import sys, time
from pathlib import Path
from impromptu.asking.request import Request
from impromptu.asking.store import Store
print(Store(Path(sys.argv[1])).claim(Request("log/0/q4", "question 0")), flush=True)
time.sleep(60)
"""


def test_a_claim_holds_against_other_processes_and_ends_with_its_own(tmp_path: Path) -> None:
    with open_store(tmp_path, {}) as store:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", _HOLD, str(tmp_path)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"True\n"
            assert not store.claim(ASKED[0])
            assert store.claim(ASKED[1])
            assert not store.claim(ASKED[1]), "ours already"
            other.kill()
        assert store.claim(ASKED[0])


def test_what_another_has_answered_meanwhile_is_not_claimed(tmp_path: Path) -> None:
    with open_store(tmp_path, {}) as one, open_store(tmp_path, {}) as other:
        one.put(ASKED[0], reply_to(ASKED[0]))
        assert not other.claim(ASKED[0])
        assert ASKED[0] in other


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.write

    with open_store(tmp_path, {}) as store:
        store.put(ASKED[0], reply_to(ASKED[0]))
        monkeypatch.setattr(os, "write", lambda handle, line: whole(handle, line[:30]))
        with pytest.raises(OSError, match="No space left") as error:
            store.put(ASKED[1], reply_to(ASKED[1]))
        assert error.value.filename == str(tmp_path)
        monkeypatch.undo()
        assert ASKED[1] not in store
        store.put(ASKED[2], reply_to(ASKED[2]))
    with open_store(tmp_path, {}) as store:
        assert (len(store), store.damaged) == (2, 0)


def test_memory_holds_no_text(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for request in ASKED:
        store.put(request, replace(reply_to(request), text="x" * 100_000))
    kept = {key: place for key, place in store._places.items()}
    store.close()
    assert all(isinstance(place, int) and len(key) == 16 for key, place in kept.items())
