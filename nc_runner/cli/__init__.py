"""What a person types: `key=value` goes to Hydra and runs, a plain word acts on what is on disk."""
