"""Links from a task to its campaign on the platform's own pages."""
