"""The command line as a process, and `predict`: help, exit codes, closed pipes, signals, unreadable texts."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from distill.cli import main
from distill.contracts import BuildContext, Task
from distill.model_folder import write_model
from students.configs import MeanEmbeddingConfig

COMMANDS = (
    "validate",
    "plan",
    "run",
    "sweep",
    "compare",
    "predict",
    "pull",
    "sync",
    "schema",
    "sync",
    "dashboard",
    "store",
    "store ls",
    "store prune",
    "doctor",
)


def distill(*arguments, **options):
    """Start the command as a process whose output is buffered, as it is by default."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", "distill.cli", *arguments],
        env=environment,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as left:
        main([*command.split(), "--help"])
    assert left.value.code == 0
    assert f"usage: distill {command}".strip() in capsys.readouterr().out


def test_the_commands_are_all_tested(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out.partition("COMMAND\n")[2].splitlines()
    names = {line.split()[0] for line in listed if line.startswith("    ") and line[4] != " "}
    assert names == {command.split()[0] for command in COMMANDS}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "distill: error: the following arguments are required: COMMAND"),
        (["store"], "distill store: error: the following arguments are required: WHAT"),
        (["predict", "x"], "distill predict: error: one of the arguments --text --file is required"),
        (
            ["sweep", "x", "--agents", "0"],
            "distill sweep: error: argument --agents: must be a whole number from 1, got '0'",
        ),
        (["store", "prune"], "distill store prune: error: the following arguments are required: keep"),
    ],
)
def test_an_incomplete_command(capsys, arguments, message):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    out, err = capsys.readouterr()
    assert (left.value.code, out) == (2, "")
    assert err.splitlines()[-1] == message


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_run_with_one_line(experiment_file, number):
    process = distill("run", experiment_file.name, cwd=experiment_file.parent)
    assert process.stderr.readline() == "[1/18] data\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (143, "")
    *begun, last = err.splitlines()
    assert last == "distill: stopped; give the same command again to go on"
    assert all(line.startswith("[") for line in begun)


@pytest.mark.parametrize("arguments", [("schema",), ("store", "ls"), ("plan", "reviews.yaml")])
def test_a_reader_that_goes_away_is_no_error(experiment_file, arguments):
    (experiment_file.parent / ".distill").mkdir()
    (experiment_file.parent / ".distill" / "scratch").mkdir()
    with distill(*arguments, cwd=experiment_file.parent) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_output_that_cannot_be_written():
    with Path("/dev/full").open("w") as full:
        process = distill("schema", stdout=full)
    assert process.communicate(timeout=60)[1] == "standard output: cannot be written (the disk is full)\n"
    assert process.returncode == 2


@pytest.fixture
def student(tmp_path):
    """A student's folder: untrained, without a graph."""
    folder, task = tmp_path / "student", Task("multi_label", ("good", "bad"))
    folder.mkdir()
    config = MeanEmbeddingConfig(embeddings={"kind": "random", "dimension": 4, "min_count": 1})
    context = BuildContext(task, ("a good text", "a bad text"), 0, tmp_path, memo=None)
    write_model(folder, config.build(context), config, task, "student")
    return folder


def test_a_folder_that_is_no_model(refused):
    assert refused("predict", "reviews", "--text", "x") == "reviews: not a model folder, it has no model.json"
    for place in ("nowhere", "reviews.yaml"):
        assert refused("predict", place, "--text", "x") == (
            f"{place}: not a model folder, there is no such folder"
        )


def test_a_folder_of_another_format_version(refused, student):
    about = json.loads((student / "model.json").read_text(encoding="utf-8"))
    (student / "model.json").write_text(json.dumps(about | {"format_version": 2}), encoding="utf-8")
    assert refused("predict", student, "--text", "x") == (
        "FOLDER/student: format version 2, but this release of distill reads version 1; "
        "use the release that wrote it, or make the model again"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"role": "studnet"}, "role: must be 'teacher' or 'student', got 'studnet', did you mean 'student'?"),
        (
            {"role": ["student"]},
            "role: must be 'teacher' or 'student', got ['student'], did you mean 'student'?",
        ),
        ({"role": None}, "role: must be 'teacher' or 'student', got None"),
        ({"task": "multi_label"}, "task: must be a map of keys to values, got 'multi_label'"),
        (
            {"task": {"kind": "multilabel", "label_names": ["good"]}},
            "task.kind: must be 'multi_label' or 'single_label', got 'multilabel', did you mean 'multi_label'?",
        ),
        (
            {"task": {"kind": "multi_label", "label_names": "good"}},
            "task.label_names: must be a list, got 'good'",
        ),
        ({"config": {}}, "config.kind: required key is missing"),
        (
            {"config": {"kind": "mean_embedding", "max_lenght": 5}},
            "config.max_lenght: unknown key, did you mean 'max_length'?",
        ),
        (
            {"config": {"kind": "mean_embedding", "max_length": 0}},
            "config.max_length: must be at least 1, got 0",
        ),
    ],
)
def test_a_description_that_is_wrong(refused, student, change, message):
    about = json.loads((student / "model.json").read_text(encoding="utf-8"))
    (student / "model.json").write_text(json.dumps(about | change), encoding="utf-8")
    assert refused("predict", student, "--text", "x") == f"FOLDER/student/model.json: {message}"


def test_a_description_that_lacks_a_key(refused, student):
    about = json.loads((student / "model.json").read_text(encoding="utf-8"))
    del about["role"]
    (student / "model.json").write_text(json.dumps(about), encoding="utf-8")
    assert refused("predict", student, "--text", "x") == (
        "FOLDER/student/model.json: role: required key is missing"
    )


def test_damaged_folders(refused, student):
    (student / "calibration.json").write_text("{}")
    assert refused("predict", student, "--text", "x") == (
        "FOLDER/student/calibration.json: not a calibration that distill wrote ('temperature')"
    )
    (student / "calibration.json").unlink()
    (student / "weights.safetensors").unlink()
    assert refused("predict", student, "--text", "x") == (
        "FOLDER/student: no weights, weights.safetensors is missing"
    )
    (student / "model.json").write_text('{"format')
    assert refused("predict", student, "--text", "x").startswith(
        "FOLDER/student/model.json: cannot be read ("
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "texts.txt: there is no text in it; expected one on each line"),
        (b"\n  \n", "texts.txt: there is no text in it; expected one on each line"),
        (b"fine\ncaf\xe9\n", "texts.txt:2: byte 0xe9 is not valid UTF-8"),
    ],
)
def test_a_file_of_texts_that_cannot_be_read(refused, student, content, message):
    (student.parent / "texts.txt").write_bytes(content)
    assert refused("predict", student, "--file", "texts.txt") == message


def test_places_that_hold_no_texts(refused, student):
    assert refused("predict", student, "--file", "nope.txt") == "nope.txt: no such file"
    assert refused("predict", student, "--file", "reviews") == "reviews: cannot be read (Is a directory)"


def test_a_text_that_is_not_utf_8(refused, student):
    assert refused("predict", student, "--text", "caf\udce9") == "--text: not UTF-8 (character 4)"
