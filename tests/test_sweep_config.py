"""The section `sweep`: every value is tried when the file is read, and what agents share cannot be swept."""

import textwrap
from pathlib import Path

import pytest
from test_config import GOOD, mistakes

from distill.config.json_schema import experiment_schema
from distill.config.loading import load_experiment
from distill.config.sweep import RangeConfig
from distill.dashboard.sweep_settings import wandb_parameters


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write an experiment with a sweep, its first line number 18, and step beside it."""
    monkeypatch.chdir(tmp_path)

    def write(sweep, experiment=GOOD):
        Path("e.yaml").write_text(experiment + textwrap.dedent(sweep), encoding="utf-8")
        return Path("e.yaml")

    return write


SWEEP = """\
    sweep:
      method: bayes
      runs: 20
      student: cnn
      parameters:
        students.cnn.num_filters: {min: 50, max: 200}
        students.cnn.kernel_sizes: [[2, 3], [3, 4, 5]]
        students.cnn.training.learning_rate: {min: 1e-4, max: 1e-2, scale: log}
        objectives.kd.temperature: {min: 1.0, max: 8}
    """


def test_a_sweep_is_read(write):
    sweep = load_experiment(write(SWEEP)).experiment.sweep
    assert (sweep.method, sweep.metric, sweep.runs, sweep.student) == ("bayes", "validation", 20, "cnn")
    assert sweep.parameters["students.cnn.kernel_sizes"] == ([2, 3], [3, 4, 5])
    filters = sweep.parameters["students.cnn.num_filters"]
    assert filters == RangeConfig(min=50, max=200)
    assert filters.is_whole
    assert not sweep.parameters["objectives.kd.temperature"].is_whole
    assert sweep.exactly("students.cnn.num_filters", 120.0) == 120
    assert sweep.exactly("objectives.kd.temperature", 4.0) == 4.0


def test_without_a_section_there_is_no_sweep(write):
    assert load_experiment(write("")).experiment.sweep is None


def test_a_grid_is_the_default(write):
    sweep = load_experiment(write("sweep: {parameters: {seeds: [[0], [1]]}}")).experiment.sweep
    assert (sweep.method, sweep.runs) == ("grid", None)


def test_whole_numbers_and_scales_reach_wandb(write):
    experiment = load_experiment(
        write(
            """\
        sweep:
          method: random
          runs: 1
          parameters:
            students.cnn.num_filters: {min: 8, max: 64}
            students.cnn.embeddings.dimension: {min: 8, max: 512, scale: log}
            students.cnn.dropout: {min: 0.1, max: 0.5}
            students.cnn.training.learning_rate: {min: 1e-4, max: 1e-2, scale: log}
            students.cnn.kernel_sizes: [[2], [2, 3]]
        """,
            GOOD.replace("cnn: {kind: textcnn}", "cnn: {kind: textcnn, embeddings: {kind: random}}"),
        )
    ).experiment
    assert wandb_parameters(experiment.sweep) == {
        "students.cnn.num_filters": {"distribution": "int_uniform", "min": 8, "max": 64},
        "students.cnn.embeddings.dimension": {
            "distribution": "q_log_uniform_values",
            "q": 1,
            "min": 8,
            "max": 512,
        },
        "students.cnn.dropout": {"distribution": "uniform", "min": 0.1, "max": 0.5},
        "students.cnn.training.learning_rate": {
            "distribution": "log_uniform_values",
            "min": 1e-4,
            "max": 1e-2,
        },
        "students.cnn.kernel_sizes": {"values": [[2], [2, 3]]},
    }


def test_all_mistakes_of_values_are_told_at_once(write):
    file = write("""\
        sweep:
          method: random
          runs: 3
          parameters:
            students.cnn.num_filtrs: [50, 100]
            students.cn.num_filters: [50]
            students.cnn.dropout: {min: 0.5, max: 1.5}
            students.cnn.num_filters:
              - 50
              - many
            objectives.kd: [{kind: soft_target, temperatur: 2}]
            trainin.batch_size: [1]
            training.learning_rate: [1e-3, 1e-4]
            training.batch_size: [16, 32]
            name: [a, b]
            data.text: [a]
            teacher.training.max_epochs: [1, 2]
            runtime.threads: [1, 2]
            sweep.runs: [1, 2]
        """)
    at = "e.yaml:{}: sweep.parameters.{}: {}".format
    shared = (
        "would change the teacher's training too, and agents share one teacher; "
        "sweep students.NAME.{0}, or set teacher.{0}"
    )
    assert mistakes(file) == [
        at(22, "students.cnn.num_filtrs", "unknown key, did you mean 'num_filters'?"),
        at(23, "students.cn.num_filters", "no 'cn' in students, did you mean 'cnn'?"),
        at(24, "students.cnn.dropout", "must be less than 1.0, got 1.5"),
        at(25, "students.cnn.num_filters", "must be a whole number, got 'many'"),
        at(28, "objectives.kd", "objectives.kd.temperatur: unknown key, did you mean 'temperature'?"),
        at(29, "trainin.batch_size", "unknown key 'trainin', did you mean 'training'?"),
        at(31, "training.batch_size", shared.format("training.batch_size")),
        at(32, "name", "'name' cannot be swept: agents find each other's results under it"),
        at(
            33,
            "data.text",
            "'data' cannot be swept: agents share one data set; write an experiment file for each",
        ),
        at(
            34,
            "teacher.training.max_epochs",
            "'teacher' cannot be swept: agents share one teacher; write an experiment file for each",
        ),
        at(
            35,
            "runtime.threads",
            "'runtime' cannot be swept: it says how one machine computes; give it to `distill sweep` with --set",
        ),
        at(36, "sweep.runs", "'sweep' cannot be swept: a sweep cannot change itself"),
    ], "the teacher has a learning rate of its own, so that this may be swept"


def test_a_teacher_that_is_not_trained_step_by_step_leaves_training_free(write):
    linear = GOOD.replace(GOOD[GOOD.index("teacher:") : GOOD.index("students:")], "teacher: {kind: linear}\n")
    assert load_experiment(write("sweep: {parameters: {training.batch_size: [16, 32]}}", linear))


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("{}", "18: sweep.parameters: required key is missing"),
        ("{parameters: {}}", "18: sweep.parameters: must not be empty"),
        ("{parameters: {seeds: []}}", "18: sweep.parameters.seeds: must not be empty"),
        (
            "{parameters: {seeds: 1}}",
            "18: sweep.parameters.seeds: must be a list of values, or a range such as {min: 1, max: 8}, got 1",
        ),
        (
            "{method: greed, parameters: {seeds: [[0]]}}",
            "18: sweep.method: must be 'grid', 'random' or 'bayes', got 'greed', did you mean 'grid'?",
        ),
        (
            "{metric: test, parameters: {seeds: [[0]]}}",
            "18: sweep.metric: must be 'validation': what test has chosen, test can no longer judge; got 'test'",
        ),
        (
            "{parameters: {students.cnn.dropout: {min: 0.1, max: 0.2}}}",
            "18: sweep.parameters.students.cnn.dropout: a range goes with method random or bayes; "
            "a grid needs a list of values",
        ),
        (
            "{method: bayes, parameters: {seeds: [[0]]}}",
            "18: sweep.runs: required key is missing: bayes never ends by itself",
        ),
        (
            "{method: bayes, runs: 2, parameters: {students.cnn.dropout: {min: 0.2, max: 0.1}}}",
            "18: sweep.parameters.students.cnn.dropout: min must be less than max, got 0.2 and 0.1",
        ),
        (
            "{method: bayes, runs: 2, parameters: {students.cnn.dropout: {min: 0, max: 0.1, scale: log}}}",
            "18: sweep.parameters.students.cnn.dropout.min: must be greater than 0 with scale: log, got 0",
        ),
        (
            "{method: bayes, runs: 2, parameters: {students.cnn.dropout: {min: low, max: 0.1}}}",
            "18: sweep.parameters.students.cnn.dropout.min: must be a number, got 'low'",
        ),
        (
            "{method: bayes, runs: 2, parameters: {students.cnn.dropout: {min: 0.1, max: 0.2, step: 0.1}}}",
            "18: sweep.parameters.students.cnn.dropout.step: unknown key (known: min, max, scale)",
        ),
        (
            "{student: cn, parameters: {seeds: [[0]]}}",
            "18: sweep.student: no 'cn' in students, did you mean 'cnn'?",
        ),
        (
            "{objective: kt, parameters: {seeds: [[0]]}}",
            "18: sweep.objective: no 'kt' in objectives (known: supervised, kd)",
        ),
        (
            "{run: 2, parameters: {seeds: [[0]]}}",
            "18: sweep.run: unknown key, did you mean 'runs'?",
        ),
    ],
)
def test_a_mistake_in_the_section(write, sweep, message):
    assert mistakes(write(f"sweep: {sweep}")) == [f"e.yaml:{message}"]


def test_the_schema_shows_the_section():
    schema = experiment_schema()
    assert schema["properties"]["sweep"]["anyOf"][0] == {"$ref": "#/$defs/SweepConfig"}
    section = schema["$defs"]["SweepConfig"]
    assert set(section["properties"]) == {"method", "metric", "runs", "student", "objective", "parameters"}
    assert {"$ref": "#/$defs/RangeConfig"} in section["properties"]["parameters"]["additionalProperties"][
        "anyOf"
    ]
    assert "maximised" in section["properties"]["metric"]["description"]
