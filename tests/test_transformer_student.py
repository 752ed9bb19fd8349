"""The transformer student: which layers it keeps, what it copies, what it refuses."""

import itertools
import math
from pathlib import Path

import pytest
import tiny_transformers as tiny
import torch
from numpy.testing import assert_allclose
from pydantic import ValidationError

from distill.contracts import BuildContext, Task
from distill.errors import ModelError
from distill.inference import predict_logits
from distill.model_folder import read_model, write_model
from distill.testing import check_student
from students.configs import TransformerStudentConfig
from students.transformer import pick_layers
from teachers.configs import TransformerTeacherConfig

TASK = Task("multi_label", ("joy", "anger", "fear"))


def context(base_folder=Path(), teacher_folder=None):
    return BuildContext(TASK, tiny.TEXTS, 0, base_folder, None, teacher_folder)


@pytest.fixture
def teacher(tmp_path):
    """A trained teacher's folder: six layers, and its head."""
    weights = tiny.write_bert(tmp_path / "weights", TASK.label_names, layers=6)
    config = TransformerTeacherConfig(weights=str(weights), max_length=17)
    folder = tmp_path / "teacher"
    folder.mkdir()
    write_model(folder, config.build(context()), config, TASK, "teacher")
    return folder


@pytest.mark.parametrize(
    ("depth", "kept", "layers"),
    [
        (12, 6, (0, 2, 4, 7, 9, 11)),  # DistilBERT's own choice
        (6, 3, (0, 2, 5)),
        (6, 6, (0, 1, 2, 3, 4, 5)),
        (6, 1, (0,)),
        (1, 1, (0,)),
        (2, 2, (0, 1)),
    ],
)
def test_layers_are_picked_evenly(depth, kept, layers):
    assert pick_layers(depth, kept) == layers


def test_picked_layers_are_distinct_sorted_and_reach_both_ends():
    for depth in range(2, 30):
        for kept in range(2, depth + 1):
            layers = pick_layers(depth, kept)
            assert sorted(set(layers)) == list(layers)
            assert (layers[0], layers[-1], len(layers)) == (0, depth - 1, kept)
            gaps = [b - a for a, b in itertools.pairwise(layers)]
            assert max(gaps) <= math.ceil((depth - 1) / (kept - 1))


def test_more_layers_than_there_are(teacher):
    with pytest.raises(ModelError) as caught:
        TransformerStudentConfig(initialise_from="fine_tuned", num_layers=7).build(
            context(teacher_folder=teacher)
        )
    assert str(caught.value) == "num_layers: 7 layers cannot be kept of a model that has 6"


def test_random_has_the_size_that_was_asked_for():
    config = TransformerStudentConfig(
        num_layers=3, hidden_size=24, num_heads=3, vocabulary_size=60, max_length=9
    )
    classifier = config.build(context())
    architecture = classifier.network.model.config
    assert (architecture.num_hidden_layers, architecture.hidden_size, architecture.num_attention_heads) == (
        3,
        24,
        3,
    )
    assert (architecture.intermediate_size, architecture.max_position_embeddings) == (96, 9)
    assert architecture.vocab_size == classifier.tokenizer.vocabulary_size <= 60
    assert max(len(e["input_ids"]) for e in classifier.tokenizer.encode(tiny.TEXTS)) == 9


def test_random_is_the_same_for_the_same_seed():
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        weights.append(TransformerStudentConfig(hidden_size=8).build(context()).network.state_dict())
    first, same, other = weights
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_half_depth_copies_every_other_layer_and_the_head(teacher):
    torch.manual_seed(5)
    classifier = TransformerStudentConfig(initialise_from="fine_tuned").build(context(teacher_folder=teacher))
    mine, source = classifier.network.state_dict(), read_model(teacher).classifier().network.state_dict()
    assert classifier.network.model.config.num_hidden_layers == 3
    for new, old in enumerate((0, 2, 5)):
        layer = f"model.bert.encoder.layer.{new}."
        names = [name for name in mine if name.startswith(layer)]
        assert len(names) == 16
        for name in names:
            assert torch.equal(mine[name], source[name.replace(f"layer.{new}.", f"layer.{old}.")])
    others = [name for name in mine if ".layer." not in name]
    assert "model.classifier.weight" in others
    assert all(torch.equal(mine[name], source[name]) for name in others)
    assert classifier.tokenizer.max_length == 17


def test_all_layers_of_the_teacher_are_the_teacher(teacher):
    config = TransformerStudentConfig(initialise_from="fine_tuned", num_layers=6, dropout=0.3)
    classifier = config.build(context(teacher_folder=teacher))
    expected = predict_logits(read_model(teacher).classifier(), tiny.TEXTS)
    assert_allclose(predict_logits(classifier, tiny.TEXTS), expected, atol=1e-6)
    assert classifier.network.model.config.hidden_dropout_prob == 0.3


def test_half_depth_of_a_teacher_whose_padding_is_one(tmp_path):
    weights = tiny.write_padded_with_one(tmp_path / "mpnet", "mpnet", TASK.label_names)
    config = TransformerTeacherConfig(weights=str(weights))
    write_model(tmp_path, config.build(context()), config, TASK, "teacher")
    classifier = TransformerStudentConfig(initialise_from="fine_tuned").build(
        context(teacher_folder=tmp_path)
    )
    assert classifier.network.model.config.num_hidden_layers == 1
    together = predict_logits(classifier, tiny.TEXTS)
    assert_allclose(predict_logits(classifier, tiny.TEXTS, batch_size=1), together, atol=1e-5)


def test_pretrained_keeps_layers_of_weights_and_their_tokenizer(tmp_path):
    folder = tiny.write_bert(tmp_path / "bert", None, layers=4)
    config = TransformerStudentConfig(
        initialise_from="pretrained", weights="bert", num_layers=2, max_length=20
    )
    classifier = config.build(context(tmp_path))
    full = TransformerTeacherConfig(weights=str(folder)).build(context()).network.state_dict()
    mine = classifier.network.state_dict()
    last = "model.bert.encoder.layer.{}.output.dense.weight"
    assert torch.equal(mine[last.format(1)], full[last.format(3)])
    assert (classifier.tokenizer.max_length, classifier.tokenizer.vocabulary["[CLS]"]) == (20, 2)
    read = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    assert sorted(config.content_files(tmp_path)) == [f"weights/{name}" for name in read]


@pytest.mark.parametrize("start", ["random", "fine_tuned", "pretrained"])
def test_saved_and_loaded_it_answers_alike(tmp_path, teacher, start):
    knobs = {"random": {"hidden_size": 16}, "pretrained": {"weights": "weights", "num_layers": 2}}.get(
        start, {}
    )
    config = TransformerStudentConfig(initialise_from=start, **knobs)
    classifier = config.build(context(tmp_path, teacher))
    (tmp_path / "student").mkdir()
    write_model(tmp_path / "student", classifier, config, TASK, "student")
    again = read_model(tmp_path / "student")
    assert again.config == config
    assert_allclose(
        predict_logits(again.classifier(), tiny.TEXTS), predict_logits(classifier, tiny.TEXTS), rtol=0
    )


def test_what_is_left_out_is_in_the_fingerprint():
    assert (
        TransformerStudentConfig().pinned()
        == TransformerStudentConfig(
            num_layers=2,
            hidden_size=128,
            num_heads=2,
            intermediate_size=512,
            vocabulary_size=8000,
            max_length=128,
        ).pinned()
    )
    assert TransformerStudentConfig().pinned()["intermediate_size"] == 512


def test_only_fine_tuned_needs_the_teacher():
    assert TransformerStudentConfig(initialise_from="fine_tuned").needs_teacher
    assert not TransformerStudentConfig(initialise_from="pretrained", weights="x").needs_teacher
    assert not TransformerStudentConfig().needs_teacher


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (
            {"initialise_from": "pretrained"},
            "weights and initialise_from: pretrained belong together; name both or neither",
        ),
        ({"weights": "x"}, "weights and initialise_from: pretrained belong together; name both or neither"),
        (
            {"initialise_from": "fine_tuned", "hidden_size": 64, "max_length": 64},
            "hidden_size, max_length: what layers are copied from decides this; leave it out",
        ),
        (
            {"initialise_from": "pretrained", "weights": "x", "vocabulary_size": 64},
            "vocabulary_size: what layers are copied from decides this; leave it out",
        ),
        ({"hidden_size": 100, "num_heads": 3}, "num_heads (3) must divide hidden_size (100)"),
    ],
)
def test_knobs_that_contradict_each_other(knobs, message):
    with pytest.raises(ValidationError) as caught:
        TransformerStudentConfig(**knobs)
    (only,) = caught.value.errors()
    assert only["msg"].removeprefix("Value error, ") == message


def test_a_teacher_that_is_no_transformer(tmp_path):
    with pytest.raises(ModelError) as caught:
        TransformerStudentConfig(initialise_from="fine_tuned").build(context(teacher_folder=tmp_path))
    assert str(caught.value) == f"{tmp_path}: not a transformer, it has no architecture.json"


def test_the_contract_holds():
    check_student(TransformerStudentConfig(hidden_size=16, num_layers=1))
