"""The copy of the state's tables in a warehouse: what changed, in one file, by one bulk load and one merge."""
