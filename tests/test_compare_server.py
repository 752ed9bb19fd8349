"""`distill compare PROJECT`: the runs on the server give the table that the local store gives."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from reading_back import PLACE, laboratory, run_online, write_experiment

from distill.cli import main
from distill.dashboard.comparing import describe_left_out, make_tables
from distill.dashboard.connection import connected
from distill.dashboard.runs import Wanted, read_runs


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    with laboratory(folder) as server:
        server.file = write_experiment(folder / "work")
        run_online(server.file, "--set", "runtime.wandb.tags=[nightly]")
        with connected() as connection:
            server.runs = read_runs(connection, PLACE, Wanted())
        yield server


@pytest.fixture
def compare(lab, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def compare(*arguments):
        code = main(["compare", *map(str, arguments)])
        found = capsys.readouterr()
        return code, found.out, found.err.replace(lab.url, "SERVER")

    yield compare
    lab.heal()


def test_the_table_is_the_local_one(compare, lab):
    local = compare(lab.file, "--store", lab.file.parent / ".distill")
    assert compare(PLACE) == local
    assert local[0] == 0
    assert local[1].count("\n| ") == 6
    assert compare("distill", "--group", "reviews", "--tag", "nightly") == local


def test_the_order_is_the_experiments(lab):
    shuffled = sorted(lab.runs, key=lambda run: run.id)
    (table,), _ = make_tables(shuffled)
    names = [point.name for point in table.comparison.points]
    assert names == [
        "teacher",
        "mean/supervised/seed0",
        "mean/distilled/seed0",
        "cnn/supervised/seed0",
        "cnn/distilled/seed0",
    ]


def test_one_student(compare):
    code, out, _ = compare(PLACE, "--student", "cnn")
    rows = [line.split("|")[1].strip() for line in out.splitlines() if line.startswith("| ")]
    assert (code, rows) == (0, ["model", "-------", "teacher", "cnn", "cnn"])


def test_pictures_pages_and_tables_are_written(compare, tmp_path):
    code, out, _ = compare(PLACE, "--to", "drawn")
    folder = tmp_path / out.splitlines()[-1].removeprefix("frontier").strip()
    assert (code, folder.parent.name) == (0, "drawn")
    assert {path.name for path in folder.iterdir()} == {
        *("frontier.png", "frontier.html", "frontier.csv", "frontier.json", "table.txt")
    }
    assert out.startswith((folder / "table.txt").read_text())


def elsewhere(runs, store, user, processor=None):
    """Return the runs as another person would have made them, perhaps on another machine."""
    found = []
    for run in runs:
        summary = dict(run.summary)
        if processor and "machine" in summary:
            summary["machine"] = {**summary["machine"], "processor": processor}
        found.append(
            replace(
                run, id=f"{run.id}{store}", user=user, config={**run.config, "store": store}, summary=summary
            )
        )
    return found


def test_machines_are_never_mixed(lab):
    tables, left_out = make_tables([*lab.runs, *elsewhere(lab.runs, "ben", "ben", "Fast One")])
    assert [table.comparison.machine["processor"] for table in tables] == ["AMD EPYC", "Fast One"]
    assert [len(table.comparison.points) for table in tables] == [5, 5]
    assert "Speed on Fast One, threads: 1;" in str(tables[1])
    assert tables[1].title.startswith("reviews, on Fast One, threads: 1")
    assert left_out.total() == 0


def test_several_peoples_runs_are_told_apart(lab):
    (table,), _ = make_tables([*lab.runs, *elsewhere(lab.runs, "ben", "ben")])
    names = [point.name for point in table.comparison.points]
    assert len(set(names)) == len(names) == 9
    assert names[:3] == [
        "teacher",  # the same fingerprint: the same teacher
        "mean (laboratory)/supervised/seed0",
        "mean (ben)/supervised/seed0",
    ]
    arms = {arm.name: arm for arm in table.comparison.arms}
    control = table.comparison.control_of(arms["cnn (ben)/distilled"])
    assert control.name == "cnn (ben)/supervised"


def test_one_persons_stores_are_told_apart(lab):
    (table,), _ = make_tables([*lab.runs, *elsewhere(lab.runs, "other", "laboratory")])
    own = lab.runs[0].store[:4]
    assert [point.student for point in table.comparison.points[1:3]] == [
        f"mean (laboratory {own})",
        "mean (laboratory othe)",
    ]


def test_other_teachers_stand_apart(lab):
    others = [
        replace(run, config={**run.config, "fingerprint": "other"}) if run.job_type == "teacher" else run
        for run in elsewhere(lab.runs, "ben", "ben")
    ]
    (table,), _ = make_tables([*lab.runs, *others])
    teachers = [point for point in table.comparison.points if point.role == "teacher"]
    assert [(one.name, one.latency_p90_ms is None) for one in teachers] == [
        ("teacher (laboratory)", False),
        ("teacher (ben)", True),  # its speed run measured another one
    ]
    assert str(table).splitlines()[-1] == "Several teachers: `speedup` is counted from teacher (laboratory)."


def test_what_cannot_be_used_is_counted(lab):
    students = [run for run in lab.runs if run.job_type == "student"]
    rest = [run for run in lab.runs if run.job_type != "student"]
    bare = {key: value for key, value in students[1].summary.items() if not key.startswith("test/")}
    slow = {key: value for key, value in students[2].summary.items() if key != "machine"}
    runs = [
        *rest,
        replace(students[0], id="old"),
        replace(students[0], state="running"),
        replace(students[0], state="crashed"),
        replace(students[1], summary=bare),
        replace(students[2], summary=slow),
        replace(
            students[3],
            id="a",
            config={**students[3].config, "data_fingerprint": "x"},
            name="old",
            created_at="",
        ),
        replace(students[3], id="b", created_at="1999"),
        students[3],
    ]
    (table,), left_out = make_tables(runs)
    assert [point.name for point in table.comparison.points[1:]] == [students[0].name, students[3].name]
    assert describe_left_out(left_out) == (
        "runs left out: 1 older of the same name, 1 running, 1 crashed, 1 without figures, 1 of other data, "
        "1 without speed"
    )


def test_runs_without_speed_give_a_table_all_the_same(lab):
    runs = [
        replace(
            run,
            summary={
                key: value for key, value in run.summary.items() if "speed" not in key and key != "machine"
            },
        )
        for run in lab.runs
    ]
    (table,), left_out = make_tables(runs)
    assert (table.title, left_out) == ("reviews, speed not measured", Counter({"without figures": 1}))
    assert str(table).splitlines()[-1] == "Speed has not been measured."


def test_an_unfinished_run_is_said(compare, lab):
    project = lab.state.projects["laboratory", "distill"]
    run = next(run for run in project.runs.values() if run.display_name == "cnn/distilled/seed0")
    before, run.state = run.state, "failed"
    try:
        code, out, _ = compare(PLACE)
    finally:
        run.state = before
    assert (code, out.splitlines()[-1]) == (0, "runs left out: 1 failed")


def test_nothing_that_can_be_used(compare, lab):
    project = lab.state.projects["laboratory", "distill"]
    before = {run: run.summary for run in project.runs.values()}
    for run in before:
        run.summary = json.dumps({"odd": 1})
    try:
        assert compare(PLACE) == (
            2,
            "",
            "no student's run can be compared; runs left out: 6 without figures\n",
        )
    finally:
        for run, summary in before.items():
            run.summary = summary


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["distil"], "laboratory/distil: there is no such project, did you mean 'distill'?"),
        (["zoo/distill"], "zoo/distill: there is no such project (projects: none)"),
        (["a/b/c"], "'a/b/c': no such file, and no [ENTITY/]PROJECT in wandb either"),
        (["reviews.yml"], "reviews.yml: no such file"),
        ([PLACE, "--group", "review"], f"{PLACE}: no run of an experiment 'review', did you mean 'reviews'?"),
        ([PLACE, "--group", "zoo"], f"{PLACE}: no run of an experiment 'zoo' (experiments: reviews)"),
        ([PLACE, "--tag", "zoo"], f"{PLACE}: no run has the tag 'zoo'"),
        ([PLACE, "--student", "cn"], f"{PLACE}: no run of a student 'cn', did you mean 'cnn'?"),
        ([PLACE, "--student", "zoo"], f"{PLACE}: no run of a student 'zoo' (students: cnn, mean)"),
        ([PLACE, "--only", "*"], f"--only: goes with an experiment file, and there is no file {PLACE}"),
    ],
)
def test_what_is_not_there_is_told(compare, arguments, message):
    assert compare(*arguments) == (2, "", f"{message}\n")


def test_options_of_the_server_go_with_a_project(compare, lab):
    message = f"--tag: goes with a project in wandb, and {lab.file} is an experiment file\n"
    assert compare(lab.file, "--tag", "nightly") == (2, "", message)


def test_the_server_is_away(compare, lab):
    lab.down()
    try:
        code, out, err = compare(PLACE)
    finally:
        lab.up()
    assert (code, out) == (2, "")
    assert err.startswith("wandb: SERVER does not answer (")


def test_nobody_is_logged_in(compare, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    assert compare(PLACE) == (
        2,
        "",
        "wandb: no key for SERVER; set WANDB_API_KEY or give `wandb login`\n",
    )


def test_offline_means_that_nobody_is_asked(compare, lab, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    before = len(lab.requests)
    message = (
        "wandb: WANDB_MODE or `wandb offline` says offline, so that SERVER is not asked; "
        "unset it, or give `wandb online`\n"
    )
    assert (compare(PLACE), len(lab.requests)) == ((2, "", message), before)
