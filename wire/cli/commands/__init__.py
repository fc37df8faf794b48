"""One module per command; each has an `app` with a single Typer command."""
