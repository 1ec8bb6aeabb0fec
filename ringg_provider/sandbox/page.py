"""The page at `/`: campaigns and calls at a glance, numbers masked, nothing loaded from anywhere."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime
from html import escape

from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.world import Campaign, World

_ROWS = 50

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
p { margin: .3rem 0; color: var(--soft); } a { color: inherit; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
div { overflow-x: auto; } th { white-space: nowrap; } .id { color: var(--soft); white-space: nowrap; }
td.n, th.n { text-align: right; } code, .id { font-family: ui-monospace, monospace; font-size: .85em; }
.state { border: 1px solid var(--line); border-radius: .6em; padding: 0 .5em; white-space: nowrap; }
.completed { background: #2a82; } .ongoing, .scheduled, .active { background: #27c3; }
.failed, .terminated, .cancelled, .error, .insufficient_balance, .no_valid_contacts { background: #c433; }
details { border-bottom: 1px solid var(--line); padding: .35rem 0; } summary { cursor: pointer; }
pre { overflow: auto; background: #8882; padding: .6rem; border-radius: .4rem; }
"""


def document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>{body}</body></html>'
    )


def masked(number: str) -> str:
    """`+919876543210` -> `+91•••••••10`."""
    return f"{number[:3]}{'•' * max(0, len(number) - 5)}{number[-2:]}"


def _time(when: float | None) -> str:
    return "" if when is None else f"{datetime.fromtimestamp(when, UTC):%H:%M:%S}"


def _state(word: str | None) -> str:
    return f'<span class="state {escape(word or "")}">{escape(word or "contact list")}</span>'


def _table(head: list[str], rows: list[list[str]], nothing: str) -> str:
    """Columns whose title ends in a dot hold numbers and are set to the right."""
    if not rows:
        return f"<p>{escape(nothing)}</p>"
    classes = [' class="n"' if title.endswith(".") else "" for title in head]
    titles = "".join(f"<th{c}>{escape(t.rstrip('.'))}</th>" for t, c in zip(head, classes, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td{c}>{cell}</td>" for cell, c in zip(row, classes, strict=True)) + "</tr>" for row in rows
    )
    return f"<div><table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>"


_CAMPAIGN = ["Campaign", "State", "Contacts.", "Bad rows.", "Waiting.", "Live.", "Completed.", "Not reached.",
             "Starts.", "Changed (UTC)"]  # fmt: skip
_CALL = ["Number", "Campaign", "Status", "Detail", "Attempts.", "Seconds.", "Cost.", "Called (UTC)"]


def _campaign_row(campaign: Campaign) -> list[str]:
    counts = campaign.counts
    waiting = counts["registered"] + counts["retry"]
    return [
        f'<a href="/campaigns/{campaign.id}">{escape(campaign.name)}</a><br><span class="id">{campaign.id}</span>',
        _state(campaign.state),
        str(len(campaign.contacts)),
        str(campaign.invalid_rows),
        str(waiting),
        str(counts["ongoing"]),
        str(counts["completed"]),
        str(counts["failed"] + counts["error"] + counts["cancelled"]),
        str(campaign.launches),
        _time(campaign.updated_at),
    ]


def _call_row(call: Call, world: World) -> list[str]:
    campaign = world.campaigns[call.list_id].name if call.list_id else "single call"
    return [
        masked(call.to_number),
        escape(campaign),
        _state(call.status),
        escape(call.sub_status),
        str(len(call.attempts)),
        f"{call.duration:.1f}" if call.duration else "",
        f"{call.cost:.2f}" if call.cost else "",
        _time(call.called_at),
    ]


def overview(world: World, smartalex: World) -> str:
    """The whole page, newest or latest called first, at most fifty rows a table."""
    settings = world.settings
    campaigns = [_campaign_row(campaign) for campaign in world.campaign_order[: -_ROWS - 1 : -1]]
    others = [_campaign_row(campaign) for campaign in smartalex.campaign_order[: -_ROWS - 1 : -1]]
    latest = heapq.nlargest(_ROWS, world.calls, key=lambda call: call.called_at or call.created_at)
    calls = [_call_row(call, world) for call in latest]
    body = (
        "<h1>Ringg sandbox</h1>"
        f"<p>Generation {settings.generation} · seed {settings.seed} · speed {settings.speed:g} · "
        f"balance {world.balance:,.2f} · no phone rings · <a href='/docs'>API</a></p>"
        f"<h2>Campaigns ({len(world.campaign_order):,})</h2>{_table(_CAMPAIGN, campaigns, 'No list was uploaded yet.')}"
        f"<h2>SmartAlex campaigns ({len(smartalex.campaign_order):,})</h2>{_table(_CAMPAIGN, others, 'None yet.')}"
        f"<h2>Calls ({len(world.calls):,})</h2>" + _table(_CALL, calls, "No call was made yet.") + _workspace(world)
    )
    return document("Ringg sandbox", body)


def campaign_page(campaign_id: str, world: World, smartalex: World) -> str | None:
    """The page of one campaign of either platform; None where there is none of that id."""
    for platform in (world, smartalex):
        campaign = platform.campaigns.get(campaign_id)
        if campaign is not None:
            of_it = (call for call in platform.calls if call.list_id == campaign_id)
            latest = heapq.nlargest(_ROWS, of_it, key=lambda call: call.called_at or call.created_at)
            body = (
                f"<h1>{escape(campaign.name)}</h1><p><a href='/'>All campaigns</a></p>"
                f"{_table(_CAMPAIGN, [_campaign_row(campaign)], '')}<h2>Calls</h2>"
                f"{_table(_CALL, [_call_row(call, platform) for call in latest], 'No call was made yet.')}"
            )
            return document(campaign.name, body)
    return None


def _workspace(world: World) -> str:
    """What a DAG names: agents with their variables, caller numbers, pools."""
    workspace = world.workspace
    agents = [
        [
            f'{escape(agent.name)}<br><span class="id">{agent.id}</span>',
            escape(agent.kind),
            ", ".join(f"<code>{escape(name)}</code>" for name in agent.variables) or "none",
        ]
        for agent in workspace.agents.values()
    ]
    numbers = [
        [
            f'{escape(number.display_name)}<br><span class="id">{number.id}</span>',
            masked(number.number),
            escape(number.provider),
            ", ".join(word for word, is_so in (("test", number.is_test), ("flagged as spam", number.is_spam)) if is_so),
            f'<span class="id">{number.pool_id}</span>' if number.pool_id else "",
        ]
        for number in workspace.numbers
    ]
    pools: dict[str, list[str]] = {}
    for number in workspace.numbers:
        if number.pool_id:
            pools.setdefault(number.pool_id, []).append(number.display_name)
    members = [[f'<span class="id">{pool}</span>', escape(", ".join(names))] for pool, names in pools.items()]
    return (
        f"<h2>Agents ({len(agents)})</h2>{_table(['Agent', 'Kind', 'Variables'], agents, 'There is none.')}"
        f"<h2>Caller numbers ({len(numbers)})</h2>"
        f"{_table(['Number', 'Dials as', 'Provider', 'Marks', 'Pool'], numbers, 'There is none.')}"
        f"<h2>Number pools ({len(members)})</h2>{_table(['Pool', 'Members'], members, 'There is none.')}"
    )
