"""A small experiment that tracks itself as distill does, in a process of its own, and stops where it is told to.

    python laboratory.py STORE [--go-on]

It prints `start`, `middle` and `end` when it gets there, and waits for a line each time.
"""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.image
import numpy as np

from distill.contracts import Artifact, RunFacts
from distill.interruption import interruptible
from distill.tracking import open_tracker

EXPERIMENT = "laboratory"
ROWS, CHECKPOINT = 60, 24
WEIGHTS = 300_000


class Progress:
    """Tells what the tracker says."""

    def note(self, text):
        tell(f"note: {text}")

    def advance(self, done, total, note=""):
        pass


def key(job_type):
    """Return what stands for a fingerprint."""
    return job_type.encode().hex().ljust(64, "0")


def facts(job_type):
    """Return the run of a box."""
    return RunFacts(f"{job_type}/0", job_type, key(job_type), {"seed": 0})


def main(store, go_on):
    """Run three boxes: a teacher, a student that is made from it, and a frontier."""
    tracker = open_tracker(
        mode="auto",
        project="distill",
        entity=None,
        experiment=EXPERIMENT,
        store_root=store,
        tags=[],
        progress=Progress(),
    )
    pause("start")
    with tracker.run(facts("teacher")) as log:
        if go_on:
            log.go_on({key("teacher")})
        else:
            log.summary({"test/macro_ap": 0.75})
            log.mark(key("teacher"))
        publish(log, store, "teacher")
    with tracker.run(facts("student")) as log:
        if go_on:
            log.rewind(CHECKPOINT)
        for step in range(CHECKPOINT + 1 if go_on else 1, ROWS + 1):
            log.metrics({"train/loss": 1 / step}, step)
            if step == ROWS // 2:
                pause("middle")
        log.table("per_label", ["label", "f1"], [["joy", 0.5], ["fear", None]])
        picture = store / "results" / "roc.png"
        picture.parent.mkdir(exist_ok=True)
        matplotlib.image.imsave(picture, np.eye(64))
        log.picture("roc", picture)
        log.summary({"test/macro_ap": 0.5})
        log.mark(key("student"))
        pause("end")
        publish(log, store, "student", "teacher")
    with tracker.run(facts("frontier")) as log:
        log.summary({"frontier/hypervolume": 1.0})
    tell(tracker.close())


def publish(log, store, kind, *uses):
    """Publish a folder that is the same each time."""
    folder = store / "results" / kind
    folder.mkdir(parents=True, exist_ok=True)
    content = np.random.default_rng(len(kind)).integers(0, 256, WEIGHTS, dtype=np.uint8).tobytes()
    (folder / "weights").write_bytes(content)
    log.artifact(
        Artifact(
            f"{EXPERIMENT}-{kind}",
            kind,
            folder,
            metadata={"fingerprint": key(kind)},
            aliases=(key(kind)[:12],),
            uses=tuple(f"{EXPERIMENT}-{used}:{key(used)[:12]}" for used in uses),
        )
    )


def pause(moment):
    """Say where we are, and wait."""
    tell(moment)
    sys.stdin.readline()


def tell(text):
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with interruptible():
        main(Path(sys.argv[1]), "--go-on" in sys.argv)
