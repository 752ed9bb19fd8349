"""The fast tokenizer: the same vocabulary in every process, padding, truncation, what is not known."""

import json
import subprocess
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import models, normalizers, pre_tokenizers, trainers

from distill.errors import ModelError
from distill.tokenizer import FastTokenizer, collate

TEXTS = [
    f"{w} {v}ing the café, привет {w}{v} 😀😀!"
    for w in ("help", "hold", "tea", "rain")
    for v in ("run", "sing", "do")
]
LEARN = """
import json, sys
from distill.tokenizer import FastTokenizer
texts = json.loads(sys.stdin.read())
found = FastTokenizer.train(texts, model=sys.argv[1], vocabulary_size=120, min_frequency=1)
print(json.dumps(found.vocabulary, sort_keys=True))
"""


@pytest.mark.parametrize("model", ["wordpiece", "word"])
def test_two_processes_learn_the_same_vocabulary(model):
    told = [
        subprocess.run(
            [sys.executable, "-c", LEARN, model],
            input=json.dumps(TEXTS),
            capture_output=True,
            text=True,
            check=True,
        )
        for _ in range(4)
    ]
    assert len({process.stdout for process in told}) == 1
    assert len(json.loads(told[0].stdout)) > 25


def test_word_pieces_are_those_of_the_usual_trainer():
    """Where no two counts are equal there is one answer, and the usual trainer gives it too."""
    texts = ["aab " * 9 + "ab " * 5 + "abc " * 3]
    usual = RustTokenizer(models.WordPiece(unk_token="[UNK]"))
    usual.normalizer, usual.pre_tokenizer = normalizers.NFC(), pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    usual.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=40, min_frequency=1, special_tokens=special, show_progress=False
        ),
    )
    ours = FastTokenizer.train(texts, vocabulary_size=40, min_frequency=1)
    extra = {"b", "c"}  # the usual trainer adds every letter as the beginning of a word, too
    assert set(usual.get_vocab()) - set(ours.vocabulary) <= extra
    assert set(ours.vocabulary) <= set(usual.get_vocab())


def test_every_text_gets_ids_between_start_and_end():
    tokenizer = FastTokenizer.train(TEXTS, vocabulary_size=120, min_frequency=1, max_length=6)
    vocabulary = tokenizer.vocabulary
    encodings = tokenizer.encode(["help the rain, help the rain", "", "𠀀𠀀"])
    assert [len(e["input_ids"]) for e in encodings] == [6, 2, 3]
    for encoding in encodings:
        assert encoding["input_ids"][0] == vocabulary["[CLS]"]
        assert encoding["input_ids"][-1] == vocabulary["[SEP]"]
        assert encoding["attention_mask"].all()
    assert encodings[2]["input_ids"][1] == vocabulary["[UNK]"]


def test_statistics_count_unknown_and_truncated():
    tokenizer = FastTokenizer.train(["tea rain tea rain"], model="word", max_length=3)
    found = tokenizer.statistics(["tea rain tea rain", "tea bus", ""])
    assert (found.texts, found.tokens, found.unknown_tokens, found.truncated_texts) == (3, 6, 1, 1)
    assert found.truncation_rate == pytest.approx(1 / 3)
    assert found.out_of_vocabulary_rate == pytest.approx(1 / 6)


def test_collate_pads_every_dimension():
    rows = [{"ids": np.ones((2, 1), dtype=np.int64)}, {"ids": np.full((1, 3), 2)}]
    padded = collate(rows, {"ids": 9})["ids"]
    np.testing.assert_array_equal(padded, [[[1, 9, 9], [1, 9, 9]], [[2, 2, 2], [9, 9, 9]]])


def test_save_and_load(tmp_path):
    tokenizer = FastTokenizer.train(TEXTS, vocabulary_size=120, min_frequency=1, max_length=6)
    tokenizer.save(tmp_path)
    again = FastTokenizer.load(tmp_path)
    for ours, theirs in zip(tokenizer.encode(TEXTS), again.encode(TEXTS), strict=True):
        np.testing.assert_array_equal(ours["input_ids"], theirs["input_ids"])
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="no usable tokenizer"):
        FastTokenizer.load(tmp_path)
