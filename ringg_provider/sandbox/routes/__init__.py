"""The vendor's endpoints, one module per area of its documentation."""

from __future__ import annotations
