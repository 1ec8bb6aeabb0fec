"""What Airflow reads about this provider at every start; it imports nothing, so reading is free."""

from __future__ import annotations

from typing import Any

_RINGG = "Ringg AI"
_SMARTALEX = "SmartAlex"

# What the forms of both connections have.
_TIMEOUT = {
    "label": "Timeout in seconds",
    "description": "How long one request may wait for the platform.",
    "schema": {"type": ["number", "null"], "minimum": 1},
}
_VERIFY = {
    "label": "CA certificates",
    "description": "Path of a file or folder of CA certificates to trust, not the public ones.",
    "schema": {"type": ["string", "null"]},
}
_DASHBOARD_URL = {
    "label": "Campaign page",
    "description": "Where a person sees a campaign; {campaign_id} is replaced.",
    "schema": {"type": ["string", "null"], "format": "url"},
}
_WEBHOOK_SECRETS = {
    "webhook_secret": {
        "label": "Webhook secret",
        "description": "What deliveries to the inbox prove themselves with; 16 characters or more.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "webhook_secret_before": {
        "label": "Former webhook secret",
        "description": "Taken as well while the platform is being given a new one.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
}


def get_provider_info() -> dict[str, Any]:
    """Describe the provider to Airflow's `ProvidersManager`.

    Returns:
        A dict of the shape of Airflow's `provider_info.schema.json`; the connection forms follow its
        `provider.yaml.schema.json`. Airflow derives the module from `package-name`, the distribution's name.
    """
    return {
        "package-name": "ringg-provider",
        "name": "Ringg",
        "description": "Scheduled bulk calling with voice agents: a warehouse query in, outcomes out.",
        "integrations": [
            {
                "integration-name": _RINGG,
                "external-doc-url": "https://docs.ringg.ai/",
                "tags": ["service"],
            },
            {
                "integration-name": _SMARTALEX,
                "external-doc-url": "https://docs.getsmartalex.com/",
                "tags": ["service"],
            },
        ],
        "operators": [
            {
                "integration-name": _RINGG,
                # What a DAG uses is imported from ringg_provider.operators.ringg; the others hold base classes.
                "python-modules": [
                    "ringg_provider.operators.braking",
                    "ringg_provider.operators.budgeted",
                    "ringg_provider.operators.counting",
                    "ringg_provider.operators.launching",
                    "ringg_provider.operators.on_platform",
                    "ringg_provider.operators.promising",
                    "ringg_provider.operators.reaching",
                    "ringg_provider.operators.rolling_out",
                    "ringg_provider.operators.timely",
                    "ringg_provider.operators.ringg.balance",
                    "ringg_provider.operators.ringg.callbacks",
                    "ringg_provider.operators.ringg.campaign",
                    "ringg_provider.operators.ringg.events",
                    "ringg_provider.operators.ringg.launch",
                    "ringg_provider.operators.ringg.lists",
                    "ringg_provider.operators.ringg.preflight",
                    "ringg_provider.operators.ringg.rollout",
                    "ringg_provider.operators.ringg.start",
                    "ringg_provider.operators.ringg.stop",
                    "ringg_provider.operators.ringg.uploads",
                ],
            },
            {
                "integration-name": _SMARTALEX,
                "python-modules": [
                    "ringg_provider.operators.smartalex.callbacks",
                    "ringg_provider.operators.smartalex.campaign",
                    "ringg_provider.operators.smartalex.lists",
                    "ringg_provider.operators.smartalex.pause",
                    "ringg_provider.operators.smartalex.rollout",
                    "ringg_provider.operators.smartalex.start",
                ],
            },
        ],
        "sensors": [
            {
                "integration-name": _RINGG,
                "python-modules": ["ringg_provider.sensors.ringg", "ringg_provider.sensors.waiting"],
            },
            {"integration-name": _SMARTALEX, "python-modules": ["ringg_provider.sensors.smartalex"]},
        ],
        "hooks": [
            {
                "integration-name": _RINGG,
                "python-modules": ["ringg_provider.hooks.platform", "ringg_provider.hooks.ringg"],
            },
            {"integration-name": _SMARTALEX, "python-modules": ["ringg_provider.hooks.smartalex"]},
        ],
        "triggers": [
            {
                "integration-name": _RINGG,
                "python-modules": [
                    "ringg_provider.triggers.campaign",
                    "ringg_provider.triggers.inbox",
                    "ringg_provider.triggers.ringg",
                    "ringg_provider.triggers.rollout",
                    "ringg_provider.triggers.waiting",
                ],
            },
            {"integration-name": _SMARTALEX, "python-modules": ["ringg_provider.triggers.smartalex"]},
        ],
        "transfers": [
            {
                "source-integration-name": source,
                "target-integration-name": target,
                "python-module": f"ringg_provider.transfers.{module}",
            }
            for source, target, module in (
                ("Common SQL", _RINGG, "sql_to_lists"),
                ("Common SQL", _RINGG, "sql_to_ringg"),
                ("Common SQL", _SMARTALEX, "sql_to_smartalex"),
                ("Common SQL", _RINGG, "callbacks_to_lists"),
                ("Common SQL", _RINGG, "callbacks_to_ringg"),
                ("Common SQL", _SMARTALEX, "callbacks_to_smartalex"),
                (_SMARTALEX, "Common SQL", "smartalex_to_sql"),
                (_RINGG, "Common SQL", "ringg_to_sql"),
                (_RINGG, "Common SQL", "inbox_to_sql"),
                (_RINGG, "Common SQL", "ringg_inbox_to_sql"),
                (_SMARTALEX, "Common SQL", "smartalex_inbox_to_sql"),
                (_RINGG, "Common SQL", "ringg_publish"),
                (_SMARTALEX, "Common SQL", "smartalex_publish"),
            )
        ],
        "connection-types": [
            {
                "connection-type": "ringg",
                "hook-class-name": "ringg_provider.hooks.ringg.RinggHook",
                "hook-name": _RINGG,
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "port", "extra"],
                    "relabeling": {"password": "API key", "host": "Base URL"},
                    "placeholders": {
                        "password": "rg_live_...",
                        "host": "https://prod-api.ringg.ai/ca/api/v0",
                    },
                },
                "conn-fields": {
                    "timeout": _TIMEOUT,
                    "verify": _VERIFY,
                    "history_requests_per_minute": {
                        "label": "History requests per minute",
                        "description": "How often the call history may be read; the platform allows 10.",
                        "schema": {"type": ["integer", "null"], "minimum": 1},
                    },
                    "dashboard_url": _DASHBOARD_URL,
                    **_WEBHOOK_SECRETS,
                },
            },
            {
                "connection-type": "smartalex",
                "hook-class-name": "ringg_provider.hooks.smartalex.SmartAlexHook",
                "hook-name": _SMARTALEX,
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "port", "extra"],
                    "relabeling": {"password": "API key", "host": "Base URL"},
                    "placeholders": {"password": "your API key", "host": "https://api.getsmartalex.com/v1"},
                },
                "conn-fields": {
                    "timeout": _TIMEOUT,
                    "verify": _VERIFY,
                    "generation": {
                        "label": "API generation",
                        "description": "Which of the vendor's documentations requests follow: old or new.",
                        "schema": {"type": ["string", "null"], "enum": ["old", "new", None]},
                    },
                    "requests_per_minute": {
                        "label": "Requests per minute",
                        "description": "How often the platform may be asked; the smallest plan allows 60.",
                        "schema": {"type": ["integer", "null"], "minimum": 1},
                    },
                    "dashboard_url": _DASHBOARD_URL,
                    **_WEBHOOK_SECRETS,
                    "paths": {
                        "label": "Other paths",
                        "description": "JSON: paths to use instead of those that no page of the vendor shows.",
                        "schema": {"type": ["string", "null"]},
                    },
                },
            },
        ],
        "extra-links": ["ringg_provider.links.ringg.RinggCampaignLink"],
        "asset-uris": [
            {
                "schemes": ["ringg", "smartalex"],
                "handler": "ringg_provider.lineage.assets.sanitize_uri",
                "factory": "ringg_provider.lineage.assets.create_asset",
                "to_openlineage_converter": "ringg_provider.lineage.assets.convert_asset_to_openlineage",
            }
        ],
        "config": {
            "ringg": {
                "description": "The control room: pages that show how campaigns go. And the inbox of webhooks.",
                "options": {
                    "state_conn_id": _option(
                        "The connection of the database that holds the tables; what the DAGs call state_conn_id.",
                        "",
                        example="warehouse",
                    ),
                    "schema": _option("The tables' schema; empty for the connection's own.", "", example="calling"),
                    "calls_table": _option("The table of Ringg's calls.", "ringg_calls"),
                    "campaigns_table": _option("The table of Ringg's campaigns.", "ringg_campaigns"),
                    "contacts_table": _option("The table of people on the lists.", "ringg_contacts"),
                    "smartalex_calls_table": _option("The table of SmartAlex's calls.", "smartalex_calls"),
                    "callbacks_table": _option("The table of promises to call people back.", "ringg_callbacks"),
                    "allow_stop": _option(
                        "Whether whoever may trigger a DAG may also stop its campaigns on these pages.",
                        "True",
                        type_="boolean",
                    ),
                    "inbox": _option(
                        "Whether the API server takes the platforms' webhooks, at /ringg/webhooks/<connection>. Who has"
                        " no login but the connection's webhook_secret can reach it.",
                        "False",
                        type_="boolean",
                    ),
                    "inbox_table": _option("The table of deliveries.", "ringg_inbox"),
                },
            }
        },
    }


def _option(description: str, default: str, *, example: str | None = None, type_: str = "string") -> dict[str, Any]:
    return {
        "description": description,
        "version_added": None,
        "type": type_,
        "example": example,
        "default": default,
    }
