"""A fast tokenizer that every model can use: a thin, saved-with-the-model wrapper of Hugging Face `tokenizers`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from distill.contracts import Batch, Encoding, TokenStatistics
from distill.errors import ModelError
from distill.word_pieces import learn_word_pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer as RustTokenizer

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"


class FastTokenizer:
    """Gives `input_ids` and `attention_mask`, both int64 of shape [tokens].

    The attention mask is left out where the model does not want it: `input_names` says so.
    """

    FILE = "tokenizer.json"
    SETTINGS = "tokenizer_settings.json"

    def __init__(
        self,
        rust: RustTokenizer,
        *,
        max_length: int,
        pad_id: int = 0,
        unknown_id: int | None = None,
        input_names: Sequence[str] = ("input_ids", "attention_mask"),
    ) -> None:
        rust.no_padding()
        rust.enable_truncation(max_length)
        self._rust = rust
        self.max_length = max_length
        self.pad_id = pad_id
        self.unknown_id = unknown_id
        self.input_names = tuple(input_names)

    @property
    def vocabulary_size(self) -> int:
        """The number of token ids, padding and special tokens included."""
        return self._rust.get_vocab_size()

    @property
    def vocabulary(self) -> dict[str, int]:
        """Token -> id."""
        return self._rust.get_vocab()

    @property
    def pad_values(self) -> Mapping[str, float]:
        """Padding is the model's pad token, and 0 in the mask."""
        return {"input_ids": self.pad_id}

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Tokenise each text; a text without any known character becomes one unknown token."""
        wanted = self.input_names
        encodings: list[Encoding] = []
        for found in self._rust.encode_batch_fast(list(texts)):
            ids = np.asarray(found.ids or [self._fallback_id], dtype=np.int64)
            arrays = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
            encodings.append({name: arrays[name] for name in wanted})
        return encodings

    @property
    def _fallback_id(self) -> int:
        return self.pad_id if self.unknown_id is None else self.unknown_id

    def statistics(self, texts: Sequence[str]) -> TokenStatistics:
        """Count tokens before truncation, unknown ones among them, and texts longer than `max_length`."""
        self._rust.no_truncation()
        try:
            lengths, unknown = [], 0
            for found in self._rust.encode_batch_fast(list(texts)):
                lengths.append(len(found.ids))
                unknown += sum(1 for i in found.ids if i == self.unknown_id)
        finally:
            self._rust.enable_truncation(self.max_length)
        cut = sum(1 for length in lengths if length > self.max_length)
        return TokenStatistics(len(texts), sum(lengths), unknown, cut)

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` and its settings."""
        self._rust.save(str(folder / self.FILE))
        settings = {
            "max_length": self.max_length,
            "pad_id": self.pad_id,
            "unknown_id": self.unknown_id,
            "input_names": list(self.input_names),
        }
        (folder / self.SETTINGS).write_text(json.dumps(settings, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> FastTokenizer:
        """Read what `save` wrote.

        Raises:
            ModelError: a file is missing or not a tokenizer.
        """
        from tokenizers import Tokenizer as RustTokenizer

        try:
            rust = RustTokenizer.from_file(str(folder / cls.FILE))
            settings = json.loads((folder / cls.SETTINGS).read_text(encoding="utf-8"))
        except Exception as error:  # the Rust side raises plain Exception
            raise ModelError(f"{folder}: no usable tokenizer ({error})") from error
        return cls(rust, **settings)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        model: Literal["word", "wordpiece"] = "wordpiece",
        vocabulary_size: int = 8000,
        min_frequency: int = 2,
        max_length: int = 128,
        lowercase: bool = True,
        input_names: Sequence[str] = ("input_ids", "attention_mask"),
    ) -> FastTokenizer:
        """Learn a vocabulary from texts; the same texts give the same vocabulary.

        Args:
            texts: the texts that a student may read: never validation or test.
            model: whole words, or BERT's word pieces with [CLS] and [SEP] around a text.
            vocabulary_size: the most tokens to keep, the four special ones included.
            min_frequency: a rarer word or piece is left out.
            max_length: the most tokens of a text, special ones included.
            lowercase: fold case (accents are kept: they tell words apart in many languages).
            input_names: which arrays the network wants.
        """
        from tokenizers import Tokenizer as RustTokenizer
        from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

        special = [PAD, UNKNOWN, START, END]
        rust = RustTokenizer(models.WordLevel(unk_token=UNKNOWN))
        rust.normalizer = normalizers.Sequence([normalizers.NFC(), *[normalizers.Lowercase()] * lowercase])
        rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        if model == "word":
            trainer = trainers.WordLevelTrainer(
                vocab_size=vocabulary_size,
                min_frequency=min_frequency,
                special_tokens=special,
                show_progress=False,
            )
            rust.train_from_iterator(texts, trainer)
        else:
            pieces = learn_word_pieces(
                rust, texts, vocabulary_size=vocabulary_size, min_frequency=min_frequency, special=special
            )
            rust.model = models.WordPiece(pieces, unk_token=UNKNOWN)
            rust.add_special_tokens(special)
            rust.post_processor = processors.TemplateProcessing(
                single=f"{START} $A {END}",
                special_tokens=[(START, special.index(START)), (END, special.index(END))],
            )
        return cls(
            rust,
            max_length=max_length,
            pad_id=special.index(PAD),
            unknown_id=special.index(UNKNOWN),
            input_names=input_names,
        )


def collate(encodings: Sequence[Encoding], pad_values: Mapping[str, float]) -> Batch:
    """Pad encodings to one batch: arrays of shape [texts, most tokens, ...]."""
    batch: Batch = {}
    for name, first in encodings[0].items():
        rows = [encoding[name] for encoding in encodings]
        shape = tuple(max(sizes) for sizes in zip(*(row.shape for row in rows), strict=True))
        padded = np.full((len(rows), *shape), pad_values.get(name, 0), dtype=first.dtype)
        for index, row in enumerate(rows):
            place: tuple[int | slice, ...] = (index, *(slice(0, size) for size in row.shape))
            padded[place] = row
        batch[name] = padded
    return batch
