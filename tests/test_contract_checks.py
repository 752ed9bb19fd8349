"""The checks that users run on their own classes pass what is right and catch each usual mistake."""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from distill.cli import main
from distill.config.base import ObjectiveConfig, StudentConfig
from distill.config.loading import load_experiment
from distill.config.schema import STUDENTS
from distill.contracts import Task
from distill.model_folder import write_model
from distill.objectives.configs import HardConfig, LogitMSEConfig, SoftTargetConfig
from distill.testing import check_objective, check_student
from distill.testing.examples import TEXTS, context_for
from distill.tokenizer import FastTokenizer

PAGE = (Path(__file__).parents[1] / "docs" / "write-a-student.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder as the page describes it: `my_lab.py` and `experiment.yaml` side by side."""
    (tmp_path / "my_lab.py").write_text(blocks("python")[0], encoding="utf-8")
    (tmp_path / "experiment.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    yield tmp_path
    sys.modules.pop("my_lab", None)


@pytest.fixture
def student(lab, tmp_path):
    """The folder of the page's student, untrained; its class is not imported any more."""
    folder, task = tmp_path / "student", Task("multi_label", ("praise", "complaint"))
    folder.mkdir()
    config = STUDENTS.resolve("my_lab:GatedMeanConfig", beside=lab)()
    with TemporaryDirectory() as scratch:
        classifier = config.build(context_for(task, TEXTS, Path(scratch), lab))
    write_model(folder, classifier, config, task, "student")
    sys.modules.pop("my_lab")
    return folder


def test_the_page_s_student_is_thirty_lines_and_passes_the_page_s_check(lab, monkeypatch):
    student, check = blocks("python")
    assert len([line for line in student.splitlines() if line.strip()]) <= 30
    monkeypatch.syspath_prepend(lab)
    exec(check, {})


def test_the_page_s_experiment_is_valid(lab):
    loaded = load_experiment(lab / "experiment.yaml")
    assert loaded.experiment.students["mine"].model_dump()["hidden_size"] == 32


def test_the_page_s_student_predicts_only_for_those_who_trust_it(lab, student, capsys):
    command = ["predict", str(student), "--text", "What a good day", "--code-folder", str(lab)]
    assert main(command) == 2
    assert "my_lab" not in sys.modules
    assert "if you trust it, say --trust-custom-code" in capsys.readouterr().err
    assert main([*command, "--trust-custom-code"]) == 0
    assert re.match(r"praise 0\.\d{4}  complaint 0\.\d{4}", capsys.readouterr().out)


def test_code_that_fails_while_it_predicts_is_told_in_one_line(lab, student, capsys):
    code = lab / "my_lab.py"
    text = code.read_text(encoding="utf-8")
    begin = "def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:\n"
    assert begin in text
    code.write_text(text.replace(begin, f"{begin}        raise ValueError('no')\n"), encoding="utf-8")
    line = text[: text.index(begin)].count("\n") + 2
    command = ["predict", str(student), "--text", "A good day", "--code-folder", str(lab)]
    assert main([*command, "--trust-custom-code"]) == 2
    assert capsys.readouterr().err == (
        f"{student}: ValueError: no ({code}:{line}, in forward); the checks in distill.testing tell more\n"
    )


# Students, each with one mistake


class Mean(nn.Module):
    """A right one: masked mean, then logits."""

    def __init__(self, vocabulary_size: int, num_labels: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, 4)
        self.output = nn.Linear(4, num_labels)

    def pooled(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1)
        return (self.tokens(input_ids) * mask).sum(1) / mask.sum(1)

    def forward(self, input_ids, attention_mask):
        return self.output(self.pooled(input_ids, attention_mask))


class PaddedMean(Mean):
    def pooled(self, input_ids, attention_mask):
        return self.tokens(input_ids).mean(1)


class BareSqueeze(Mean):
    def forward(self, input_ids, attention_mask):
        return super().forward(input_ids, attention_mask).squeeze()


class OneLogit(Mean):
    def forward(self, input_ids, attention_mask):
        return super().forward(input_ids, attention_mask)[:, :1]


class Doubles(Mean):
    def forward(self, input_ids, attention_mask):
        return super().forward(input_ids, attention_mask).double()


class RestlessDropout(Mean):
    def pooled(self, input_ids, attention_mask):
        return functional.dropout(super().pooled(input_ids, attention_mask), 0.5)


class Unused(Mean):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.spare = nn.Linear(2, 2)


class Detached(Mean):
    def forward(self, input_ids, attention_mask):
        return super().forward(input_ids, attention_mask).detach()


class Frozen(Mean):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.requires_grad_(False)


class NoBuffer(Mean):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.shift = torch.randn(sizes[1])

    def forward(self, input_ids, attention_mask):
        return super().forward(input_ids, attention_mask) + self.shift


class Unseeded(Mean):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.output.bias.data = torch.from_numpy(np.random.default_rng().random(sizes[1])).float()


class OtherName(Mean):
    def forward(self, tokens, attention_mask):
        return super().forward(tokens, attention_mask)


class DividesByZero(Mean):
    def pooled(self, input_ids, attention_mask):
        return super().pooled(input_ids, attention_mask) / (attention_mask.sum(1, keepdim=True) - 3)


class RootOfZero(Mean):
    def pooled(self, input_ids, attention_mask):
        return (super().pooled(input_ids, attention_mask) * 0).sqrt()


class Branches(Mean):
    def forward(self, input_ids, attention_mask):
        logits = super().forward(input_ids, attention_mask)
        return logits * 2 if int(input_ids.sum()) < 0 else logits


class BrokenConfig(StudentConfig):
    kind: str = "tests:BrokenConfig"
    network: ClassVar[type[nn.Module]] = Mean

    def make_network(self, tokenizer, task):
        return self.network(tokenizer.vocabulary_size, task.num_labels)


def config_of(made: type[nn.Module]) -> StudentConfig:
    class Broken(BrokenConfig):
        network: ClassVar[type[nn.Module]] = made

    return Broken()


def complaint(config: StudentConfig) -> str:
    with pytest.raises(AssertionError) as caught:
        check_student(config)
    return str(caught.value)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            PaddedMean,
            r"the logits of '.+' change by \d.\de-0\d with its batch mates; let padding count for nothing",
        ),
        (
            BareSqueeze,
            r"forward\(\) gave \(3,\) for multi_label, not \(1, 3\); return logits \[texts, labels\]",
        ),
        (OneLogit, r"forward\(\) gave \(12, 1\) for multi_label, not \(12, 3\)"),
        (Doubles, r"forward\(\) gave torch.float64; return float32 logits"),
        (
            RestlessDropout,
            "the same batch gets other logits the second time; draw nothing at random in evaluation",
        ),
        (Unused, "no gradient reaches spare.weight; use it in forward"),
        (Detached, "no gradient leaves the logits; neither detach them nor compute them under no_grad"),
        (Frozen, "it has no parameter to train; make at least the output layer's trainable"),
        (
            NoBuffer,
            "its logits differ by .+ after saving and loading; all that forward.. uses must be in config",
        ),
        (
            Unseeded,
            "two builds from the same seed differ in output.bias; draw weights from torch's global generator",
        ),
        (
            OtherName,
            r"forward\(\) failed on 12 texts: TypeError: .*'input_ids'; it is called by name with input",
        ),
        (DividesByZero, r"forward\(\) gave logits that are not finite; look for a division by 0"),
        (RootOfZero, "the gradient of tokens.weight is not finite; look for 0/0, the root of 0"),
        (Branches, "Branches cannot be exported to ONNX: .+; write forward.. in tensor operations"),
    ],
)
def test_each_mistake_of_a_network_is_caught(network, message):
    found = complaint(config_of(network))
    assert found.startswith("Broken: ")
    assert re.search(message, found), found


class NoBuild(BrokenConfig):
    def make_network(self, tokenizer, task):
        raise KeyError("vocabulary")


class Forgetful(BrokenConfig):
    """Learns its vocabulary's size from the texts, but reads another tokenizer back."""

    def load_tokenizer(self, folder):
        return FastTokenizer.train(["other texts"])


class NothingForSome(FastTokenizer):
    def encode(self, texts):
        return [{name: array[3:] for name, array in found.items()} for found in super().encode(texts)]


class OneForAll(FastTokenizer):
    def encode(self, texts):
        return super().encode([" ".join(texts)])


class OtherInputs(FastTokenizer):
    def encode(self, texts):
        return [{"input_ids": found["input_ids"]} for found in super().encode(texts)]


class NeedsTeacher(BrokenConfig):
    @property
    def needs_teacher(self):
        return True


def with_tokenizer(tokenizer: type[FastTokenizer]) -> StudentConfig:
    class Broken(BrokenConfig):
        def make_tokenizer(self, context):
            return tokenizer.train(context.texts)

    return Broken()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (NoBuild(), "NoBuild: it cannot be built: KeyError: 'vocabulary'"),
        (
            Forgetful(),
            (
                "Forgetful: it cannot be saved and loaded again: ModelError: .+; "
                r"override save\(\) together with load_tokenizer\(\) and load_network\(\)"
            ),
        ),
        (
            with_tokenizer(NothingForSome),
            "encode.. gave nothing for '.+'; give an unknown token where nothing is",
        ),
        (with_tokenizer(OneForAll), "encode.. gave 1 encodings for 12 texts; give one for each"),
        (
            with_tokenizer(OtherInputs),
            "encode.. gave input_ids, but input_names says input_ids, attention_mask; let them agree",
        ),
        (NeedsTeacher(), "NeedsTeacher: it needs a trained teacher; pass check_student a teacher_folder"),
    ],
)
def test_each_mistake_of_a_config_or_tokenizer_is_caught(config, message):
    assert re.search(message, complaint(config))


# Objectives


@pytest.mark.parametrize(
    "config",
    [
        HardConfig(),
        HardConfig(class_weights="balanced"),
        SoftTargetConfig(),
        SoftTargetConfig(soft_weight=0),
        SoftTargetConfig(soft_weight=1),
        LogitMSEConfig(),
    ],
)
def test_built_in_objectives_keep_the_contract(config):
    check_objective(config)


def bce(logits, targets, reduction="sum"):
    known = ~targets.labels.isnan()
    return functional.binary_cross_entropy_with_logits(
        logits[known], targets.labels[known], reduction=reduction
    )


def clamped(logits, targets):
    labels, known = targets.labels.nan_to_num(), ~targets.labels.isnan()
    q = logits.sigmoid()
    return -(known * (labels * q.log() + (1 - labels) * (1 - q).log())).sum()


def by_parity(logits, targets):
    weights = torch.arange(len(logits)).remainder(2).unsqueeze(1) + 1.0
    return (weights * logits**2).sum()


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (
            lambda s, t: {"loss": bce(s, t, "mean")},
            "a batch's loss is .+, but its parts add up to .+; sum over rows",
        ),
        (
            lambda s, t: {"loss": by_parity(s, t)},
            "the loss depends on the order of rows; treat every row alike",
        ),
        (
            lambda s, t: {"loss": functional.binary_cross_entropy_with_logits(s, t.labels, reduction="sum")},
            "a batch's loss is nan",
        ),
        (
            lambda s, t: {"loss": clamped(s, t)},
            "its loss or gradient is not finite for logits of 10,000; mask unknown",
        ),
        (
            lambda s, t: {"hard_loss": bce(s, t)},
            "it gave the terms hard_loss; call the one to minimise `loss`",
        ),
        (lambda s, t: {"loss": bce(s, t).detach()}, "no gradient reaches the student's logits"),
        (
            lambda s, t: {"loss": bce(s, t), "rows": 12},
            "the term rows is no float32 scalar; sum over rows and labels",
        ),
        (lambda s, t: {"loss": bce(s, t).double()}, "the term loss is no float32 scalar"),
        (
            lambda s, t: {"loss": (s - t.teacher_logits).square().sum()},
            r"it failed on a batch \(needs_soft_targets is false, so teacher_logits is None\): TypeError",
        ),
    ],
)
def test_each_mistake_of_an_objective_is_caught(objective, message):
    class Broken(ObjectiveConfig):
        kind: str = "tests:Broken"
        tasks: ClassVar = frozenset({"multi_label"})
        needs_soft_targets: ClassVar[bool] = False

        def build(self, task, label_counts):
            return objective

    with pytest.raises(AssertionError) as caught:
        check_objective(Broken())
    assert str(caught.value).startswith("Broken: ")
    assert re.search(message, str(caught.value)), str(caught.value)


def test_an_objective_that_serves_nothing():
    class Broken(ObjectiveConfig):
        kind: str = "tests:Broken"
        tasks: ClassVar = frozenset()

    with pytest.raises(AssertionError, match=r"^Broken: it serves no kind of task; name some in `tasks`$"):
        check_objective(Broken())
