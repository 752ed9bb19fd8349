"""Folders of weights as transformers itself writes them, small enough for a test."""

from pathlib import Path

import torch
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

TEXTS = (
    "I like this film and I would see it",
    "what a very good day it was, the one of the year",
    "no",
    "you do not like the year of the film and I do not see what you like",
    "Unbekannt!",
)
WORDS = sorted({word for text in TEXTS[:-1] for word in text.lower().replace(",", "").split()})
BERT_SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
ROBERTA_SPECIAL = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
"""Special tokens by role, in the order of their ids."""
SIZES = {
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 40,
    "max_position_embeddings": 130,
    "initializer_range": 0.3,  # ten times the usual, so that logits differ from text to text
}


def write_tokenizer(folder: Path, special: dict[str, str]) -> None:
    """Write a tokenizer that knows the special tokens and `WORDS`."""
    vocabulary = {token: i for i, token in enumerate([*special.values(), *WORDS])}
    start, end = special["cls_token"], special["sep_token"]
    rust = RustTokenizer(models.WordLevel(vocabulary, unk_token=special["unk_token"]))
    rust.normalizer = normalizers.Lowercase()
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, vocabulary[start]), (end, vocabulary[end])]
    )
    found = PreTrainedTokenizerFast(tokenizer_object=rust, model_max_length=128, **special)
    found.save_pretrained(folder)


def write_bert(folder: Path, labels=("joy", "anger", "fear"), layers: int = 2, seed: int = 0) -> Path:
    """Write a BERT with a head for `labels`, or without any head for None."""
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=len(BERT_SPECIAL) + len(WORDS), num_hidden_layers=layers, **SIZES)
    if labels is not None:
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: i for i, name in enumerate(labels)}
    model = BertForMaskedLM(config) if labels is None else BertForSequenceClassification(config)
    model.save_pretrained(folder)
    write_tokenizer(folder, BERT_SPECIAL)
    return folder


def write_padded_with_one(folder: Path, family: str, labels=("joy", "anger", "fear")) -> Path:
    """Write a RoBERTa or MPNet: its padding id is 1, and positions count from there."""
    torch.manual_seed(0)
    kinds = {
        "roberta": (RobertaConfig, RobertaForSequenceClassification),
        "mpnet": (MPNetConfig, MPNetForSequenceClassification),
    }
    make_config, make_model = kinds[family]
    config = make_config(
        vocab_size=len(ROBERTA_SPECIAL) + len(WORDS),
        num_hidden_layers=2,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        id2label=dict(enumerate(labels)),
        label2id={name: i for i, name in enumerate(labels)},
        **SIZES,
    )
    make_model(config).save_pretrained(folder)
    write_tokenizer(folder, ROBERTA_SPECIAL)
    return folder


def write(folder: Path, family: str, labels=("joy", "anger", "fear")) -> Path:
    """Write a BERT, RoBERTa or MPNet with a head for `labels`."""
    return write_bert(folder, labels) if family == "bert" else write_padded_with_one(folder, family, labels)
