"""Any SQL database: read, created, filled and merged in one way, with no value of a row in any error."""
