"""Holds a wheel's bill of materials to CycloneDX's own schema; runs in .venv-checks."""

from __future__ import annotations

import sys
from zipfile import ZipFile

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main() -> int:
    """Check the bills of the wheels that are named; returns the exit code."""
    for file in sys.argv[1:]:
        with ZipFile(file) as wheel:
            (bill,) = [name for name in wheel.namelist() if ".dist-info/sboms/" in name]
            fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(wheel.read(bill).decode())
        print(f"{file}: {bill}: {fault or 'as the schema says'}")
        if fault:
            return 1
    return 0 if sys.argv[1:] else 1


if __name__ == "__main__":
    sys.exit(main())
