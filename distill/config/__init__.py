"""The experiment file: typed and frozen models, read from YAML, every error with file, line and key."""
