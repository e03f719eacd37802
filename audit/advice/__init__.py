"""What a person asks before and after a run: a first audit.toml, is this machine fit, what does this check mean."""
