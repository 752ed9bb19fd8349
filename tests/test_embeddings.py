"""Word vectors and the tokenizer of their rows: trained, from files and random, with gensim as the oracle."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gensim.models import FastText
from gensim.models.fasttext import FastTextKeyedVectors, ft_ngram_hashes, save_facebook_model
from numpy.testing import assert_allclose
from pydantic import TypeAdapter, ValidationError
from test_students import TASK, TEXTS, context

from distill.errors import DataError, ModelError
from students.configs import MeanEmbeddingConfig
from students.embedding_configs import Embeddings, FileEmbeddings
from students.fasttext import train
from students.ngrams import Ngrams, ngram_hashes
from students.subwords import SubwordTokenizer
from students.words import FIRST_WORD, UNKNOWN, WordSplitter, count_words, frequent_words

WORDS = ("film", "фильм", "don't", "i", "!", "😡", "naïve", "unforgettable", "日本語", "a" * 40)
SPLITTER = WordSplitter()


def student(**embeddings):
    return MeanEmbeddingConfig.model_validate({"embeddings": embeddings})


def remember_in(folder):
    """Return a memo that keeps each result in a folder of its own, and the calls that it saw."""
    calls = []

    def memo(name, settings, produce):
        target = folder / f"{name}-{abs(hash(json.dumps(settings, sort_keys=True)))}"
        calls.append(target.exists())
        if not target.exists():
            target.mkdir()
            produce(target)
        return target

    return memo, calls


def vector(tokenizer, values, word):
    """What the network makes of one word: the mean of the rows that the tokenizer names."""
    (ids,) = tokenizer.encode([word])[0]["ids"]
    return values[ids[ids != 0]].mean(axis=0)


def table(classifier):
    return classifier.network.words.table.weight.detach().numpy()


# words


def test_words_are_cut_at_signs_and_white_space_and_folded():
    text = "I DON'T like  it!!\n❤️👍🏽 Привет, e\u0301tude [NAME] it\u2019s 10%"
    words = "i don't like it ! ! ❤️ 👍 🏽 привет , étude [ name ] it\u2019s 10 %"
    assert SPLITTER.split(text) == words.split()
    assert WordSplitter(lowercase=False).split("It IS") == ["It", "IS"]
    assert SPLITTER.split("") == SPLITTER.split(" \n\t") == []


def test_words_are_ranked_by_count_then_alphabet_and_limited():
    counts = count_words(["b a b", "c a d", "e"], SPLITTER)
    assert frequent_words(counts) == ("a", "b", "c", "d", "e")
    assert frequent_words(counts, at_most=3) == ("a", "b", "c")
    assert frequent_words(counts, min_count=2) == ("a", "b")


# n-grams


@pytest.mark.parametrize(("min_n", "max_n"), [(3, 6), (1, 4), (2, 2), (5, 30)])
@pytest.mark.parametrize("word", WORDS)
def test_ngrams_and_hashes_are_fasttexts(word, min_n, max_n):
    assert [value % 20011 for _, value in ngram_hashes(word, min_n, max_n)] == ft_ngram_hashes(
        word, min_n, max_n, 20011
    )


def test_only_the_buckets_of_the_most_words_are_kept():
    ngrams = Ngrams.of_words(["abc", "abd", "abe"], min_n=3, max_n=3, buckets=10**6, at_most=1)
    (bucket,) = ngrams.kept
    assert bucket == ft_ngram_hashes("a", 2, 2, 10**6)[0] or bucket == ft_ngram_hashes("ab", 3, 3, 10**6)[0]
    assert ngrams.places("abz", at_most=9) == [0]
    assert ngrams.places("xyz", at_most=9) == []


def test_a_long_word_keeps_its_short_ngrams():
    word = "unforgettable"
    every = Ngrams.of_words([word], min_n=3, max_n=5, buckets=2**31)
    short = Ngrams.of_words([word], min_n=3, max_n=3, buckets=2**31)
    kept = every.places(word, at_most=13)
    assert len(every.places(word, at_most=99)) == 13 + 12 + 11
    assert {every.kept[place] for place in kept} == set(short.kept)


# the tokenizer


def tokenizer(max_length=10, max_subwords=20, ngrams=True, words=("film", "the")):
    found = Ngrams.of_words(["film", "films", "фильм"], min_n=3, max_n=4, buckets=1000) if ngrams else None
    return SubwordTokenizer(
        SPLITTER, words, found, dimension=4, max_length=max_length, max_subwords=max_subwords
    )


def test_known_words_are_one_row_and_unknown_words_their_ngrams():
    found = tokenizer()
    ids = found.encode(["The films film"])[0]["ids"]
    assert ids.dtype == np.int64
    assert ids[0].tolist() == [FIRST_WORD + 1] + [0] * (ids.shape[1] - 1)
    assert ids[2].tolist() == [FIRST_WORD] + [0] * (ids.shape[1] - 1)
    hashes = ft_ngram_hashes("films", 3, 4, 1000)
    assert ids[1].tolist() == [FIRST_WORD + 2 + found.ngrams.kept.index(value) for value in hashes]
    assert found.num_rows == FIRST_WORD + 2 + len(found.ngrams.kept)


@pytest.mark.parametrize("text", ["", "   ", "😂", "zzz"])
def test_a_text_without_anything_known_is_one_unknown_word(text):
    assert tokenizer().encode([text])[0]["ids"].tolist() == [[UNKNOWN]]


def test_texts_are_truncated_and_counted():
    found = tokenizer(max_length=3)
    assert len(found.encode(["film the film the film"])[0]["ids"]) == 3
    statistics = found.statistics(["film the film the films", "the film", ""])
    assert (statistics.texts, statistics.tokens, statistics.truncated_texts) == (3, 7, 1)
    assert statistics.unknown_tokens == 1
    assert statistics.out_of_vocabulary_rate == pytest.approx(1 / 7)


def test_subwords_of_a_word_are_limited():
    assert tokenizer(max_subwords=2).encode(["films"])[0]["ids"].shape == (1, 2)


def test_remembering_unknown_words_is_bounded(monkeypatch):
    monkeypatch.setattr("students.subwords.MAX_REMEMBERED", 3)
    found = tokenizer()
    for text in ("filmy filma filme", "filmo filmu", "filmy"):
        assert np.array_equal(found.encode([text])[0]["ids"], tokenizer().encode([text])[0]["ids"])
    assert len(found._remembered) <= 3


@pytest.mark.parametrize("ngrams", [True, False])
def test_a_saved_tokenizer_reads_back_the_same(tmp_path, ngrams):
    before = tokenizer(ngrams=ngrams)
    before.save(tmp_path)
    after = SubwordTokenizer.load(tmp_path)
    for text in ("The films", "", "фильмы 😂"):
        assert np.array_equal(before.encode([text])[0]["ids"], after.encode([text])[0]["ids"])
    assert (after.num_rows, after.dimension, after.words) == (before.num_rows, 4, before.words)
    assert after.has_subwords is ngrams


def test_a_damaged_tokenizer_is_named(tmp_path):
    tokenizer().save(tmp_path)
    (tmp_path / "subwords.json").write_text("{")
    with pytest.raises(ModelError, match=rf"^{tmp_path}: no usable tokenizer \(Expecting property name"):
        SubwordTokenizer.load(tmp_path)


# fastText, trained here

TRAINED = {
    "kind": "fasttext",
    "dimension": 12,
    "buckets": 300,
    "min_n": 3,
    "max_n": 4,
    "epochs": 3,
    "min_count": 2,
}


def fasttext_config(**changes):
    return TypeAdapter(Embeddings).validate_python(TRAINED | changes)


def gensim_model(texts, config):
    """Train with gensim alone, its own vocabulary and ranking, words in the order that ours come in."""
    counts = count_words(texts, SPLITTER)
    words = [word for word, count in counts.most_common() if count >= config.min_count]
    ranked = sorted(words, key=lambda word: (-counts[word], word))
    model = FastText(
        sg=1, vector_size=config.dimension, alpha=config.learning_rate, window=config.window, min_count=1,
        min_n=config.min_n, max_n=config.max_n, bucket=config.buckets, workers=1, seed=0, sorted_vocab=0,
    )  # fmt: skip
    model.build_vocab_from_freq({word: counts[word] for word in ranked}, corpus_count=len(texts))
    model.train([SPLITTER.split(text) for text in texts], total_examples=len(texts), epochs=config.epochs)
    return model


def test_trained_vectors_of_known_and_unknown_words_are_gensims(tmp_path):
    memo, _ = remember_in(tmp_path)
    classifier = student(**TRAINED).build(context(memo=memo))
    oracle = gensim_model(TEXTS, fasttext_config()).wv
    values = table(classifier)
    for word in ("film", "фильм", "love"):
        assert word in oracle.key_to_index
        assert_allclose(vector(classifier.tokenizer, values, word), oracle[word], atol=1e-6)
    for word in ("hate", "knows", "лучший"):  # in the texts, but too rare for a row
        assert word not in oracle.key_to_index
        assert classifier.tokenizer.encode([word])[0]["ids"].shape[1] > 1
        assert_allclose(vector(classifier.tokenizer, values, word), oracle[word], atol=1e-6)


def test_training_makes_words_alike_that_stand_in_like_places(tmp_path):
    texts = [f"{animal} {act} here" for animal in ("cats", "dogs") for act in ("eat", "sleep", "run")] * 60
    texts += [
        f"{metal} {act} there" for metal in ("iron", "zinc") for act in ("melts", "rusts", "bends")
    ] * 60
    found = train(fasttext_config(epochs=20), texts, SPLITTER)
    rows = {word: found.values[FIRST_WORD + row] for row, word in enumerate(found.words)}

    def likeness(one, other):
        return rows[one] @ rows[other] / np.linalg.norm(rows[one]) / np.linalg.norm(rows[other])

    assert likeness("cats", "dogs") > max(likeness("cats", "zinc"), likeness("cats", "iron"))
    assert likeness("iron", "zinc") > max(likeness("iron", "dogs"), likeness("iron", "cats"))


def test_training_is_bit_identical_in_processes_with_different_hash_seeds(tmp_path):
    code = (
        "import sys, hashlib; from pydantic import TypeAdapter; from students.embedding_configs import Embeddings\n"
        "from students.fasttext import train; from students.words import WordSplitter\n"
        "config = TypeAdapter(Embeddings).validate_python({'kind': 'fasttext', 'dimension': 50})\n"
        "texts = [f'word{i % 50} другое{i % 7} word{i % 13} end' for i in range(3000)]\n"
        "found = train(config, texts, WordSplitter())\n"
        "print(found.values.shape, hashlib.sha256(found.values.tobytes()).hexdigest(), found.words[:9])"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, timeout=120, env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(answers) == 1, answers


def test_trained_vectors_are_shared_between_runs_unless_a_setting_changes_them(tmp_path):
    memo, found_before = remember_in(tmp_path)
    first = student(**TRAINED).build(context(memo=memo))
    again = student(**TRAINED, freeze=True, max_subwords=2).build(context(memo=memo))
    student(**TRAINED | {"window": 2}).build(context(memo=memo))
    assert found_before == [False, True, False]
    assert np.array_equal(table(first), table(again))
    assert not any(path.suffix in {".pkl", ".pickle"} for path in tmp_path.rglob("*"))


def test_rows_are_limited_to_what_occurs_and_to_the_limits(tmp_path):
    found = train(fasttext_config(vocabulary_size=3, buckets=50), TEXTS, SPLITTER)
    assert len(found.words) == 3
    assert len(found.ngrams.kept) <= 50
    assert found.values.shape == (FIRST_WORD + 3 + len(found.ngrams.kept), 12)
    sparse = train(fasttext_config(buckets=2_000_000), TEXTS, SPLITTER)
    assert len(sparse.ngrams.kept) < 500


def test_texts_without_a_frequent_word_are_an_error():
    with pytest.raises(DataError) as caught:
        train(fasttext_config(min_count=3), ["one two", "three", ""], SPLITTER)
    assert str(caught.value) == (
        "embeddings.min_count: no word of the training texts occurs 3 times; lower it"
    )


# files


@pytest.fixture(scope="module")
def facebook(tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "model.bin"
    model = gensim_model([*TEXTS, "other words words that no text of ours has other"], fasttext_config())
    save_facebook_model(model, str(path))
    return path, model.wv


def from_file(path, **settings):
    return student(kind="file", path=path.name, **settings).build(context(base_folder=path.parent))


def test_a_facebook_model_gives_gensims_vectors(facebook):
    path, oracle = facebook
    assert isinstance(oracle, FastTextKeyedVectors)
    classifier = from_file(path)
    values = table(classifier)
    assert "other" not in classifier.tokenizer.words, "only what the texts need"
    for word in ("film", "фильм", "hate", "лучший", "best"):
        assert_allclose(vector(classifier.tokenizer, values, word), oracle[word], atol=1e-6)


def test_a_facebook_model_is_cut_down_to_the_limits(facebook):
    classifier = from_file(facebook[0], max_ngrams=7, vocabulary_size=2)
    assert len(classifier.tokenizer.words) == 2
    assert len(classifier.tokenizer.ngrams.kept) == 7
    assert table(classifier).shape == (FIRST_WORD + 2 + 7, 12)


VECTORS = {"film": [1.0, 2.0, 3.0], "love": [3.0, 4.0, -5.0], "фильм": [0.5, 0.0, 1e-3]}
LINES = "".join(f"{word} {' '.join(map(str, values))}\n" for word, values in VECTORS.items())


@pytest.mark.parametrize("name", ["a.vec", "a.txt", "a.vec.gz"])
@pytest.mark.parametrize("header", ["", "3 3\n"])
def test_vectors_from_text_have_no_subwords(tmp_path, name, header):
    content = (header + LINES + "unused 1 2 3\nfilm 9 9 9\n. . . 1 2 3\n").encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    classifier = from_file(tmp_path / name)
    values = table(classifier)
    assert not classifier.tokenizer.has_subwords
    assert classifier.tokenizer.words == ("film", "love", "фильм")
    for word, expected in VECTORS.items():
        assert_allclose(vector(classifier.tokenizer, values, word), expected, rtol=1e-6)
    assert classifier.tokenizer.encode(["films"])[0]["ids"].tolist() == [[UNKNOWN]]
    assert_allclose(values[UNKNOWN], np.mean(list(VECTORS.values()), axis=0), rtol=1e-6)
    assert classifier.tokenizer.statistics(["love films"]).out_of_vocabulary_rate == 0.5


NONE = "holds none of the 27 words of the training texts; is it of another language, or written in capitals?"
NO_BIN = "not a fastText .bin model of words, or cut short"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.vec", b"film 1 2\nlove 1\n", ":2: 1 numbers after the word, but 2 are expected"),
        ("a.vec", b"film 1 two\n", ":1: not a number (could not convert string to float: b'two')"),
        ("a.vec", b"FILM 1 2\n", f": {NONE}"),
        ("a.vec.gz", b"film 1 2\n", ": cannot be read (Not a gzipped file (b'fi'))"),
        ("a.bin.gz", b"", ": unpack it first (gunzip), so that it can be read in place"),
        ("a.bin", b"", f": {NO_BIN} (cannot mmap an empty file)"),
        ("a.bin", b"0" * 200, f": {NO_BIN} (it does not begin with fastText's mark)"),
    ],
)
def test_unusable_files_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        from_file(path)
    assert str(caught.value) == f"{path}{message}"


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.999])
def test_a_facebook_model_that_is_cut_short_is_named(facebook, tmp_path, share):
    content = facebook[0].read_bytes()
    matrix_end = len(content) - 4 * 12 * len(facebook[1].key_to_index) - 17  # the output matrix is not needed
    path = tmp_path / "cut.bin"
    path.write_bytes(content[: int(matrix_end * share)])
    with pytest.raises(DataError, match=rf"^{path}: not a fastText .bin model of words, or cut short"):
        from_file(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError) as caught:
        from_file(tmp_path / "gone.vec")
    assert str(caught.value) == f"embeddings.path: no file {tmp_path / 'gone.vec'}"


def test_a_file_enters_fingerprints_by_content_and_not_by_path(tmp_path):
    config = student(kind="file", path="vectors/a.vec")
    assert config.content_files(tmp_path) == {"embeddings": tmp_path / "vectors/a.vec"}
    assert "vectors" not in json.dumps(config.pinned())
    assert config.pinned()["embeddings"]["kind"] == "file"
    assert student(kind="random").content_files(tmp_path) == {}
    assert student(kind="file", path="/far/a.vec").content_files(tmp_path) == {
        "embeddings": Path("/far/a.vec")
    }


# random, and the configuration


def test_random_vectors_follow_the_seed_and_start_small():
    one, same = (table(student(kind="random").build(context())) for _ in range(2))
    assert np.array_equal(one, same)
    assert not one[0].any()
    assert 0.2 < np.abs(one).max() <= 0.25
    other = student(kind="random").build(type(context())(TASK, TEXTS, 4, Path(), context().memo))
    assert not np.array_equal(one, table(other))


def test_whole_words_only_share_one_unknown_row():
    classifier = student(kind="random", subwords=False).build(context())
    assert classifier.tokenizer.encode(["nowhere seen"])[0]["ids"].tolist() == [[UNKNOWN], [UNKNOWN]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "random", "freeze": True}, "Input should be False"),
        ({"kind": "fasttext", "min_n": 4, "max_n": 3}, "max_n (3) must not be smaller than min_n (4)"),
        ({"kind": "fasttext", "buckets": 3_000_000}, "Input should be less than or equal to 2000000"),
        ({"kind": "file"}, "Field required"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValidationError) as caught:
        student(**settings)
    assert message in str(caught.value)


def test_file_paths_start_at_the_experiment_file(tmp_path):
    config = FileEmbeddings(path="sub/a.vec")
    assert config.file(tmp_path) == tmp_path / "sub" / "a.vec"
