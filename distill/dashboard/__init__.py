"""What is read back from wandb, and how it is shown there: the other direction of `distill.tracking`."""
