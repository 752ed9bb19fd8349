"""Sweeps, workspaces and reports with the real wandb SDK and the test server."""

import subprocess
import sys

import pytest
from wandb_rounds import PROJECT

SWEEP = {
    "name": "rates",
    "method": "grid",
    "metric": {"name": "quality", "goal": "maximize"},
    "program": "train.py",
    "command": [sys.executable, "${program}", "${args_no_hyphens}"],  # ${interpreter} is the PATH's python
    "parameters": {"training.learning_rate": {"values": [0.1, 0.2]}, "student": {"value": "cnn"}},
}
TRAIN = """
import sys
import wandb
with wandb.init() as run:
    run.log({"quality": run.config["training.learning_rate"], "arguments": " ".join(sys.argv[1:])})
"""
AGENT = """
import sys
from wandb import wandb_agent
from wandb.cli.cli import cli
wandb_agent.Agent.POLL_INTERVAL = 0.2  # five seconds otherwise
cli(["agent", sys.argv[1]])
"""
ignore_wandbs_own = pytest.mark.filterwarnings("ignore:Read the `app_url` setting:DeprecationWarning")


@ignore_wandbs_own
def test_an_agent_runs_a_grid(wandb, tmp_path):
    sweep = wandb.sweep(SWEEP, project="distill")
    (tmp_path / "train.py").write_text(TRAIN)
    subprocess.run([sys.executable, "-c", AGENT, f"{PROJECT}/{sweep}"], cwd=tmp_path, check=True)
    found = wandb.Api().sweep(f"{PROJECT}/{sweep}")
    assert (found.state, found.name, found.config["parameters"]) == ("FINISHED", "rates", SWEEP["parameters"])
    assert [run.summary["arguments"] for run in found.runs] == [
        "student=cnn training.learning_rate=0.1",
        "student=cnn training.learning_rate=0.2",
    ]
    assert [(run.state, run.config["training.learning_rate"]) for run in found.runs] == [
        ("finished", 0.1),
        ("finished", 0.2),
    ]
    best = found.best_run()
    assert (best.summary["quality"], best.sweep.id) == (0.2, sweep)
    (agent,) = found.agents()
    assert [run.id for run in agent.runs()] == [run.id for run in found.runs]
    assert [one.id for one in wandb.Api().project("distill").sweeps()] == [sweep]


@ignore_wandbs_own
def test_two_agents_share_a_random_sweep(wandb, wandb_api):
    from wandb.apis.public.sweeps import _agent_heartbeat, _register_agent, _set_sweep_state

    rates = {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2}
    parameters = {"rate": rates, "width": {"min": 8, "max": 64}}
    sweep = wandb.sweep({"method": "random", "run_cap": 3, "parameters": parameters}, project="distill")
    place = {"sweep_id": sweep, "project": "distill", "entity": "laboratory"}
    first, second = (_register_agent(wandb_api, host, **place)["id"] for host in ("a", "b"))

    def ask(agent, *at_work):
        return _agent_heartbeat(wandb_api, agent, {}, dict.fromkeys(at_work, True))

    (one,), (two,) = ask(first), ask(second)
    assert ask(first, one["run_id"]) == []
    _set_sweep_state(wandb_api, sweep, "PAUSED", project="distill", entity="laboratory")
    assert ask(first) == []
    _set_sweep_state(wandb_api, sweep, "RUNNING", project="distill", entity="laboratory")
    (three,) = ask(first)
    chosen = [
        {name: part["value"] for name, part in command["args"].items()} for command in (one, two, three)
    ]
    assert all(1e-4 <= settings["rate"] <= 1e-2 and 8 <= settings["width"] <= 64 for settings in chosen)
    assert len({settings["rate"] for settings in chosen}) == 3
    assert ask(second) == [{"type": "exit"}]
    _set_sweep_state(wandb_api, sweep, "CANCELED", project="distill", entity="laboratory")
    assert ask(first, three["run_id"]) == [{"type": "stop", "run_id": three["run_id"]}]


def test_a_workspace_and_a_report_are_saved(wandb):
    workspaces = pytest.importorskip("wandb_workspaces.workspaces")
    reports = pytest.importorskip("wandb_workspaces.reports.v2")
    wandb.Api().create_project("distill", "laboratory")
    panel = reports.ScatterPlot(x="latency_p90_ms", y="macro_ap")
    report = reports.Report("distill", "laboratory", title="Frontier", description="quality against speed")
    report.blocks = [reports.H1("Frontier"), reports.PanelGrid(panels=[panel])]
    report.save()
    assert reports.Report.from_url(report.url).title == "Frontier"
    section = workspaces.Section("Frontier", panels=[panel])
    workspace = workspaces.Workspace("laboratory", "distill", "Quick", sections=[section])
    workspace.save()
    assert workspaces.Workspace.from_url(workspace.url).name == "Quick"
