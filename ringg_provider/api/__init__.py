"""HTTP for both platforms: requests, answers, errors, and clients that repeat nothing which must not be repeated."""
