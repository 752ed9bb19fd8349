from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from measuring import TEXTS, LSTMClassifier, small_tokenizer
from torch import nn

from distill.contracts import TextClassifier
from distill.errors import ModelError
from distill.export import OPSET, export_onnx, tracing
from distill.inference import OnnxModel, predict_logits

LONG = "and so it went on, for many more words than anybody had asked for, " * 2


@pytest.fixture(scope="module")
def tokenizer():
    return small_tokenizer()


def test_an_lstm_exports_again_and_again_with_any_batch_and_length(tokenizer, tmp_path):
    """PyTorch 2.13 fixes the length of every LSTM but the first that a process exports."""
    for number in range(2):
        tracing._GRAPHS.clear()
        torch.manual_seed(number)
        classifier = TextClassifier(tokenizer, LSTMClassifier(tokenizer.vocabulary_size))
        path = tmp_path / f"{number}.onnx"
        export_onnx(classifier, path)
        graph = OnnxModel(tokenizer, path, threads=1)
        for texts in (["no"], [LONG], [*TEXTS, LONG, *TEXTS]):
            np.testing.assert_allclose(graph.logits(texts), predict_logits(classifier, texts), atol=1e-5)
    model = onnx.load(path)
    assert "LSTM" in {node.op_type for node in model.graph.node}  # not a loop over its steps, which is slow
    assert [(found.domain, found.version) for found in model.opset_import] == [("", OPSET)]
    assert [value.name for value in model.graph.input] == ["input_ids", "attention_mask"]
    assert [value.name for value in model.graph.output] == ["logits"]
    for value in model.graph.input:
        assert [dim.dim_param for dim in value.type.tensor_type.shape.dim] == ["batch", "length"]


def test_the_graph_is_one_file_that_names_no_path_and_training_mode_is_kept(tokenizer, tmp_path):
    network = LSTMClassifier(tokenizer.vocabulary_size).train()
    export_onnx(TextClassifier(tokenizer, network), tmp_path / "model.onnx", TEXTS)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    content = (tmp_path / "model.onnx").read_bytes()
    assert b".py" not in content
    assert b"stack_trace" not in content
    assert network.training


def test_one_architecture_is_traced_once(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(tracing, "_GRAPHS", {})
    contents = []
    for name in ("first", "again", "fresh"):
        torch.manual_seed(1 if name == "first" else 2)
        classifier = TextClassifier(tokenizer, LSTMClassifier(tokenizer.vocabulary_size))
        if name == "again":
            monkeypatch.setattr(torch.onnx, "export", None)  # would fail if it were called
        if name == "fresh":
            monkeypatch.undo()
            monkeypatch.setattr(tracing, "_GRAPHS", {})
        export_onnx(classifier, tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] != contents[1] == contents[2]


class Scaled(nn.Module):
    """Keeps a setting where neither its weights nor its `repr` show it."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.words = nn.Embedding(200, 3)

    def forward(self, input_ids, attention_mask):
        return (self.words(input_ids) * attention_mask.unsqueeze(-1)).sum(1) * self.scale


def test_a_graph_that_only_looks_alike_is_traced_anew(tokenizer, tmp_path):
    for scale in (1.0, 3.0):
        classifier = TextClassifier(tokenizer, Scaled(scale))
        export_onnx(classifier, tmp_path / "model.onnx")
        found = OnnxModel(tokenizer, tmp_path / "model.onnx").logits(TEXTS)
        np.testing.assert_allclose(found, predict_logits(classifier, TEXTS), atol=1e-5)


class Forgetful(nn.Module):
    """Does something else while it is traced."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(200, 3)

    def forward(self, input_ids, attention_mask):
        scale = 2.0 if torch.compiler.is_exporting() else 1.0
        return (self.words(input_ids) * attention_mask.unsqueeze(-1)).sum(1) * scale


def test_a_graph_that_answers_differently_is_refused(tokenizer, tmp_path):
    with pytest.raises(ModelError) as error:
        export_onnx(TextClassifier(tokenizer, Forgetful()), tmp_path / "model.onnx")
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'model.onnx'}: the ONNX graph and the network differ by ")
    assert message.endswith(
        " of the largest logit, and at most 1e-04 is rounding; does forward() depend on Python values?"
    )


class Broken(nn.Module):
    def forward(self, input_ids, attention_mask):
        raise RuntimeError("this network has no idea")


def test_a_network_that_cannot_be_traced_is_named(tokenizer, tmp_path):
    with pytest.raises(ModelError) as error:
        export_onnx(TextClassifier(tokenizer, Broken()), tmp_path / "model.onnx")
    assert str(error.value) == "Broken cannot be exported to ONNX: this network has no idea"
