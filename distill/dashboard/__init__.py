"""What is looked at in wandb: an experiment's workspace and report; and whether a server does what we need."""
