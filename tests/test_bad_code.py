"""A user's own class that fails, through the command line: named in one line with its place, never a traceback."""

import itertools

import pytest

from distill.cli import main
from distill.config.base import StudentConfig
from distill.contracts import Task, TextClassifier
from distill.model_folder import write_model
from distill.tokenizer import FastTokenizer

NUMBERS = itertools.count()
STUDENT = """
import os, signal, sys
import torch
from torch import nn
from distill.config.base import StudentConfig

class Mine(StudentConfig):
    kind: str = "{module}:Mine"
    {config}

class Network(nn.Module):
    def __init__(self, tokens, labels):
        super().__init__()
        self.tokens, self.output = nn.Embedding(tokens, 4), nn.Linear(4, labels)

    def forward(self, input_ids, attention_mask):
        {forward}
"""
MAKES = "def make_network(self, tokenizer, task): return Network(tokenizer.vocabulary_size, task.num_labels)"
MEAN = "{kind: mean_embedding, embeddings: {kind: random, dimension: 16, min_count: 1}}"


@pytest.fixture
def use(experiment_file):
    """Put a module of this content beside the experiment, and its class in the place of a student."""

    def use(content, **parts):
        module = f"lab{next(NUMBERS)}"
        text = content.format(module=module, **parts)
        (experiment_file.parent / f"{module}.py").write_text(text, encoding="utf-8")
        experiment = experiment_file.read_text(encoding="utf-8")
        assert MEAN in experiment
        experiment = experiment.replace(MEAN, f"{{kind: '{module}:Mine'}}")
        experiment_file.write_text(experiment, encoding="utf-8")
        return module

    return use


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("raise RuntimeError('first\\nsecond')", "RuntimeError: first"),
        ("def (:", "SyntaxError: invalid syntax ({module}.py, line 1)"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
        (
            "import no_such_module",
            "no module named 'no_such_module' among the installed packages or beside the "
            "experiment file in FOLDER",
        ),
        ("Main = int", "module '{module}' has no 'Mine', did you mean 'Main'?"),
    ],
)
def test_a_class_that_cannot_be_imported(refused, use, content, reason):
    module = use(content)
    assert refused("validate", "reviews.yaml") == (
        f"reviews.yaml:9: students.mean.kind: cannot import student '{module}:Mine': {reason.format(module=module)}"
    )


RUN = ("run", "reviews.yaml", "--only", "mean/supervised/*")
WHO = "student mean/supervised/seed0"


@pytest.mark.parametrize(
    ("forward", "found"),
    [
        ("return self.output(self.tokens(input_ids)).sum(1).mean(0)", "(2,)"),
        ("return self.output(self.tokens(input_ids)).mean(1)[:, :1]", "(32, 1)"),
        ("return dict(logits=self.output(self.tokens(input_ids)).mean(1))", "dict"),
    ],
)
def test_logits_of_the_wrong_shape(refused, use, forward, found):
    use(STUDENT, config=MAKES, forward=forward)
    assert refused(*RUN) == (
        f"{WHO}: forward() gave {found} for multi_label, not (32, 2); "
        "return logits [texts, labels], for one text too (no bare squeeze())"
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("depth: int = 1", "Mine must define make_network(tokenizer, task)"),
        (
            "def make_network(self, tokenizer, task): return {}['x']",
            "KeyError: 'x' (FOLDER/{module}.py:9, in make_network); the checks in distill.testing tell more",
        ),
        (MAKES, "ValueError (FOLDER/{module}.py:17, in forward); the checks in distill.testing tell more"),
    ],
)
def test_code_that_raises(refused, use, config, message):
    module = use(STUDENT, config=config, forward="raise ValueError")
    assert refused(*RUN) == f"{WHO}: {message.replace('{module}', module)}"


TOKENIZES = """
    def load_tokenizer(self, folder):
        if sys.argv[0].endswith('memory.py'): raise ValueError('no\\nroom')
        return super().load_tokenizer(folder)
"""
MEASURES = """
    def load_network(self, folder, tokenizer, task):
        if sys._getframe(2).f_code.co_name == 'count_parameters': raise ValueError
        return super().load_network(folder, tokenizer, task)
"""


@pytest.mark.parametrize(
    ("config", "forward", "message"),
    [
        (
            "",
            "if 'TOKENIZERS_PARALLELISM' in os.environ: raise ValueError('no\\ntime')",
            "speed of mean: ValueError: no (FOLDER/{}.py:18, in forward)",
        ),
        (TOKENIZES, "", "peak memory of mean: ValueError: no (FOLDER/{}.py:12, in load_tokenizer)"),
        (MEASURES, "", "size of mean: ValueError (FOLDER/{}.py:12, in load_network)"),
    ],
)
def test_code_that_raises_for_the_first_time_when_it_is_measured(
    refused, use, monkeypatch, config, forward, message
):
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    forward = f"{forward}\n        return self.output(self.tokens(input_ids)).mean(1)"
    module = use(STUDENT, config=f"{MAKES}\n{config}", forward=forward)
    assert refused(*RUN) == f"{message.format(module)}; the checks in distill.testing tell more"


SAVES = """
    def save(self, classifier, folder):
        try:
            os.kill(os.getpid(), signal.{signal})
            for _ in range(1000): pass
        except {caught}:
            {after}
        super().save(classifier, folder)
"""


@pytest.mark.parametrize(
    ("signal", "caught", "after"),
    [
        ("SIGTERM", "KeyError", "pass"),
        ("SIGINT", "Exception", "pass"),
        ("SIGINT", "BaseException", "pass"),
        ("SIGTERM", "BaseException", "raise ValueError"),
    ],
)
def test_a_stop_is_a_stop_whatever_the_code_makes_of_it(
    experiment_file, use, monkeypatch, capsys, signal, caught, after
):
    config = MAKES + SAVES.format(signal=signal, caught=caught, after=after)
    use(STUDENT, config=config, forward="return self.output(self.tokens(input_ids)).mean(1)")
    monkeypatch.chdir(experiment_file.parent)
    assert main([*RUN]) == 143
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "distill: stopped; give the same command again to go on"
    assert "Traceback" not in err
    assert not list(experiment_file.parent.glob(".distill/results/student/*"))


class Lab(StudentConfig):
    """A student that does not come with distill."""

    kind: str = "test_bad_code:Lab"

    def make_network(self, tokenizer, task):
        from torch import nn

        return nn.Linear(1, task.num_labels)


def test_a_folder_that_names_somebodys_code_is_not_trusted(refused, tmp_path):
    folder, task = tmp_path / "student", Task("multi_label", ("good", "bad"))
    folder.mkdir()
    tokenizer = FastTokenizer.train(["a text"])
    write_model(
        folder, TextClassifier(tokenizer, Lab().make_network(tokenizer, task)), Lab(), task, "student"
    )
    assert refused("predict", folder, "--text", "x") == (
        "FOLDER/student: the model is made by code that is not part of distill ('test_bad_code:Lab'); "
        "if you trust it, say --trust-custom-code (trust_custom_code=True)"
    )
