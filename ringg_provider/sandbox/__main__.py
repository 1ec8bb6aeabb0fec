"""The command `ringg-sandbox`, also `python -m ringg_provider.sandbox`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from decimal import Decimal

from ringg_provider.sandbox.server import serve
from ringg_provider.sandbox.settings import Settings


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="ringg-sandbox",
        description="A Ringg AI server to build against. No phone rings and no credit is spent.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one")
    parser.add_argument(
        "--generation",
        choices=("g2", "g3"),
        default=default.generation,
        help="which API documentation to follow",
    )
    parser.add_argument(
        "--smartalex",
        choices=("old", "new"),
        default=default.smartalex,
        help="which of SmartAlex's documentations to follow",
    )
    parser.add_argument(
        "--seed", type=int, default=default.seed, help="the same seed gives every number the same outcomes"
    )
    parser.add_argument("--speed", type=float, default=default.speed, help="simulated seconds per real second")
    parser.add_argument("--api-key", default=default.api_key)
    parser.add_argument("--balance", type=Decimal, default=default.balance, help="credits in the workspace")
    parser.add_argument("--cost-per-minute", type=Decimal, default=default.cost_per_minute)
    parser.add_argument(
        "--row-allowance", type=int, default=default.row_allowance, help="rows that one upload may hold"
    )
    parser.add_argument("--lines", type=int, default=default.lines, help="calls at the same time")
    parser.add_argument(
        "--history-rate-window-seconds",
        type=float,
        default=default.history_rate_window_seconds,
        help="ten history requests fit into this many real seconds; 0 lifts the limit",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sandbox until interrupted."""
    parser = _parser()
    options = vars(parser.parse_args(argv))
    host, port = options.pop("host"), options.pop("port")
    try:
        settings = Settings(**options)
    except ValueError as refused:
        parser.error(str(refused))
    try:
        serve(settings, host, port)
    except OSError as error:
        parser.exit(1, f"ringg-sandbox: cannot listen on {host}:{port}: {error.strerror}\n")


if __name__ == "__main__":
    main()
