"""The store: results are found again, damage is noticed, and what nobody needs can go."""

import hashlib
import json
import os
from datetime import UTC, datetime

import pytest

from distill.errors import StoreError
from distill.store import Store


class Notes:
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


def writes(**files):
    def produce(result, scratch):
        for name, text in files.items():
            (result / name).write_text(text)

    return produce


def never(result, scratch):
    raise AssertionError("made again")


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def store(tmp_path, notes):
    store = Store(tmp_path / "store", progress=notes)
    yield store
    store.close()


def reopened(store, notes=None):
    """A store as the next process sees it: with nothing remembered."""
    return Store(store.root, progress=notes)


def test_a_result_is_made_once(store):
    assert store.find("teacher", "k1") is None
    made = store.obtain("teacher", "k1", "the teacher", writes(a="one", b="two"))
    assert made == store.root / "results" / "teacher" / "k1"
    assert store.obtain("teacher", "k1", "the teacher", never) == made
    assert reopened(store).obtain("teacher", "k1", "the teacher", never) == made
    assert (made / "a").read_text() == "one"
    assert not any((store.root / "scratch").iterdir())


def test_the_manifest_holds_sizes_and_checksums(store):
    made = store.obtain("teacher", "k1", "the teacher", writes(a="one"))
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["files"] == {"a": {"bytes": 3, "sha256": hashlib.sha256(b"one").hexdigest()}}
    assert (manifest["stage"], manifest["key"], manifest["name"]) == ("teacher", "k1", "the teacher")


def test_keys_and_stages_are_apart(store):
    first = store.obtain("teacher", "k1", "x", writes(a="1"))
    second = store.obtain("student", "k1", "x", writes(a="2"))
    third = store.obtain("teacher", "k2", "x", writes(a="3"))
    assert [(p / "a").read_text() for p in (first, second, third)] == ["1", "2", "3"]


def test_a_failed_try_leaves_nothing_but_its_checkpoints(store):
    def fails(result, scratch):
        (result / "half").write_text("x")
        (scratch / "checkpoint").write_text("step 7")
        raise RuntimeError("lost the GPU")

    with pytest.raises(RuntimeError, match=r"^lost the GPU$"):
        store.obtain("student", "k", "x", fails)
    assert store.find("student", "k") is None
    assert not list((store.root / "results").glob("*/*"))

    def goes_on(result, scratch):
        assert not any(result.iterdir())
        (result / "weights").write_text((scratch / "checkpoint").read_text())

    assert (store.obtain("student", "k", "x", goes_on) / "weights").read_text() == "step 7"


def flip(folder):
    data = bytearray((folder / "a").read_bytes())
    data[1] ^= 1
    (folder / "a").write_bytes(data)


def flip_unseen(folder):
    """As a bad disk does it: neither size nor times tell."""
    before = (folder / "a").stat()
    flip(folder)
    os.utime(folder / "a", ns=(before.st_atime_ns, before.st_mtime_ns))


def edit_manifest(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace("the teacher", "the student"))


DAMAGE = {
    "flipped": (flip, "a was changed (its sha256 differs)"),
    "flipped unseen": (flip_unseen, "a was changed (its sha256 differs)"),
    "truncated": (lambda f: os.truncate(f / "a", 2), "a has 2 bytes instead of 3"),
    "missing": (lambda f: (f / "a").unlink(), "a is missing"),
    "extra": (lambda f: (f / "more").write_text("x"), "more does not belong there"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json cannot be read"),
    "torn manifest": (lambda f: os.truncate(f / "manifest.json", 20), "manifest.json cannot be read"),
    "manifest of another shape": (
        lambda f: (f / "manifest.json").write_text("[]"),
        "manifest.json cannot be read",
    ),
    "edited manifest": (edit_manifest, "manifest.json was changed"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_reported_by_name_and_made_again(store, kind):
    made = store.obtain("teacher", "k", "the teacher", writes(a="one"))
    harm, found = DAMAGE[kind]
    harm(made)
    notes = Notes()
    later = reopened(store, notes)
    assert later.find("teacher", "k") is None
    assert notes.texts == [f"{made} is damaged: {found}; it is removed and made again"]
    assert not made.exists()
    assert not any((store.root / "scratch").iterdir())
    assert (later.obtain("teacher", "k", "the teacher", writes(a="one")) / "a").read_text() == "one"
    assert later.find("teacher", "k") == made


def test_damage_is_noticed_without_asking_first(store):
    made = store.obtain("teacher", "k", "x", writes(a="one"))
    flip(made)
    again = reopened(store).obtain("teacher", "k", "x", writes(a="one"))
    assert (again / "a").read_text() == "one"


def test_a_plan_sees_what_is_there_and_changes_nothing(store):
    made = store.obtain("teacher", "k", "x", writes(a="one"))
    assert store.holds("teacher", "k")
    assert not store.holds("teacher", "other")
    os.truncate(made / "a", 1)
    assert not store.holds("teacher", "k")
    assert made.exists()


def test_a_memo_is_made_once(store):
    calls = []

    def produce(folder):
        calls.append(1)
        (folder / "vectors").write_text("v")

    first = store.memo("fastText", "m", produce)
    assert store.memo("fastText", "m", produce) == first
    assert (first / "vectors").read_text() == "v"
    assert len(calls) == 1


def test_entries_tell_what_lies_there(store):
    begun = datetime.now(UTC)
    store.obtain("teacher", "k", "the teacher", writes(a="one", b="four"))
    with pytest.raises(RuntimeError):
        store.obtain("student", "half", "x", lambda result, scratch: _stop(scratch))
    finished, unfinished = store.entries()
    assert (finished.stage, finished.key, finished.name, finished.finished) == (
        "teacher",
        "k",
        "the teacher",
        True,
    )
    assert finished.bytes == sum(p.stat().st_size for p in (store.root / "results/teacher/k").iterdir())
    assert begun.timestamp() - 1 < finished.created.timestamp() <= finished.last_used.timestamp() + 1
    assert (unfinished.stage, unfinished.key, unfinished.finished, unfinished.bytes) == (
        "student",
        "half",
        False,
        5,
    )


def _stop(scratch):
    (scratch / "checkpoint").write_text("12345")
    raise RuntimeError


def test_reading_a_result_renews_its_date(store):
    made = store.obtain("teacher", "k", "x", writes(a="one"))
    os.utime(made, (1_000_000_000, 1_000_000_000))
    assert store.entries()[0].last_used == datetime.fromtimestamp(1_000_000_000, UTC)
    reopened(store).find("teacher", "k")
    assert store.entries()[0].last_used.year > 2020


def test_prune_keeps_what_is_needed(store):
    def student(result, scratch):
        vectors = store.memo("vectors", "m1", lambda folder: (folder / "v").write_text("v"))
        (result / "a").write_text((vectors / "v").read_text())

    store.memo("old vectors", "m2", lambda folder: (folder / "v").write_text("v"))
    store.obtain("student", "s1", "kept", student)
    store.obtain("student", "s2", "gone", writes(a="1"))
    for key in ("half1", "half2"):
        with pytest.raises(RuntimeError):
            store.obtain("student", key, "x", lambda result, scratch: _stop(scratch))
    keep = [("student", "s1"), ("student", "half1")]
    planned = store.prune(keep, dry_run=True)
    assert len(store.entries()) == 6
    pruned = store.prune(keep)
    assert pruned.removed == planned.removed
    assert [(e.stage, e.key) for e in pruned.removed] == [
        ("memo", "m2"),
        ("student", "s2"),
        ("student", "half2"),
    ]
    assert pruned.bytes == sum(e.bytes for e in pruned.removed) > 0
    assert [(e.stage, e.key) for e in store.entries()] == [
        ("memo", "m1"),
        ("student", "s1"),
        ("student", "half1"),
    ]


def test_a_memo_of_a_killed_try_is_kept_with_the_run(store):
    def first(result, scratch):
        store.memo("vectors", "m1", lambda folder: (folder / "v").write_text("v"))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.obtain("student", "s", "x", first)
    assert store.prune([("student", "s")]).removed == ()
    store.obtain("student", "s", "x", writes(a="resumed without asking for the memo"))
    assert store.prune([("student", "s")]).removed == ()
    assert [e.stage for e in store.prune([]).removed] == ["memo", "student"]


def test_content_hash_is_that_of_the_bytes(store, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    assert store.content_hash(file) == hashlib.sha256(b"abc").hexdigest()


def test_content_hash_of_a_folder_sees_names_and_contents_not_the_place(store, tmp_path):
    def folder(name, files):
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        return store.content_hash(tmp_path / name)

    hashes = [
        folder("one", {"a": "1", "sub/b": "2"}),
        folder("same", {"sub/b": "2", "a": "1"}),
        folder("renamed", {"a": "1", "sub/c": "2"}),
        folder("changed", {"a": "1", "sub/b": "3"}),
        folder("swapped", {"a": "2", "sub/b": "1"}),
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4


def large(path, byte):
    path.write_bytes(byte * 1_500_000)
    old = path.stat().st_mtime - 1000
    os.utime(path, (old, old))


def test_hashes_of_large_files_are_remembered(store, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "distill.store.hashes.SETTLED_SECONDS", -10
    )  # the file's age, which cannot be set back
    large(tmp_path / "weights", b"a")
    expected = hashlib.sha256(b"a" * 1_500_000).hexdigest()
    assert store.content_hash(tmp_path / "weights") == expected
    monkeypatch.setattr("distill.store.hashes.file_hash", lambda path: pytest.fail("hashed again"))
    assert reopened(store).content_hash(tmp_path / "weights") == expected
    monkeypatch.undo()
    monkeypatch.setattr("distill.store.hashes.SETTLED_SECONDS", -10)
    large(tmp_path / "weights", b"b")
    assert store.content_hash(tmp_path / "weights") == hashlib.sha256(b"b" * 1_500_000).hexdigest()


def test_hashes_of_fresh_files_are_not_remembered(store, tmp_path):
    (tmp_path / "weights").write_bytes(b"a" * 1_500_000)
    store.content_hash(tmp_path / "weights")
    assert not (store.root / "hashes.json").exists()


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"x": 1}', "\udcff"])
def test_a_damaged_memory_of_hashes_costs_only_time(store, tmp_path, monkeypatch, damage):
    monkeypatch.setattr("distill.store.hashes.SETTLED_SECONDS", -10)
    (store.root / "hashes.json").write_bytes(damage.encode(errors="surrogateescape"))
    large(tmp_path / "weights", b"a")
    assert store.content_hash(tmp_path / "weights") == hashlib.sha256(b"a" * 1_500_000).hexdigest()
    assert str(tmp_path / "weights") in json.loads((store.root / "hashes.json").read_text())


def test_what_cannot_be_hashed_is_named(store, tmp_path):
    with pytest.raises(StoreError) as error:
        store.content_hash(tmp_path / "nothing")
    assert str(error.value) == f"{tmp_path}/nothing: cannot be read (no such file or directory)"


def test_publish_shows_exactly_what_is_named(store):
    teacher = store.obtain("teacher", "k", "x", writes(weights="w"))
    picture = store.obtain("frontier", "f", "x", writes(picture="p"))
    folder = store.publish(
        "quick", {"teacher": teacher, "frontier.png": picture / "picture", "old/x": teacher}
    )
    assert folder == store.root / "experiments" / "quick"
    assert (folder / "teacher" / "weights").read_text() == "w"
    assert (folder / "frontier.png").read_text() == "p"
    (folder / "my notes.txt").write_text("mine")
    store.publish("quick", {"teacher": picture, "students/a": teacher})
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.name[0] != ".")
    assert found == ["my notes.txt", "students", "students/a", "teacher"]
    assert (folder / "teacher" / "picture").read_text() == "p"


def test_published_links_survive_a_move_of_the_store(store, tmp_path):
    teacher = store.obtain("teacher", "k", "x", writes(weights="w"))
    store.publish("quick", {"students/textcnn/kd": teacher})
    store.root.rename(tmp_path / "moved")
    assert (tmp_path / "moved/experiments/quick/students/textcnn/kd/weights").read_text() == "w"


def test_publish_copies_where_links_are_impossible(store, monkeypatch):
    def refuse(self, target):
        raise PermissionError(1, "Operation not permitted")

    teacher = store.obtain("teacher", "k", "x", writes(weights="w"))
    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    for _ in range(2):
        folder = store.publish("quick", {"teacher": teacher, "w.txt": teacher / "weights"})
        assert (folder / "teacher" / "weights").read_text() == (folder / "w.txt").read_text() == "w"
    assert not (folder / "teacher").is_symlink()
    store.publish("quick", {})
    assert [p.name for p in folder.iterdir()] == [".published.json"]


def test_prune_removes_names_of_what_is_gone(store):
    kept = store.obtain("teacher", "kept", "x", writes(a="1"))
    gone = store.obtain("teacher", "gone", "x", writes(a="1"))
    folder = store.publish("quick", {"teacher": kept, "students/a/b": gone})
    store.prune([("teacher", "kept")])
    assert sorted(p.name for p in folder.iterdir()) == [".published.json", "teacher"]


def test_a_file_in_the_place_of_the_store(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError) as error:
        Store(tmp_path / "store")
    assert str(error.value) == (
        f"{tmp_path}/store: the store cannot be written (not a directory); "
        "choose another folder with `runtime.store` in the experiment file or with --store"
    )
