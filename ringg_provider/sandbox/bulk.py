"""Makes up campaigns and finished calls in bulk, for benchmarks that need more than anybody would dial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ringg_provider.sandbox.calls import UNANSWERED, Call, cost_of, simulate
from ringg_provider.sandbox.clock import whole_microseconds
from ringg_provider.sandbox.csv_rules import Contact
from ringg_provider.sandbox.workspace import SURVEY
from ringg_provider.sandbox.world import Campaign, World, call_of


def _seed(world: World, name: str, state: str | None, created: float, ends: float, rows: int) -> Campaign:
    """Add a campaign that was made, and got into its state, at a time in the past."""
    campaign = Campaign(
        name=name, agent_id=SURVEY, country_code="+91", flow="upload", created_at=created, total_rows=rows
    )
    campaign.starts_at, campaign.ends_at = created, ends
    campaign.launches = int(state not in (None, "draft", "verifying", "insufficient_balance"))
    world.add_campaign(campaign, state)
    campaign.states[0] = (created, state)
    return campaign


def seed_campaigns(world: World, count: int, states: Sequence[str | None]) -> list[str]:
    """Add `count` campaigns without calls, one second apart, the newest now; their states take turns."""
    now = world.clock.wall()
    ids = []
    for index in range(count):
        created = now - (count - index)
        state = states[index % len(states)]
        ids.append(_seed(world, f"Seeded campaign {index + 1}", state, created, created + 86_400, 0).id)
    world.campaign_order.sort(key=lambda campaign: campaign.created_at)
    return ids


def seed_calls(world: World, count: int, hours: float, name: str) -> str:
    """Add one completed campaign of `count` finished calls, spread evenly over the last `hours`; returns its id."""
    now = world.clock.wall()
    first, step = now - hours * 3600, hours * 3600 / count
    campaign = _seed(world, name, "completed", first, now, count)
    calls = [_finished_call(world, campaign, index, first + index * step) for index in range(count)]
    world.add_calls(calls, campaign)
    campaign.counts = Counter(call.status for call in calls)
    world.campaign_order.sort(key=lambda one: one.created_at)
    return campaign.id


def _finished_call(world: World, campaign: Campaign, index: int, created: float) -> Call:
    number, name = f"+9198{index % 100_000_000:08d}", f"Contact {index + 1}"
    contact = Contact(number, name, {"callee_name": name, "mobile_number": number})
    call = call_of(campaign, contact, 1, whole_microseconds(created))
    attempt = simulate(call, 1, world.settings, 240)
    attempt.started_at, attempt.from_number = call.created_at, world.workspace.numbers[0].number
    call.attempts.append(attempt)
    call.duration, call.cost = attempt.talk_seconds, cost_of(attempt.talk_seconds, world.settings)
    call.status = "failed" if attempt.outcome in UNANSWERED else "completed"
    call.sub_status = attempt.sub_status
    call.ended_at = min(created + attempt.ring_seconds + attempt.talk_seconds, world.clock.wall())
    call.costed_at = call.analysed_at = world.events.now()
    return call
