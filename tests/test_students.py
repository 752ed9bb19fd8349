"""The students over word vectors: arithmetic, independence of batch mates, saving, export."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.testing import assert_allclose

from distill.contracts import BuildContext, Task, TextClassifier
from distill.corpus import Corpus, Split
from distill.export import export_onnx
from distill.inference import OnnxModel, predict_logits
from distill.model_folder import read_model, write_model
from distill.trained_model import write_trained_model
from students.bilstm import BiLSTM, reversed_rows
from students.configs import BiLSTMConfig, MeanEmbeddingConfig, TextCNNConfig, WordStudentConfig
from students.embeddings import WordEmbedding, fill_vectors
from students.mean_embedding import MeanEmbedding
from students.pooling import masked_max, masked_mean
from students.textcnn import TextCNN

TASK = Task("multi_label", ("joy", "anger", "fear"))
TEXTS = (
    "I love this film, it is the best film of the year!",
    "I hate this film and I don't care who knows it.",
    "Я люблю этот фильм, он лучший",
    "Я не люблю этот фильм 😡😡",
    "love love love the film, the film of the year",
    "this is it",
)
AWKWARD = ("", "   ", "😂❤️", "unforgettable Неизвестное", "I", "film " * 40, *TEXTS)
SMALL = {"embeddings": {"kind": "random", "dimension": 8, "buckets": 200}, "max_length": 20}
CONFIGS: tuple[WordStudentConfig, ...] = (
    BiLSTMConfig.model_validate(SMALL | {"hidden_size": 6}),
    TextCNNConfig.model_validate(SMALL | {"kernel_sizes": (1, 2, 5), "num_filters": 4}),
    MeanEmbeddingConfig.model_validate(SMALL),
    MeanEmbeddingConfig.model_validate(SMALL | {"hidden_size": 5}),
)
NAMES = ("bilstm", "textcnn", "mean_embedding", "deep_averaging")


def no_memo(name, settings, produce):
    raise AssertionError(f"nothing should be remembered, but {name} is")


def context(texts=TEXTS, memo=no_memo, base_folder=Path()):
    return BuildContext(task=TASK, texts=texts, seed=3, base_folder=base_folder, memo=memo)


def built(config: WordStudentConfig) -> TextClassifier:
    torch.manual_seed(0)
    classifier = config.build(context())
    classifier.network.eval()
    return classifier


def random_ids(lengths, pieces, rows, seed=0):
    """Ids [B, L, G] of texts of these lengths, each word of one to `pieces` rows."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((len(lengths), max(lengths), pieces), dtype=np.int64)
    for text, length in enumerate(lengths):
        for word in range(length):
            count = rng.integers(1, pieces + 1)
            ids[text, word, :count] = rng.integers(1, rows, count)
    return torch.from_numpy(ids)


def filled(words: WordEmbedding) -> WordEmbedding:
    values = np.random.default_rng(1).normal(size=tuple(words.table.weight.shape)).astype(np.float32)
    values[0] = 0
    fill_vectors(words, values)
    return words


def word_vectors(table, ids):
    """Each text's word vectors by loops in float64: a list of [words, D], padding left out."""
    texts = []
    for text in ids:
        vectors = [table[[i for i in word if i]].mean(axis=0) for word in text if any(word)]
        texts.append(np.stack(vectors))
    return texts


def test_a_words_vector_is_the_mean_of_its_rows_and_padding_is_zero_and_masked():
    words = filled(WordEmbedding(30, 7))
    ids = random_ids([4, 1, 3], 5, 30)
    vectors, mask = words(ids)
    table = words.table.weight.detach().double().numpy()
    for text, expected in enumerate(word_vectors(table, ids.tolist())):
        assert_allclose(vectors[text, : len(expected)].detach(), expected, atol=1e-6)
        assert mask[text].tolist() == [True] * len(expected) + [False] * (4 - len(expected))
        assert not vectors[text, len(expected) :].any()


def test_pooling_leaves_padding_out():
    values = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    lengths = [5, 2, 1]
    mask = torch.arange(5).unsqueeze(0) < torch.tensor(lengths).unsqueeze(1)
    mean = masked_mean(torch.from_numpy(values), mask)
    highest = masked_max(torch.from_numpy(values), mask, floor=-100.0)
    for row, length in enumerate(lengths):
        assert_allclose(mean[row], values[row, :length].astype(np.float64).mean(axis=0), atol=1e-6)
        assert_allclose(highest[row], values[row, :length].max(axis=0))


def test_rows_are_reversed_up_to_their_padding():
    values = torch.arange(1.0, 9.0).reshape(2, 4, 1)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    found = reversed_rows(values, mask).squeeze(2)
    assert found[0].tolist() == [4, 3, 2, 1]
    assert found[1, :2].tolist() == [6, 5]


def test_bilstm_equals_torchs_bidirectional_lstm_over_packed_sequences():
    lengths, hidden = [6, 1, 4], 5
    network = BiLSTM(filled(WordEmbedding(30, 7)), hidden, 3, dropout=0.0).eval()
    ids = random_ids(lengths, 3, 30)
    oracle = torch.nn.LSTM(7, hidden, batch_first=True, bidirectional=True)
    weights = {f"{name}": value for name, value in network.ahead.state_dict().items()}
    weights |= {f"{name}_reverse": value for name, value in network.back.state_dict().items()}
    oracle.load_state_dict(weights)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        network.words(ids)[0], torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    states, _ = torch.nn.utils.rnn.pad_packed_sequence(oracle(packed)[0], batch_first=True)
    states = states.detach().double().numpy()
    pooled = [
        np.concatenate([states[row, :length].max(axis=0), states[row, :length].mean(axis=0)])
        for row, length in enumerate(lengths)
    ]
    weight, bias = (p.detach().double().numpy() for p in (network.output.weight, network.output.bias))
    assert_allclose(network(ids).detach(), np.stack(pooled) @ weight.T + bias, atol=1e-6)


def test_textcnn_equals_convolution_by_loops():
    sizes, filters = (1, 3, 5), 4
    network = TextCNN(filled(WordEmbedding(30, 7)), sizes, filters, 3, dropout=0.0).eval()
    ids = random_ids([6, 1, 3], 3, 30)
    table = network.words.table.weight.detach().double().numpy()
    pooled = []
    for vectors in word_vectors(table, ids.tolist()):
        features = []
        for width, layer in zip(sizes, network.filters, strict=True):
            kernel = layer.weight.detach().double().numpy().reshape(filters, width, 7)
            bias = layer.bias.detach().double().numpy()
            padded = np.concatenate([np.zeros((width - 1, 7)), vectors, np.zeros((width - 1, 7))])
            places = range(len(vectors) + width - 1)
            found = [
                [np.sum(kernel[f] * padded[t : t + width]) + bias[f] for f in range(filters)] for t in places
            ]
            features.append(np.maximum(found, 0).max(axis=0))
        pooled.append(np.concatenate(features))
    weight, bias = (p.detach().double().numpy() for p in (network.output.weight, network.output.bias))
    assert_allclose(network(ids).detach(), np.stack(pooled) @ weight.T + bias, atol=1e-5)


def test_mean_embedding_equals_the_mean_by_loops():
    network = MeanEmbedding(filled(WordEmbedding(30, 7)), None, 3, dropout=0.0).eval()
    ids = random_ids([6, 1, 3], 3, 30)
    table = network.words.table.weight.detach().double().numpy()
    means = np.stack([vectors.mean(axis=0) for vectors in word_vectors(table, ids.tolist())])
    weight, bias = (p.detach().double().numpy() for p in (network.output.weight, network.output.bias))
    assert_allclose(network(ids).detach(), means @ weight.T + bias, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_logits_do_not_depend_on_batch_mates(config):
    classifier = built(config)
    together = predict_logits(classifier, AWKWARD, batch_size=len(AWKWARD))
    alone = predict_logits(classifier, AWKWARD, batch_size=1)
    assert together.shape == (len(AWKWARD), 3)
    assert np.isfinite(together).all()
    assert_allclose(together, alone, atol=1e-6)
    assert np.ptp(together, axis=0).min() > 1e-4, "texts differ, so must their logits"


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_every_weight_learns(config):
    classifier = built(config)
    classifier.network.train()
    ids = random_ids([5, 2, 7], 3, classifier.tokenizer.num_rows)
    classifier.network(ids).square().sum().backward()
    for name, parameter in classifier.network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert not classifier.network.words.table.weight.grad[0].any(), "padding stays zero"


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_saved_and_read_back_a_student_answers_the_same(config, tmp_path):
    classifier = built(config)
    write_model(tmp_path, classifier, config, TASK, "student")
    read = read_model(tmp_path)
    assert type(read.config) is type(config)
    again = read.classifier()
    assert again.tokenizer.statistics(AWKWARD) == classifier.tokenizer.statistics(AWKWARD)
    assert np.array_equal(predict_logits(again, AWKWARD), predict_logits(classifier, AWKWARD))
    assert not any("pickle" in p.name or p.suffix in {".pkl", ".pt", ".bin"} for p in tmp_path.iterdir())


@pytest.mark.parametrize("path", ["/far/away/a.vec", "vectors/a.vec", "~/a.vec"])
def test_a_saved_student_names_its_vectors_without_their_path_and_needs_them_no_more(
    tmp_path, monkeypatch, path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = path.replace("/far", str(tmp_path))
    config = MeanEmbeddingConfig.model_validate({"embeddings": {"kind": "file", "path": path}})
    file = config.embeddings.file(tmp_path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("film 1 2\nlove 3 4\n", encoding="utf-8")
    classifier = config.build(context(base_folder=tmp_path))
    expected = predict_logits(classifier, AWKWARD)
    saved = tmp_path / "saved"
    saved.mkdir()
    write_model(saved, classifier, config, TASK, "student")
    file.unlink()
    assert json.loads((saved / "model.json").read_text())["config"]["embeddings"]["path"] == "a.vec"
    assert np.array_equal(predict_logits(read_model(saved).classifier(), AWKWARD), expected)
    assert not [each for each in saved.iterdir() if str(tmp_path).encode() in each.read_bytes()]


def test_coverage_says_that_a_vec_file_has_no_subwords(tmp_path):
    (tmp_path / "a.vec").write_text("film 1 2\nlove 3 4\n", encoding="utf-8")
    split = Split(("1", "2"), ("love this film", "film"), np.zeros((2, 3), dtype=np.float32))
    corpus = Corpus(TASK, split, split, split, split)
    notes = {}
    for embeddings in ({"kind": "file", "path": "a.vec"}, SMALL["embeddings"]):
        config = MeanEmbeddingConfig.model_validate({"embeddings": embeddings})
        folder = tmp_path / config.embeddings.kind
        folder.mkdir()
        classifier = config.build(context(base_folder=tmp_path))
        write_trained_model(folder, classifier, config, corpus, "student", {})
        coverage = json.loads((folder / "coverage.json").read_text(encoding="utf-8"))
        assert set(coverage) == {"train", "test"}
        notes[config.embeddings.kind] = [coverage[name].get("note") for name in ("train", "test")]
    told = "the vectors have no subwords: unknown words fall back to one `unk` vector"
    assert notes == {"file": [told, told], "random": [None, None]}


WHOLE_WORDS = MeanEmbeddingConfig.model_validate(
    SMALL | {"embeddings": {"kind": "random", "dimension": 8, "subwords": False}}
)


@pytest.fixture(scope="module")
def graph_of(tmp_path_factory):
    """Export each student once, for exporting takes seconds."""

    @cache
    def export(config):
        path = tmp_path_factory.mktemp("graph") / "model.onnx"
        export_onnx(built(config), path)
        return path

    return export


@pytest.mark.parametrize("config", [*CONFIGS, WHOLE_WORDS], ids=(*NAMES, "whole_words"))
def test_the_exported_graph_answers_like_pytorch_at_shapes_that_it_has_not_seen(config, graph_of):
    classifier = built(config)
    graph = OnnxModel(classifier.tokenizer, graph_of(config), threads=1)
    for texts in (["I"], [""], ["Неизвестное"], ["film " * 40], AWKWARD, AWKWARD * 5):
        assert_allclose(graph.logits(texts), predict_logits(classifier, texts), atol=1e-5)


def test_the_exported_bilstm_holds_real_lstm_nodes(graph_of):
    nodes = onnx.load(graph_of(CONFIGS[0])).graph.node
    assert [node.op_type for node in nodes].count("LSTM") == 2
    assert not [node for node in nodes if node.op_type in {"Loop", "Scan", "If"}]


def test_frozen_vectors_are_not_trained_but_saved(tmp_path):
    network = TextCNN(WordEmbedding(30, 7, freeze=True), (2,), 4, 3, dropout=0.0)
    assert not network.words.table.weight.requires_grad
    assert "words.table.weight" in network.state_dict()


def test_configs_and_tokenizers_need_neither_torch_nor_gensim(tmp_path):
    classifier = built(CONFIGS[0])
    write_model(tmp_path, classifier, CONFIGS[0], TASK, "student")
    code = (
        "import sys, json; from pathlib import Path; from distill.model_folder import read_model\n"
        "ids = read_model(Path(sys.argv[1])).tokenizer().encode(['I love unseenwords'])[0]['ids']\n"
        "heavy = [m for m in ('torch', 'gensim', 'transformers') if m in sys.modules]\n"
        "print(json.dumps([ids.tolist(), heavy]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    ids, heavy = json.loads(run.stdout)
    assert heavy == []
    assert ids == classifier.tokenizer.encode(["I love unseenwords"])[0]["ids"].tolist()
