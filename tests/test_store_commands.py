"""`distill store ls` and `prune`: what is kept, told in megabytes, and freed only as asked."""

import pytest

from distill.cli import main


@pytest.fixture
def run(experiment_file, capsys, monkeypatch):
    monkeypatch.chdir(experiment_file.parent)

    def run(*arguments):
        code = main(list(arguments))
        return code, *capsys.readouterr()

    return run


def test_prune_keeps_what_the_experiments_need_and_frees_the_rest(run, experiment_file):
    run("run", "reviews.yaml", "--only", "mean/supervised/*")
    text = experiment_file.read_text(encoding="utf-8")
    other = experiment_file.with_name("other.yaml")
    other.write_text(text.replace("dimension: 16", "dimension: 8"), encoding="utf-8")
    run("run", "other.yaml", "--only", "mean/supervised/*")
    _, listed, _ = run("store", "ls")
    assert listed.count("student ") == 2
    assert " MB in " in listed.splitlines()[-1]

    code, told, _ = run("store", "prune", "reviews.yaml", "--dry-run")
    assert code == 0
    assert told.startswith("would remove 8 results, ")
    assert run("store", "ls")[1] == listed

    code, told, _ = run("store", "prune", "reviews.yaml")
    assert told.startswith("removed 8 results, "), (
        "five of the other one, and what compared a part of this one"
    )
    assert "3 steps done, 6 found" in run("run", "reviews.yaml", "--only", "mean/supervised/*")[2]
    assert run("store", "ls")[1].count("student ") == 1


def test_prune_keeps_what_wandb_has_not_got_until_it_is_sent_or_given_up(run, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    run("run", "reviews.yaml", "--only", "mean/supervised/*", "--set", "runtime.wandb.mode=auto")
    _, listed, _ = run("store", "ls")
    other = ("reviews.yaml", "--store", ".distill")
    monkeypatch.setattr("distill.cli.stores.make_plan", lambda *_: NothingNeeded())
    code, told, _ = run("store", "prune", *other)
    assert code == 0
    first, second = told.splitlines()
    stay = int(second.split()[0])
    assert second == f"{stay} more stay until wandb has them: give `distill sync`, or --unsent to remove them"
    assert first.startswith("removed ")
    kept = run("store", "ls")[1]
    stages = {line.split()[4] for line in kept.splitlines()[:-1]}
    assert stages == {"artifacts", "evaluation", "frontier", "soft_targets", "teacher"}, (
        "what is sent from them"
    )
    assert stay == len(kept.splitlines()) - 1 < len(listed.splitlines()) - 1

    assert run("store", "prune", *other, "--unsent")[1].startswith(f"removed {stay} results, ")
    assert run("store", "ls")[1].startswith("0 results")


class NothingNeeded:
    """A plan of an experiment that shares nothing with what is in the store."""

    @staticmethod
    def steps():
        return []


def test_prune_without_an_experiment_removes_nothing(run):
    with pytest.raises(SystemExit) as stopped:
        run("store", "prune")
    assert stopped.value.code == 2


def test_a_store_that_is_not_there(run):
    assert run("store", "ls") == (2, "", ".distill: no store there; name one with --store\n")
