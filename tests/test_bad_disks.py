"""Stores that cannot be written and disks that fill up, through the command line; with room, the run goes on."""

import gc
import resource
import subprocess
from contextlib import contextmanager

from distill.cli import main

RUN = ("run", "reviews.yaml", "--only", "mean/supervised/*")
LARGE = ("--set", "students.mean.embeddings.dimension=512")
"""A student whose weights are larger than all else that the flow writes before them."""
UNWRITABLE = "choose another folder with `runtime.store` in the experiment file or with --store"
AGAIN = ", and give the same command again: what is finished is kept"
MAKE_ROOM = f"`distill store prune`{AGAIN}"
RAISE_THE_LIMIT = f"raise the limit (see `ulimit -f`){AGAIN}"


@contextmanager
def largest_file(limit):
    """Let no file grow beyond so many bytes, as a full disk does not let it."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def stages(store):
    """Return the stages that have finished results."""
    return {place.parent.name for place in store.glob("results/*/*")}


def test_a_file_in_the_stores_place(refused, experiment_file):
    (experiment_file.parent / ".distill").write_text("here first")
    for command in ("run", "plan", "compare"):
        assert refused(command, "reviews.yaml") == (
            f"FOLDER/.distill: the store cannot be written (not a directory); {UNWRITABLE}"
        )


def test_a_disk_that_may_only_be_read(refused, mount):
    disk = mount("size=1m")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert refused("run", "reviews.yaml", "--store", disk / "store", store=disk / "store") == (
        f"FOLDER/disk0/store: the store cannot be written (read-only file system); {UNWRITABLE}"
    )


def test_files_that_may_not_grow_and_then_may(refused, experiment_file, capsys):
    store = experiment_file.parent / ".distill"
    told = "a file is larger than this process may write: a file of FOLDER/.distill cannot be written ("
    with largest_file(3_000):
        message = refused(*RUN, *LARGE)
    assert message.startswith(told)
    assert message.endswith(RAISE_THE_LIMIT)
    assert stages(store) == set(), "not even the data"
    with largest_file(200_000):
        assert refused(*RUN, *LARGE).startswith(told)
    assert stages(store) == {"data", "teacher", "soft_targets", "evaluation"}, "all but the student"
    assert main([*RUN, *LARGE]) == 0
    assert "5 steps done, 4 found in the store" in capsys.readouterr().err


def test_a_disk_that_fills_up_and_is_given_room(refused, mount, capsys):
    disk = mount("size=8k")
    store = disk / "store"
    told = "the disk is full: a file of FOLDER/disk0/store cannot be written ("
    for size, done in (("8k", set()), ("600k", {"data", "teacher", "soft_targets", "evaluation"})):
        subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
        message = refused(*RUN, *LARGE, "--store", store, store=store)
        gc.collect()  # what failed may hold a file open that is removed
        assert message.startswith(told)
        assert message.endswith(MAKE_ROOM)
        assert stages(store) == done
    subprocess.run(["mount", "-o", "remount,size=50m", disk], check=True)
    assert main([*RUN, *LARGE, "--store", str(store)]) == 0
    assert "5 steps done, 4 found in the store" in capsys.readouterr().err
