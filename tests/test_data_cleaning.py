"""Each step of cleaning does what it says, and nothing else."""

import unicodedata

import pytest
from data_stage import SMALL, prepared

from distill.config.data import CleaningConfig
from distill.stages.data.cleaning import cleaner

NOTHING = {"unicode": None, "whitespace": False}


def cleaned(text, **settings):
    return cleaner(CleaningConfig.model_validate({**NOTHING, **settings}))(text)


@pytest.mark.parametrize(
    ("settings", "raw", "expected"),
    [
        ({}, " A\u0301  ﬁ\r@x http://y \n", " A\u0301  ﬁ\r@x http://y \n"),
        ({"whitespace": True}, "  two\r\n words\u00a0here\t ", "two words here"),
        (
            {"urls": "[URL]"},
            "see http://a.b/c?d=e, WWW.x.org and https://t.co/1.",
            "see [URL] [URL] and [URL]",
        ),
        ({"urls": r"\1"}, "http://a.b", r"\1"),
        ({"users": "@user"}, "@ann_1: mail me@home.org, (@bob)", "@user: mail me@home.org, (@user)"),
        ({"emoji": "names"}, "so😂good_day", "so face with tears of joy good_day"),
        ({"lowercase": True}, "ÄRGER Ünd", "ärger ünd"),
        ({"fix_mojibake": True}, "I canâ€™t &amp; wonâ€™t &lt;3", "I can't & won't <3"),
        (
            {"emoji": "names", "whitespace": True, "lowercase": True, "users": "@user"},
            "@Ann  😂\n😂 OK",
            "@user face with tears of joy face with tears of joy ok",
        ),
    ],
)
def test_a_step(settings, raw, expected):
    assert cleaned(raw, **settings) == expected


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_unicode_normal_forms(form):
    raw = "e\u0301 ﬁ ①"
    assert cleaned(raw, unicode=form) == unicodedata.normalize(form, raw) != raw


def test_empty_texts_may_be_dropped_and_are_counted(tmp_path):
    files = {"train.csv": "text,a,b\n,1,0\nfirst,1,1\n  ,0,1\nhttp://x.y,0,1\n", **SMALL}
    found = prepared(tmp_path, files, labels=["a", "b"], empty_texts="drop", cleaning={"urls": ""})
    assert found.corpus.train.texts == ("first",)
    assert found.corpus.train.labels.tolist() == [[1, 1]]
    assert found.report["splits"]["train"]["rows_read"] == 4
    assert found.report["splits"]["train"]["empty_texts_dropped"] == 3
    assert found.report["splits"]["test"]["empty_texts_dropped"] == 0
