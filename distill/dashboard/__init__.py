"""What is looked at in wandb: an experiment's workspace and report, and whether the server does what they need."""

from distill.dashboard.round_trip import Step, round_trip
from distill.dashboard.saving import Dashboard, save_dashboard
from distill.dashboard.target import Target, find_target

__all__ = ["Dashboard", "Step", "Target", "find_target", "round_trip", "save_dashboard"]
