"""`distill pull`: a student comes back whole, checked and ready to predict; what is not as it should be does not."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from reading_back import PLACE, laboratory, run_online, write_experiment
from wandb_server.files import content_key
from wandb_server.manifests import entries_of, manifest_key

from distill.cli import main
from distill.dashboard import connection
from distill.fingerprint import file_hash

PREDICT = [sys.executable, "-m", "distill.cli", "predict"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pull")
    with laboratory(folder) as server:
        file = write_experiment(folder / "work")
        run_online(file)
        server.file = file
        yield server


@pytest.fixture
def here(lab, tmp_path, monkeypatch):
    """An empty folder to pull into."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    yield place
    lab.heal()


@pytest.fixture
def pull(here, capsys):
    capsys.readouterr()

    def pull(*arguments):
        code = main(["pull", *map(str, arguments)])
        found = capsys.readouterr()
        return code, found.out, found.err

    return pull


@pytest.fixture
def refused(pull, here, lab):
    """Give a command that is to be refused: one message, and nothing half-written."""

    def refused(*arguments, kept=()):
        code, out, err = pull(*arguments)
        assert (code, out) == (2, ""), (code, out, err)
        assert sorted(path.name for path in here.iterdir()) == sorted(kept)
        return "\n".join(told(err)).replace(lab.url, "SERVER").replace(str(here), "HERE")

    return refused


def held(server, name="reviews-cnn"):
    """Return the newest version of an artifact, as the server holds it."""
    return server.state.projects["laboratory", "distill"].collections[name].members[-1].artifact


def told(text):
    """Return a message without the fault of the process at hand."""
    return [line for line in text.splitlines() if not line.startswith("downloading")]


@pytest.fixture
def publish(lab, here, tmp_path):
    """Publish a changed copy of a student, and return its name."""
    import wandb

    def publish(change, name="odd", kind="student"):
        folder = tmp_path / "copy"
        shutil.copytree(lab.file.parent / ".distill/experiments/reviews/students/cnn/distilled/seed0", folder)
        (folder / "manifest.json").unlink()
        change(folder)
        with wandb.init(project="distill") as run:
            artifact = wandb.Artifact(name, kind)
            artifact.add_dir(str(folder))
            run.log_artifact(artifact).wait()
        return f"{name}:latest"

    return publish


def seal(folder):
    """Write the checksums that the files have now."""
    names = [path.name for path in folder.iterdir() if path.name != "checksums.json"]
    sums = {name: file_hash(folder / name) for name in names}
    (folder / "checksums.json").write_text(json.dumps(sums))


def predicted(folder, *more):
    """Predict in a process of its own."""
    found = subprocess.run(
        [*PREDICT, folder, "--json", "--text", "a lovely day", "--text", "rotten", *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_student_comes_back_and_predicts(pull, here, lab):
    code, out, err = pull(f"{PLACE}/reviews-cnn:cnn-distilled-seed0")
    assert (code, err) == (0, "downloading 0.2 MB\n")
    place = lab.file.parent / ".distill/experiments/reviews/students/cnn/distilled/seed0"
    version = out.splitlines()[-3].rpartition(":")[2]
    folder = here / f"reviews-cnn-{version}"
    assert out == (
        (place / "README.md").read_text()
        + f"\nartifact  {PLACE}/reviews-cnn:{version}\nfolder    {folder.name}\n"
        + f'predict   distill predict {folder.name} --text "..."\n'
    )
    assert [path.name for path in here.iterdir()] == [folder.name]
    files = {path.name: path.read_bytes() for path in place.iterdir() if path.name != "manifest.json"}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert predicted(folder) == predicted(place)


@pytest.mark.parametrize("name", ["reviews-cnn", "distill/reviews-cnn", f"{PLACE}/reviews-cnn:best"])
def test_what_a_name_leaves_out(pull, here, lab, name):
    code, out, _ = pull(name, "--to", "a folder")
    best = next(one for one in held_all(lab) if "best" in one.aliases)
    assert code == 0
    assert out.splitlines()[-3:] == [
        f"artifact  {PLACE}/reviews-cnn:v{best.version}",
        "folder    'a folder'",
        "predict   distill predict 'a folder' --text \"...\"",
    ]


def held_all(server, name="reviews-cnn"):
    return server.state.projects["laboratory", "distill"].collections[name].members


def test_an_experiments_best_is_chosen_on_the_server(pull, here, lab):
    before = len(lab.requests)
    code, out, _ = pull("reviews", "--best", "quality where latency_p90_ms <= 1000 and student = mean")
    table = out.splitlines()[:5]
    assert code == 0
    assert table[0].split() == [
        *("artifact", "run", "validation", "test", "p50", "ms", "p90", "ms", "texts/s", "MB", "params")
    ]
    (chosen,) = [line for line in table if line.startswith(">")]
    qualities = {json.loads(one.artifact.metadata)["quality"]: one for one in held_all(lab, "reviews-mean")}
    best = qualities[max(qualities)]
    assert chosen.split()[1] == f"reviews-mean:v{best.version}"
    assert (here / f"reviews-mean-v{best.version}" / "model.onnx").is_file()
    assert f"artifact  {PLACE}/reviews-mean:v{best.version}" in out
    assert "`>` is chosen; validation and test are macro_ap, and test is never ranked by." in out
    asked = [request for request in lab.requests[before:] if "/storage/contents" in request]
    assert len(asked) == len(list((here / f"reviews-mean-v{best.version}").iterdir()))


def test_an_experiment_file_names_project_and_experiment(pull, here, lab):
    assert pull(lab.file, "--best", "latency_p90_ms", "--to", "fast")[0] == 0
    assert json.loads((here / "fast/model.json").read_text())["role"] == "student"


@pytest.mark.parametrize(
    ("name", "what"),
    [("teacher", "a teacher"), ("soft-targets", "a teacher's soft targets"), ("data", "a data set")],
)
def test_what_is_no_student_says_so(pull, here, name, what):
    assert pull(f"reviews-{name}:latest")[:2] == (
        0,
        f"{PLACE}/reviews-{name}:v0 is {what}, not a student: it has no model card\nfolder    reviews-{name}-v0\n",
    )
    assert any((here / f"reviews-{name}-v0").iterdir())


@pytest.fixture
def known_otherwise(lab):
    """Change what the server knows of a version, for one test."""
    changed = []

    def change(name, **values):
        artifact = held(lab, name)
        changed.append((artifact, artifact.metadata))
        artifact.metadata = json.dumps({**json.loads(artifact.metadata), **values})
        return f"{name}:v{held_all(lab, name)[-1].version}"

    yield change
    for artifact, before in reversed(changed):
        artifact.metadata = before


def test_speed_of_two_machines_is_not_compared(pull, known_otherwise, lab):
    machine = json.loads(held(lab).metadata)["machine"]
    name = known_otherwise("reviews-cnn", machine={**machine, "processor": "Fast One"})
    tail = f"threads: 1, {machine['logical_cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, Linux x86_64'"
    assert pull("reviews", "--best", "quality where latency_p90_ms < 1000") == (
        2,
        "",
        "the students' speed was measured on several machines and cannot be compared: "
        f"'{machine['processor']}, {tail}; 'Fast One, {tail}; "
        "choose one with --machine and a part of its description\n",
    )
    code, out, _ = pull("reviews", "--best", "quality where latency_p90_ms < 1000", "--machine", "fast one")
    assert (code, out.splitlines()[1].split()[1]) == (0, name)


def test_students_of_older_data_are_left_out(pull, known_otherwise, lab):
    older = held_all(lab)[0]
    known = older.artifact.metadata
    older.artifact.metadata = json.dumps({**json.loads(known), "data": "other", "quality": 0.99})
    try:
        code, out, _ = pull("reviews", "--best", "quality")
    finally:
        older.artifact.metadata = known
    assert code == 0
    assert f"reviews-cnn:v{older.version} " not in out
    assert "Left out, since their data is another: 1." in out


def test_metadata_of_others_is_taken_with_care(refused, known_otherwise):
    for name in ("reviews-cnn", "reviews-mean"):
        known_otherwise(name, latency_p90_ms="fast", machine="mine", test=[1], bytes=True)
    message = refused("reviews", "--best", "quality where latency_p90_ms <= 0 and objective = distilled")
    assert message.startswith(
        "no student has latency_p90_ms <= 0 and objective = distilled; the nearest is reviews-"
    )


def test_an_empty_folder_is_filled(pull, here):
    (here / "mine").mkdir()
    assert pull("reviews-mean", "--to", "mine")[0] == 0
    assert (here / "mine/model.json").is_file()


def test_a_folder_that_holds_something_stays_as_it_is(refused, here):
    (here / "mine").mkdir()
    (here / "mine/thesis.txt").write_text("")
    (here / "file").write_text("")
    assert refused("reviews-cnn", "--to", "mine", kept=["file", "mine"]) == (
        "mine: the folder is not empty; name another one with --to"
    )
    assert refused("reviews-cnn", "--to", "file", kept=["file", "mine"]) == (
        "file: there is a file of that name; name another folder with --to"
    )
    assert [path.name for path in (here / "mine").iterdir()] == ["thesis.txt"]
    assert (
        refused("reviews-cnn", "--to", "file/x", kept=["file", "mine"])
        == "file/x: cannot be made (Not a directory)"
    )


def test_changed_bytes_are_not_kept(refused, lab):
    (content,) = {
        lab.state.folder / content_key(entry["digest"])
        for entry in [entries_of(lab.state, held(lab))["weights.safetensors"]]
    }
    before = content.read_bytes()
    content.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        message = refused(f"reviews-cnn:v{held_all(lab)[-1].version}")
    finally:
        content.write_bytes(before)
    name = f"{PLACE}/reviews-cnn:v{held_all(lab)[-1].version}"
    assert message == f"{name}: damaged, nothing was kept: Digest mismatch for file: weights.safetensors"


def without_checksums(folder):
    (folder / "checksums.json").unlink()


def with_a_changed_file(folder):
    with (folder / "calibration.json").open("a") as file:
        file.write(" ")
    (folder / "extra.txt").write_text("")
    (folder / "coverage.json").unlink()


def with_a_pickle(folder):
    (folder / "Weights.PT").write_text("")
    seal(folder)


def of_another_format(folder):
    description = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**description, "format_version": 9}))
    seal(folder)


def of_a_teacher(folder):
    description = json.loads((folder / "model.json").read_text())
    description |= {"role": "teacher", "config": {"kind": "linear"}}
    (folder / "model.json").write_text(json.dumps(description))
    seal(folder)


def of_own_code(folder):
    description = json.loads((folder / "model.json").read_text())
    description["config"]["kind"] = "evil:Net"
    (folder / "model.json").write_text(json.dumps(description))
    seal(folder)


def without_a_card(folder):
    (folder / "README.md").unlink()
    seal(folder)


def with_odd_checksums(folder):
    (folder / "checksums.json").write_text("[]")


def with_broken_checksums(folder):
    (folder / "checksums.json").write_text("{")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_checksums, "it has no checksums.json, so that it cannot be checked; nothing was kept"),
        (with_odd_checksums, "checksums.json is no map of files; nothing was kept"),
        (
            with_broken_checksums,
            "checksums.json cannot be read (Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)); nothing was kept",
        ),
        (
            with_a_changed_file,
            "coverage.json is missing, extra.txt is not named in checksums.json, calibration.json is damaged; "
            "nothing was kept",
        ),
        (with_a_pickle, "Weights.PT could run code when it is opened; nothing was downloaded"),
        (
            of_another_format,
            "format version 9, but this release of distill reads version 1; "
            "use the release that wrote it, or make the model again",
        ),
        (
            of_own_code,
            "the model is made by code that is not part of distill ('evil:Net'); "
            "if you trust it, say --trust-custom-code (trust_custom_code=True)",
        ),
        (of_a_teacher, "the artifact is of type 'student', but its model is a teacher"),
        (without_a_card, "it has no model card (README.md); nothing was kept"),
    ],
)
def test_what_is_not_as_it_should_be_is_not_kept(refused, publish, lab, change, message):
    name = publish(change)
    version = held_all(lab, "odd")[-1].version
    assert refused(name) == f"{PLACE}/odd:v{version}: {message}"


OWN_CODE = """
from students.configs import TextCNNConfig

class Mine(TextCNNConfig):
    kind: str
"""


def test_own_code_comes_with_trust(pull, publish, here, tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    (code / "cnns_of_mine.py").write_text(OWN_CODE)

    def of_mine(folder):
        description = json.loads((folder / "model.json").read_text())
        description["config"]["kind"] = "cnns_of_mine:Mine"
        (folder / "model.json").write_text(json.dumps(description))
        seal(folder)

    name = publish(of_mine, "mine")
    given = ("--trust-custom-code", "--code-folder", code)
    code_, out, err = pull(name, *given)
    assert code_ == 0, err
    assert out.endswith('predict   distill predict mine-v0 --trust-custom-code --text "..."\n')
    assert predicted(here / "mine-v0", *given)


def test_the_code_that_is_trusted_is_not_there(refused, publish, lab):
    name = publish(of_own_code, "mine")
    message = refused(name, "--trust-custom-code")
    assert "evil" in message
    assert ".part" not in message


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../evil.txt", "the file name '../evil.txt' leads out of the folder; nothing was downloaded"),
        ("/tmp/evil.txt", "the file name '/tmp/evil.txt' leads out of the folder; nothing was downloaded"),
        (
            "a/../../evil.txt",
            "the file name 'a/../../evil.txt' leads out of the folder; nothing was downloaded",
        ),
        ("a\\b", "the file name 'a\\\\b' leads out of the folder; nothing was downloaded"),
    ],
)
def test_a_file_name_that_leads_out_of_the_folder(refused, lab, path, message):
    entries = entries_of(lab.state, held(lab))
    entries[path] = entries["README.md"]
    with manifest_at_work(lab, entries):
        assert refused(f"reviews-cnn:v{held_all(lab)[-1].version}").partition(": ")[2] == message
    assert not (Path(lab.state.folder).parent / "evil.txt").exists()


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://127.0.0.1:1/x"])
def test_a_reference_is_not_followed(refused, lab, address):
    entries = entries_of(lab.state, held(lab))
    entries["README.md"] = {"digest": "x", "ref": address, "size": 1}
    with manifest_at_work(lab, entries):
        message = refused(f"reviews-cnn:v{held_all(lab)[-1].version}").partition(": ")[2]
    assert message == f"README.md is a reference ({address}), which is not followed; nothing was downloaded"


@contextmanager
def manifest_at_work(server, entries):
    """Let the server hand out another manifest for its newest version."""
    path = server.state.folder / manifest_key(held(server))
    before = path.read_text()
    path.write_text(json.dumps({**json.loads(before), "contents": entries}))
    try:
        yield
    finally:
        path.write_text(before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reviews-cn"], f"{PLACE}: there is no artifact 'reviews-cn', did you mean 'reviews-cnn'?"),
        (["reviews-cnn:bst"], f"{PLACE}/reviews-cnn: there is no version 'bst', did you mean 'best'?"),
        (["distil/reviews-cnn"], "laboratory/distil: there is no such project, did you mean 'distill'?"),
        (["nobody/distill/x"], "nobody/distill: there is no such project (projects: none)"),
        (["a/b/c/d"], "'a/b/c/d': expected [[ENTITY/]PROJECT/]NAME[:ALIAS]"),
        (["reviews-cnn:"], "'reviews-cnn:': expected [[ENTITY/]PROJECT/]NAME[:ALIAS]"),
        (["x.yaml"], "x.yaml is an experiment: say what to choose with --best, such as --best quality"),
        (["x.yaml", "--best", "quality"], "x.yaml: no such file"),
        (
            ["reviews-cnn", "--machine", "EPYC"],
            "--machine EPYC: say what to choose with --best, such as --best quality",
        ),
        (
            ["reviews-cnn:best", "--best", "quality"],
            "reviews-cnn:best: --best goes with an experiment, not with one artifact's version",
        ),
        (
            ["review", "--best", "quality"],
            f"{PLACE}: no student of an experiment 'review' was published, did you mean 'reviews'?",
        ),
        (["reviews", "--best", "qualty"], "--best 'qualty': unknown name 'qualty', did you mean 'quality'?"),
    ],
)
def test_what_is_not_there_is_told(refused, arguments, message):
    assert refused(*arguments) == message


def test_what_distill_did_not_publish(refused, publish):
    name = publish(lambda folder: None, "strange", "model")
    assert refused(name) == (
        f"{PLACE}/strange:latest: is of type 'model'; what distill publishes is student, teacher, soft-targets, dataset"
    )


def test_nobody_is_logged_in(refused, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    assert refused("reviews-cnn") == "wandb: no key for SERVER; set WANDB_API_KEY or give `wandb login`"


def test_the_server_is_away(refused, lab):
    lab.down()
    try:
        message = refused("reviews-cnn")
    finally:
        lab.up()
    assert message.startswith("wandb: SERVER does not answer (")


@pytest.mark.parametrize("matching", ["ArtifactMembershipByName", "/storage/manifests", "/storage/contents"])
def test_a_server_that_fails_is_not_waited_for_long(refused, lab, monkeypatch, matching):
    monkeypatch.setattr(connection, "READ_SECONDS", 2.0)
    lab.fail(500, matching)
    begun = time.monotonic()
    message = refused("reviews-cnn")
    assert time.monotonic() - begun < 15
    assert message.startswith(f"{PLACE}/reviews-cnn:")
    assert "SERVER does not answer (no answer within 2" in message


def test_a_file_that_is_gone(refused, lab):
    lab.fail(404, "/storage/contents")
    assert refused("reviews-cnn").startswith(f"{PLACE}/reviews-cnn:")


@pytest.mark.slow
def test_a_download_that_was_lost_in_the_middle_is_tried_again(pull, lab):
    lab.lose_answer("GET /storage/contents", times=2)
    assert pull("reviews-cnn")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_download_leaves_nothing(lab, here, number):
    slow = lab.slow(60, "GET /storage/contents")
    process = subprocess.Popen(
        [sys.executable, "-m", "distill.cli", "pull", "reviews-cnn"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    until = time.monotonic() + 30
    while not slow.hits and time.monotonic() < until:
        time.sleep(0.05)
    assert slow.hits
    assert list(here.glob(".reviews-cnn*"))
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    lab.heal()
    assert (process.returncode, out) == (143, "")
    assert told(err) == ["distill: stopped; give the same command again to go on"]
    assert list(here.iterdir()) == []
