"""The store when things go wrong: killed anywhere, shared by two processes, a disk that is full or read-only."""

import gc
import json
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from distill.errors import DataError, StoreError
from distill.store import Store, explain_full_disk


def python(code, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


# Forks a child that makes a result and is killed with SIGKILL at its n-th call into the system, for every n until
# a child comes through; after each kill a new store obtains the result and says what it found.
KILL_EVERYWHERE = """
    import json, os, signal, sys
    from pathlib import Path
    from distill.store import Store

    def produce(result, scratch):
        steps = scratch / "steps"
        done = len(steps.read_text()) if steps.exists() else 0
        for _ in range(done, 3):
            with steps.open("a") as file:
                file.write("x")
        (result / "weights").write_text(steps.read_text())
        (result / "more").mkdir()
        (result / "more" / "config").write_text("c" * 10)

    def work(root):
        made = Store(root).obtain("student", "key", "x", produce)
        return {str(p.relative_to(made)): p.read_text() for p in made.rglob("*") if p.is_file()}

    def die_at(n):
        calls = iter(range(n))
        def hook(event, arguments):
            if event == "os.kill":
                return
            if event.split(".")[0] in {"open", "os", "fcntl", "shutil"} and next(calls, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)

    root, kills, found = Path(sys.argv[1]), 0, []
    while True:
        place = root / str(kills)
        child = os.fork()
        if child == 0:
            die_at(kills)
            work(place)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        kills += 1
        half = [p for p in place.glob("results/*/*") if not (p / "manifest.json").exists()]
        found.append([work(place), len(half), [p.name for p in place.glob("results/*/*")]])
        Store(place).prune([("student", "key")])
        found[-1].append(sorted(p.name for p in place.glob("scratch/*")))
    print(json.dumps([kills, found]))
"""


def test_killed_at_any_point_the_next_try_finishes(tmp_path):
    output, _ = python(KILL_EVERYWHERE, tmp_path).communicate(timeout=120)
    kills, found = json.loads(output)
    assert kills > 30
    for files, half_written, results, scratch in found:
        assert files.pop("manifest.json")
        assert files == {"weights": "xxx", "more/config": "c" * 10}
        assert half_written == 0
        assert results == ["key"]
        assert scratch == []


SLOW = """
    import sys, time
    from pathlib import Path
    from distill.store import Store

    class Notes:
        def note(self, text):
            print(text, flush=True)

    def produce(result, scratch):
        print("making", flush=True)
        deadline = time.monotonic() + 60
        while not Path(sys.argv[2]).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        (result / "a").write_text("one")

    print(Store(Path(sys.argv[1]), progress=Notes()).obtain("teacher", "k", "BERT", produce), flush=True)
"""


def test_two_processes_make_a_result_once(tmp_path):
    first = python(SLOW, tmp_path / "store", tmp_path / "go")
    assert first.stdout.readline() == "making\n"
    second = python(SLOW, tmp_path / "store", tmp_path / "go")
    assert second.stdout.readline() == "waiting for another process that makes teacher BERT\n"
    (tmp_path / "go").touch()
    made = f"{tmp_path}/store/results/teacher/k\n"
    assert first.communicate(timeout=60)[0] == made
    assert second.communicate(timeout=60)[0] == made


def test_a_killed_process_leaves_no_lock(tmp_path):
    first = python(SLOW, tmp_path / "store", tmp_path / "go")
    assert first.stdout.readline() == "making\n"
    second = python(SLOW, tmp_path / "store", tmp_path / "go")
    assert "waiting" in second.stdout.readline()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (tmp_path / "go").touch()
    assert second.communicate(timeout=60)[0] == f"making\n{tmp_path}/store/results/teacher/k\n"


def test_find_does_not_wait_for_the_one_that_makes_it(tmp_path):
    first = python(SLOW, tmp_path / "store", tmp_path / "go")
    assert first.stdout.readline() == "making\n"
    store = Store(tmp_path / "store")
    assert store.find("teacher", "k") is None
    assert store.prune([]).removed == ()
    assert [(e.key, e.finished) for e in store.prune([]).in_use] == [("k", False)]
    (tmp_path / "go").touch()
    first.communicate(timeout=60)


READER = """
    import sys
    from pathlib import Path
    from distill.store import Store

    store = Store(Path(sys.argv[1]))
    print(store.find("teacher", "k"), flush=True)
    sys.stdin.read()
"""


def test_prune_leaves_what_another_process_reads(tmp_path):
    store = Store(tmp_path / "store")
    made = store.obtain("teacher", "k", "x", lambda result, scratch: (result / "a").write_text("1"))
    reader = python(READER, store.root, stdin=subprocess.PIPE)
    assert reader.stdout.readline() == f"{made}\n"
    pruned = store.prune([])
    assert ([e.key for e in pruned.removed], [e.key for e in pruned.in_use]) == ([], ["k"])
    assert made.exists()
    reader.send_signal(signal.SIGKILL)
    reader.communicate()
    assert [e.key for e in store.prune([]).removed] == ["k"]
    assert not made.exists()


def test_many_processes_remember_hashes_together(tmp_path):
    code = """
        import sys
        from pathlib import Path
        import distill.store.hashes
        from distill.store import Store

        distill.store.hashes.SETTLED_SECONDS = -10
        distill.store.hashes.LARGE_BYTES = 0
        store = Store(Path(sys.argv[1]))
        for number in range(20):
            path = Path(f"{sys.argv[2]}-{number}")
            path.write_text(str(number))
            store.content_hash(path)
    """
    workers = [python(code, tmp_path / "store", tmp_path / f"file{n}") for n in range(3)]
    assert [(w.communicate(timeout=60), w.returncode)[1] for w in workers] == [0, 0, 0]
    assert len(json.loads((tmp_path / "store/hashes.json").read_text())) == 60


def write_bytes(path):
    path.write_bytes(b"x" * 3_000_000)


def save_with_torch(path):
    import torch

    torch.save({"weights": torch.zeros(750_000)}, path)


def save_with_safetensors(path):
    import torch

    from distill.model_folder import save_weights

    save_weights(torch.nn.Linear(750, 1000), path)


def save_with_pyarrow(path):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": np.random.default_rng(0).random(400_000)}), path)


def save_with_numpy(path):
    import numpy as np

    with path.open("wb") as file:
        np.save(file, np.zeros(400_000))


WRITERS = [write_bytes, save_with_torch, save_with_safetensors, save_with_pyarrow, save_with_numpy]


@pytest.mark.parametrize("write", WRITERS, ids=lambda writer: writer.__name__)
def test_a_full_disk_is_told_and_leaves_nothing_half_written(mount, write):
    root = mount("size=2m") / "store"
    store = Store(root)
    with pytest.raises(StoreError) as error:
        store.obtain("student", "k", "x", lambda result, scratch: write(result / "weights"))
    message = str(error.value)
    del error  # torch's open file is in its traceback, and keeps the bytes of a removed file
    gc.collect()
    assert message.startswith("the disk is full: ")
    assert message.endswith(
        f" bytes free at {root}); make room, for instance with `distill store prune`, "
        "and give the same command again: what is finished is kept"
    )
    assert not list(root.glob("results/*/*"))
    assert not list(root.glob("scratch/*/result"))
    made = store.obtain("student", "k", "x", lambda result, scratch: (result / "a").write_text("small"))
    assert (made / "a").read_text() == "small"


def test_a_disk_that_is_full_from_the_start(mount):
    disk = mount("size=1m")
    (disk / "other").mkdir()
    with pytest.raises(OSError, match="No space left"):
        (disk / "other" / "file").write_bytes(b"x" * 2_000_000)
    with pytest.raises(StoreError, match=r"^the disk is full: "):
        Store(disk / "store").obtain(
            "student", "k", "x", lambda result, _: (result / "a").write_text("x" * 10_000)
        )
    assert not list(disk.glob("store/results/*/*"))


def test_a_disk_that_is_full_when_a_result_is_only_read(mount):
    disk = mount("size=1m")
    Store(disk / "store").obtain("student", "k", "x", lambda result, _: (result / "a").write_text("small"))
    with pytest.raises(OSError, match="No space left"):
        (disk / "other").write_bytes(b"x" * 2_000_000)
    with pytest.raises(StoreError, match=r"^the disk is full: "):
        Store(disk / "store").find("student", "k")


def test_a_read_only_disk(mount):
    disk = mount("size=1m")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(StoreError) as error:
        Store(disk / "store")
    assert str(error.value) == (
        f"{disk}/store: the store cannot be written (read-only file system); "
        "choose another folder with `runtime.store` in the experiment file or with --store"
    )


@pytest.mark.parametrize("write", WRITERS, ids=lambda writer: writer.__name__)
def test_a_limit_on_file_size_is_told(tmp_path, write):
    code = """
        import resource, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from distill.errors import StoreError
        from distill.store import Store
        from test_store_faults import WRITERS

        def produce(result, scratch):
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            WRITERS[int(sys.argv[3])](result / "a")

        store = Store(Path(sys.argv[1]))
        try:
            store.obtain("student", "k", "x", produce)
        except StoreError as error:
            print(error)
        print([str(p) for p in store.root.glob("results/*/*")])
    """
    place, tests = tmp_path / "store", Path(__file__).parent
    output, _ = python(code, place, tests, WRITERS.index(write)).communicate(timeout=60)
    message, left = output.splitlines()
    assert re.sub(r"\d+ bytes", "N bytes", message) == (
        f"a file is larger than this process may write: a file of {place} cannot be written (N bytes free at "
        f"{place}); raise the limit (see `ulimit -f`), and give the same command again: what is finished is kept"
    )
    assert left == "[]"


def test_the_file_that_could_not_be_written_is_named(tmp_path):
    with pytest.raises(StoreError) as error, explain_full_disk(tmp_path):
        raise OSError(28, "No space left on device", "/data/weights.bin")
    assert str(error.value).startswith("the disk is full: /data/weights.bin cannot be written (")


def test_other_errors_pass_through(tmp_path):
    for error in (
        ValueError("x"),
        FileNotFoundError(2, "No such file", "y"),
        DataError("z"),
        StoreError("w"),
    ):
        with pytest.raises(type(error)) as raised, explain_full_disk(tmp_path):
            raise error
        assert raised.value is error


def test_a_cause_deep_down_is_found(tmp_path):
    error = ValueError("the writer failed")
    error.__cause__ = OSError(28, "No space left on device")
    with pytest.raises(StoreError, match=r"^the disk is full: "), explain_full_disk(tmp_path):
        raise error
