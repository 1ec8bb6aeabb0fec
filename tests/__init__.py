"""The test suite; what several parts of it share stands in `tests.support`."""
