"""The linear teacher against scikit-learn: features, logits, probabilities."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydantic import ValidationError
from scipy.sparse import hstack
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from distill.contracts import BuildContext, Task
from distill.corpus import Split
from distill.errors import DataError, ModelError
from distill.inference import predict_logits
from distill.model_folder import read_model, write_model
from distill.testing import check_teacher
from teachers.configs import LinearConfig
from teachers.linear import feature_matrix
from teachers.tfidf import TfidfTokenizer, Vectoriser

TRAIN = (
    "I love this film, I really do!",
    "I don't love  this film;\tI hate it.",
    "naïve café STRASSE straße İstanbul",
    "a b c d a b c",
    "The film is the film is the film.",
    "love_love 123 4.5 @you",
    "Я люблю этот фильм",
    "Я не люблю этот фильм, и никто не любит",
)
NEW = ("", "?!", "🙂", "A film that nobody does love.", "ЛЮБЛЮ!", "x", "\u00a0love\u2003film\n", *TRAIN)


def vectorisers(**knobs):
    """Scikit-learn's idea of the two kinds of feature, fitted."""
    both = ({"ngram_range": (1, 2)}, {"analyzer": "char_wb", "ngram_range": (2, 5)})
    return [TfidfVectorizer(sublinear_tf=True, **kind, **knobs).fit(TRAIN) for kind in both]


def ours(min_texts=1, max_features=None) -> TfidfTokenizer:
    kinds = (("words", (1, 2)), ("characters", (2, 5)))
    return TfidfTokenizer([Vectoriser.fit(name, n, TRAIN, min_texts, max_features) for name, n in kinds])


def fitted(task: Task, labels, **knobs):
    split = Split(tuple(map(str, range(len(TRAIN)))), TRAIN, labels)
    return LinearConfig(**knobs).fit(BuildContext(task, TRAIN, 0, Path(), None), split, split)


def sklearn_features(texts):
    return hstack([vectoriser.transform(texts) for vectoriser in vectorisers(min_df=2)]).tocsr()


@pytest.mark.parametrize("min_texts", [1, 2])
def test_features_are_those_of_scikit_learn(min_texts):
    tokenizer, oracles = ours(min_texts), vectorisers(min_df=min_texts)
    for found, oracle in zip(tokenizer.vectorisers, oracles, strict=True):
        assert dict(found.vocabulary) == oracle.vocabulary_
        assert_allclose(found.idf, oracle.idf_, rtol=1e-12)
    expected = hstack([oracle.transform(NEW) for oracle in oracles]).toarray()
    assert_allclose(feature_matrix(tokenizer, NEW).toarray(), expected, atol=1e-6)


def test_max_features_keeps_the_most_frequent():
    for found, oracle in zip(ours(max_features=2).vectorisers, vectorisers(max_features=2), strict=True):
        assert dict(found.vocabulary) == oracle.vocabulary_


def test_multi_label_logits_are_scikit_learn_s_on_the_known_rows():
    generator = np.random.default_rng(0)
    labels = (generator.random((len(TRAIN), 3)) < 0.5).astype(np.float32)
    labels[0, 0] = labels[3, 0] = labels[5, 2] = np.nan
    found = predict_logits(fitted(Task("multi_label", ("a", "b", "c")), labels), NEW)
    train, new = sklearn_features(TRAIN), sklearn_features(NEW)
    for i in range(3):
        known = ~np.isnan(labels[:, i])
        assert len(set(labels[known, i])) == 2
        oracle = LogisticRegression(C=3, solver="liblinear").fit(train[known], labels[known, i])
        assert_allclose(found[:, i], oracle.decision_function(new), atol=1e-4)


@pytest.mark.parametrize("classes", [2, 3])
def test_single_label_logits_are_multinomial(classes):
    labels = np.array([0, 1, 2, 0, 1, 2, -1, 1]) % (classes + 1 if classes == 2 else 4)
    labels = np.where(np.arange(len(TRAIN)) == 6, -1, labels % classes).astype(np.int64)
    classifier = fitted(Task("single_label", tuple("abc"[:classes])), labels, inverse_regularisation=1.5)
    found = predict_logits(classifier, NEW)
    known = labels >= 0
    oracle = LogisticRegression(C=1.5, max_iter=1000).fit(sklearn_features(TRAIN)[known], labels[known])
    assert_allclose(softmax(found, axis=1), oracle.predict_proba(sklearn_features(NEW)), atol=1e-5)
    if classes == 3:
        assert_allclose(found, oracle.decision_function(sklearn_features(NEW)), atol=1e-4)


def test_a_label_that_is_known_with_one_value_only_gets_its_smoothed_odds():
    labels = np.tile(np.array([1, 0], np.float32), (len(TRAIN), 1)).repeat(2, axis=1)
    labels[:, 2] = np.nan
    labels[::2, 3] = 1
    labels[:5, 0] = np.nan
    found = predict_logits(fitted(Task("multi_label", tuple("abcd")), labels), NEW)
    assert_allclose(found[:, 0], np.log(4 / 1), rtol=1e-6)  # three texts, all positive
    assert_allclose(found[:, 1], np.log(9 / 1), rtol=1e-6)  # eight, all positive
    assert_allclose(found[:, 2], 0)  # none known
    assert found[:, 3].std() > 0.01


def test_a_class_without_a_text():
    labels = np.array([0, 1, 0, 1, 0, 1, 0, -1])
    with pytest.raises(DataError) as caught:
        fitted(Task("single_label", ("a", "b", "c", "d")), labels)
    assert str(caught.value) == "train: no text of class c, d, so that nothing can be fitted to it"


def test_no_frequent_feature():
    with pytest.raises(DataError) as caught:
        fitted(Task("multi_label", ("a",)), np.ones((len(TRAIN), 1), np.float32), min_texts=9)
    assert str(caught.value) == "train: no word or character n-gram occurs in 9 texts (min_texts)"


def test_saved_and_loaded_it_answers_alike(tmp_path):
    task, config = Task("multi_label", ("a", "b")), LinearConfig()
    labels = np.stack([np.arange(8) % 2, np.arange(8) // 4], 1).astype(np.float32)
    classifier = fitted(task, labels)
    write_model(tmp_path, classifier, config, task, "teacher")
    again = read_model(tmp_path).classifier()
    assert_allclose(predict_logits(again, NEW), predict_logits(classifier, NEW), rtol=0)
    names = {"model.json", "weights.safetensors", "tfidf.json", "idf.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_its_tokenizer_loads_without_torch_and_scikit_learn(tmp_path):
    ours().save(tmp_path)
    code = (
        "import sys, pathlib; from teachers.configs import LinearConfig; "
        f"tokenizer = LinearConfig().load_tokenizer(pathlib.Path({str(tmp_path)!r})); "
        "print(len(tokenizer.encode(['a film'])), "
        "[m for m in ('torch', 'sklearn', 'pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "1 []\n"


def test_damaged_features(tmp_path):
    ours().save(tmp_path)
    (tmp_path / "idf.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=f"^{tmp_path}: no usable TF-IDF features"):
        TfidfTokenizer.load(tmp_path)


def test_coverage_counts_words():
    statistics = ours(min_texts=2).statistics(["I love the unseen film"])
    assert (statistics.tokens, statistics.unknown_tokens, statistics.truncated_texts) == (4, 2, 0)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"fine_tune": False}, "fine_tune: false is for weights that are taken as they are; linear has none"),
        ({"word_ngrams": [2, 1]}, "must be the fewest and the most, as [1, 2], got [2, 1]"),
        ({"character_ngrams": [0, 2]}, "must be the fewest and the most, as [1, 2], got [0, 2]"),
    ],
)
def test_knobs_that_make_no_sense(knobs, message):
    with pytest.raises(ValidationError) as caught:
        LinearConfig(**knobs)
    assert caught.value.errors()[0]["msg"].removeprefix("Value error, ") == message


def test_the_contract_holds():
    check_teacher(LinearConfig())
