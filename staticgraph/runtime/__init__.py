"""Sessions: check feeds, plan, call the backend, commit variables."""
