"""The whole flow on small data: the table, the second run, a part of it, a failure, a kill, and two at once."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from distill.cli import main
from distill.inference import load_student
from distill.training.callbacks import SaveProgress

STAGES = {"data", "teacher", "soft_targets", "student", "evaluation", "speed", "frontier", "artifacts"}


@pytest.fixture
def run(experiment_file, capsys, monkeypatch):
    """Call the command line in the experiment's folder; return exit code, output and progress."""
    monkeypatch.chdir(experiment_file.parent)

    def run(*arguments):
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def figures(store):
    """All quality figures of a store."""
    paths = sorted(store.glob("results/evaluation/*/metrics.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def test_from_yaml_to_frontier_and_back(run, experiment_file):
    code, out, err = run("run", "reviews.yaml")
    assert code == 0
    for name in ("teacher", "mean", "cnn"):
        assert f"| {name}" in out
    store = experiment_file.parent / ".distill"
    assert {path.name for path in (store / "results").iterdir()} >= STAGES
    view = store / "experiments" / "reviews"
    assert str(view / "frontier.png") in out
    for file in ("frontier.png", "frontier.html", "frontier.csv"):
        assert (view / file).stat().st_size > 200
    student = view / "students" / "cnn" / "distilled" / "seed0"
    assert str(student) in out
    wanted = {
        "model.json",
        "weights.safetensors",
        "model.onnx",
        "calibration.json",
        "metrics.json",
        "README.md",
    }
    assert wanted <= {path.name for path in student.iterdir()}
    assert "[1/18] data" in err
    assert "18 steps done, 0 found in the store" in err

    code, again, err = run("run", "reviews.yaml")
    assert (code, again) == (0, out)
    assert "0 steps done, 18 found in the store" in err
    code, planned, _ = run("plan", "reviews.yaml")
    assert "18 steps: 18 cached, 0 to do" in planned
    code, table, _ = run("compare", "reviews.yaml")
    assert table.strip() in out

    model = load_student(student)
    eager = load_student(student, backend="torch")
    texts = ["lovely film", "awful day unheardof", ""]
    assert model.predict_proba(texts).shape == (3, 2)
    assert abs(model.predict_proba(texts) - eager.predict_proba(texts)).max() < 1e-5
    code, out, _ = run("predict", student, "--text", "lovely film", "--json")
    line = json.loads(out)
    assert set(line["probabilities"]) == {"good", "bad"}
    assert line["probabilities"]["good"] == pytest.approx(float(model.predict_proba(["lovely film"])[0, 0]))


def without_torch(*arguments):
    """Run the command line in a process of its own, and fail if it imported torch."""
    code = (
        "import sys; from distill.cli import main; code = main(sys.argv[1:]); "
        "assert 'torch' not in sys.modules, 'torch was imported'; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_must_be_quick_imports_no_torch(run, experiment_file):
    run("run", "reviews.yaml", "--only", "cnn/distilled/*")
    without_torch("validate", experiment_file)
    without_torch("plan", experiment_file)
    without_torch("run", experiment_file, "--only", "cnn/distilled/*")
    student = experiment_file.parent / ".distill/experiments/reviews/students/cnn/distilled/seed0"
    assert "lovely tea" in without_torch("predict", student, "--text", "lovely tea")


def test_only_runs_a_part_and_the_rest_joins_later(run):
    code, out, _ = run("run", "reviews.yaml", "--only", "mean/*")
    assert code == 0
    assert "| cnn" not in out
    _, planned, _ = run("plan", "reviews.yaml")
    steps = {line.split()[-1]: line.split()[0] for line in planned.splitlines() if "student" in line}
    assert steps["mean/distilled/seed0"] == "cached"
    assert steps["cnn/distilled/seed0"] == "to"
    code, _, err = run("run", "reviews.yaml", "--only", "nothing/*")
    assert code == 2
    assert err == (
        "--only nothing/*: no run of that name (runs: mean/supervised/seed0, mean/distilled/seed0, "
        "cnn/supervised/seed0, cnn/distilled/seed0)\n"
    )


def test_a_run_that_diverges_is_recorded_and_the_others_go_on(run):
    diverging = ("--only", "*/supervised/*", "--set", "students.cnn.training.learning_rate=1e38")
    code, out, _ = run("run", "reviews.yaml", *diverging)
    assert code == 1
    assert "failed: cnn/supervised/seed0: training diverged" in out
    assert "| mean" in out
    assert "| cnn" not in out


def test_a_changed_knob_changes_only_what_hangs_on_it(run):
    run("run", "reviews.yaml", "--only", "*/supervised/*")
    _, planned, _ = run(
        "plan", "reviews.yaml", "--only", "*/supervised/*", "--set", "students.cnn.num_filters=9"
    )
    todo = {tuple(line.split()[2::2]) for line in planned.splitlines() if line.startswith("to do")}
    assert todo == {
        ("student", "cnn/supervised/seed0"),
        ("evaluation", "cnn/supervised/seed0"),
        ("speed", "speed"),
        ("frontier", "frontier"),
        ("artifacts", "mean/supervised/seed0"),
        ("artifacts", "cnn/supervised/seed0"),
    }


def test_changed_data_changes_every_key(run, experiment_file):
    _, before, _ = run("plan", "reviews.yaml")
    with (experiment_file.parent / "reviews" / "train.csv").open("a", encoding="utf-8") as file:
        file.write("one more lovely text,1,0\n")
    _, after, _ = run("plan", "reviews.yaml")
    keys = [
        {line.split()[3] for line in text.splitlines() if line.startswith("to do")}
        for text in (before, after)
    ]
    assert len(keys[0]) == 18
    assert not keys[0] & keys[1]


def test_a_damaged_result_is_named_and_made_again(run, experiment_file):
    run("run", "reviews.yaml", "--only", "mean/supervised/*")
    store = experiment_file.parent / ".distill"
    before = figures(store)
    weights = next(store.glob("results/student/*/weights.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    code, _, err = run("run", "reviews.yaml", "--only", "mean/supervised/*")
    assert code == 0
    assert "weights.safetensors" in err
    assert "student mean/supervised/seed0" in err
    assert figures(store) == before


def command(file, store):
    return [
        sys.executable,
        "-m",
        "distill.cli",
        "run",
        file.name,
        "--store",
        str(store),
        "--only",
        "*/distilled/*",
    ]


@pytest.mark.slow
def test_two_runs_at_once_share_one_store(experiment_file, tmp_path):
    store = tmp_path / "shared"
    both = [
        subprocess.Popen(
            command(experiment_file, store),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=200) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert told[0][0] == told[1][0], "both print the same table"
    done = [int(err.rsplit(" steps done", 1)[0].rsplit("\n", 1)[-1]) for _, err in told]
    made = len(list(store.glob("results/*/*/manifest.json"))) - len(
        list(store.glob("results/memo*/*/manifest.json"))
    )
    assert made == 12
    assert max(done) <= 12


def test_killed_and_resumed_equals_uninterrupted(experiment_file, tmp_path):
    begun = time.monotonic()
    subprocess.run(
        command(experiment_file, tmp_path / "straight"), cwd=tmp_path, check=True, capture_output=True
    )
    length = time.monotonic() - begun
    rng = random.Random(0)
    for share in sorted(rng.uniform(0.2, 0.9) for _ in range(2)):
        process = subprocess.Popen(
            command(experiment_file, tmp_path / "killed"),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(share * length)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(
        command(experiment_file, tmp_path / "killed"), cwd=tmp_path, check=True, capture_output=True
    )
    assert figures(tmp_path / "killed") == figures(tmp_path / "straight")
    assert len(figures(tmp_path / "straight")) == 3


def test_checkpoints_come_as_often_as_the_experiment_says(run, monkeypatch):
    begin, wanted = SaveProgress.__init__, []

    def noting(self, path, *, every_seconds, **rest):
        wanted.append(every_seconds)
        begin(self, path, every_seconds=every_seconds, **rest)

    monkeypatch.setattr(SaveProgress, "__init__", noting)
    run("run", "reviews.yaml", "--only", "mean/supervised/*", "--set", "runtime.checkpoint_seconds=7")
    assert wanted == [7.0]
