"""`distill dashboard`: what it saves, read back from the server, names figures that runs really have."""

import json

import pytest

from distill.cli import main

FILTER = {"key": {"section": "run", "name": "group"}, "op": "=", "value": "reviews", "disabled": False}


@pytest.fixture
def server(online_experiment):
    """The server, with no view of an earlier test."""
    for project in online_experiment.server.state.projects.values():
        project.views.clear()
    return online_experiment.server


@pytest.fixture
def save(online_experiment, capsys):
    """Give the command; return exit code, output and complaints."""

    def save(experiment):
        code = main(["dashboard", str(experiment)])
        return (code, *capsys.readouterr())

    return save


def views(server):
    """Return workspace and report as saved: (display name, spec)."""
    [project] = [one for one in server.state.projects.values() if one.views]
    assert (project.entity, project.name) == ("laboratory", "distill")
    return {view.type: (view.display_name, json.loads(view.spec)) for view in project.views}


def grids(report):
    return [block["metadata"] for block in report["blocks"] if block["type"] == "panel-grid"]


def by_type(panels):
    found = {}
    for panel in panels:
        found.setdefault(panel["viewType"], []).append(panel["config"])
    return found


def test_a_workspace_and_a_report_are_saved_and_their_addresses_printed(server, online_experiment, save):
    code, out, err = save(online_experiment.file)
    assert (code, err) == (0, "")
    workspace, report = out.splitlines()
    assert workspace.startswith(f"workspace  {server.url}/laboratory/distill?nw=")
    assert report.startswith(f"report     {server.url}/laboratory/distill/reports/distill-reviews--")
    assert {kind: name for kind, (name, _) in views(server).items()} == {
        "project-view": "distill reviews",
        "runs": "distill reviews",
    }


def test_the_workspace_holds_the_panels(server, save):
    save("reviews")
    section = views(server)["project-view"][1]["section"]
    frontier, per_label, curves = section["panelBankConfig"]["sections"]
    assert [frontier["name"], per_label["name"], curves["name"]] == [
        "Frontier",
        "Per label",
        "Curves by student",
    ]
    shown = by_type(frontier["panels"])
    [scatter] = shown["Scatter Plot"]
    assert (scatter["xAxis"], scatter["yAxis"]) == (
        "summary:speed/latency_p90_ms",
        "summary:validation/macro_ap",
    )
    assert [panel["mediaKeys"] for panel in shown["Media Browser"]] == [["frontier"], ["frontier_page"]]
    shown = by_type(per_label["panels"])
    [bars] = shown["Bar Chart"]
    assert bars["metrics"] == [
        f"summary_metrics.per_label/test_ap/{label}" for label in ("good", "bad", "any label")
    ]
    assert '"val": "per_label"' in json.dumps(shown["Weave"])
    lines = by_type(curves["panels"])["Run History Line Plot"]
    assert [(line["xAxis"], line["metrics"]) for line in lines] == [
        ("step", ["train/loss"]),
        ("step", ["train/learning_rate"]),
        ("step", ["train/gradient_norm"]),
        ("step", ["train/texts_per_second"]),
        ("step", ["validation/macro_ap"]),
    ]


def test_the_workspace_shows_the_runs_of_the_experiment_sorted(server, save):
    save("laboratory/distill/reviews")
    [runs] = views(server)["project-view"][1]["section"]["runSets"]
    assert runs["filters"]["filters"] == [FILTER]
    assert runs["sort"]["keys"] == [
        {"key": {"section": "summary", "name": "frontier/hypervolume_contribution"}, "ascending": False}
    ]
    assert [(key["section"], key["name"]) for key in runs["grouping"]] == [
        ("config", "student.value"),
        ("config", "objective.value"),
    ]
    assert runs["runFeed"]["columnOrder"] == [
        "run:displayName",
        "summary:frontier/hypervolume_contribution",
        "summary:validation/macro_ap",
        "summary:speed/latency_p90_ms",
        "summary:size/bytes",
    ]


def test_the_report_holds_the_same_panels_each_with_its_runs(server, save):
    save("reviews")
    frontier, students, labels, curves = grids(views(server)["runs"][1])
    shown = [
        by_type(grid["panelBankSectionConfig"]["panels"]) for grid in (frontier, students, labels, curves)
    ]
    assert [{kind: len(panels) for kind, panels in one.items()} for one in shown] == [
        {"Media Browser": 2},
        {"Scatter Plot": 1},
        {"Bar Chart": 1, "Weave": 1},
        {"Run History Line Plot": 5},
    ]
    for grid, job_type in (
        (frontier, "frontier"),
        (students, "student"),
        (labels, "student"),
        (curves, "student"),
    ):
        [runs] = grid["runSets"]
        of_box = {**FILTER, "key": {"section": "run", "name": "jobType"}, "value": job_type}
        assert [{**one, "connector": None} for one in runs["filters"]["filters"]] == [
            {**FILTER, "connector": None},
            {**of_box, "connector": None},
        ]
    [runs] = students["runSets"]
    assert runs["sort"]["keys"][0]["key"]["name"] == "frontier/hypervolume_contribution"
    assert (runs["sort"]["keys"][0]["ascending"], runs["grouping"], students["hideRunSets"]) == (
        False,
        [],
        False,
    )
    assert runs["runFeed"]["columnOrder"][1:] == [
        f"summary:{key}"
        for key in (
            "frontier/hypervolume_contribution",
            "validation/macro_ap",
            "speed/latency_p90_ms",
            "size/bytes",
        )
    ]
    assert [key["name"] for key in curves["runSets"][0]["grouping"]] == ["student.value", "objective.value"]


def test_every_figure_that_a_panel_names_is_there(server, save):
    import wandb

    save("reviews")
    text = json.dumps(views(server)["project-view"][1])
    runs = list(wandb.Api().runs("laboratory/distill", filters={"group": "reviews"}))
    students = [run for run in runs if run.job_type == "student"]
    [frontier] = [run for run in runs if run.job_type == "frontier"]
    assert len(students) == 4
    for run in students:
        for key in ("validation/macro_ap", "speed/latency_p90_ms", "size/bytes", "per_label/test_ap/good"):
            assert run.summary[key] is not None
            assert key in text
        assert {"student", "objective"} <= run.config.keys()
        logged = {key for row in run.scan_history() for key in row}
        assert {"step", "train/loss", "train/learning_rate", "train/gradient_norm", "per_label"} <= logged
        assert {"train/texts_per_second", "validation/macro_ap"} <= logged
    assert {"frontier", "frontier_page"} <= {key for row in frontier.scan_history() for key in row}


def test_given_again_it_updates_what_it_has_saved(server, save):
    import wandb_workspaces.workspaces as ws

    first = save("reviews")
    workspace = ws.Workspace.from_url(first[1].split()[1])
    workspace.sections.append(ws.Section(name="Mine"))
    workspace.sections[0].panels.clear()
    workspace.save()
    assert save("reviews") == first
    saved = views(server)
    assert len(saved) == sum(len(project.views) for project in server.state.projects.values()) == 2
    sections = saved["project-view"][1]["section"]["panelBankConfig"]["sections"]
    assert [one["name"] for one in sections] == ["Frontier", "Per label", "Curves by student", "Mine"]
    assert len(sections[0]["panels"]) == 3


def test_what_is_not_there_is_told(server, save):
    assert save("reviws") == (
        2,
        "",
        "wandb: laboratory/distill has no student of the experiment 'reviws', did you mean 'reviews'? "
        "(experiments there: reviews)\n",
    )
    assert save("laboratory/elsewhere/reviews") == (
        2,
        "",
        "wandb: there is no project laboratory/elsewhere; run the experiment online first\n",
    )
    assert save("nowhere.yaml")[0] == 2
    for text in ("a/b", "a//b", 'x" or "1', ""):
        assert save(text) == (
            2,
            "",
            f"'{text}': expected an experiment file (.yaml), the name of an experiment, or ENTITY/PROJECT/NAME\n",
        )
    assert not any(project.views for project in server.state.projects.values())


@pytest.mark.slow
def test_a_server_that_fails_or_a_key_that_lacks_is_told(server, save, monkeypatch):
    server.fail(500, "psertView")
    code, out, err = save("reviews")
    server.heal()
    assert (code, out) == (2, "")
    assert err.startswith(f"wandb: {server.url} did not take the dashboard of 'reviews' (")
    server.down()
    code, out, err = save("reviews")
    server.up()
    assert (code, out) == (2, "")
    assert err.startswith(f"wandb: {server.url} does not answer (")
    monkeypatch.delenv("WANDB_API_KEY")
    assert save("reviews") == (
        2,
        "",
        f"wandb: no key for {server.url}; set WANDB_API_KEY or give `wandb login`\n",
    )
