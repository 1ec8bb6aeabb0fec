"""The SmartAlex sensor against the sandbox on a socket, in both modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from ringg_provider.exceptions import CampaignTerminated, TooFewCalled
from ringg_provider.sensors.smartalex import SmartAlexCampaignSensor
from tests.sensors.waits import both_modes, waited
from tests.support.sandbox import Sandbox
from tests.support.smartalex import started_campaign


@pytest.fixture
def sandbox(sandbox_factory: Callable[..., Sandbox]) -> Sandbox:
    """A day passes with every second."""
    return sandbox_factory(speed=86_400)


def campaign_sensor(campaign_id: str, **more: Any) -> SmartAlexCampaignSensor:
    arguments: dict[str, Any] = {"poke_interval": 0.1, "timeout": 20.0, **more}
    return SmartAlexCampaignSensor(
        task_id="wait", smartalex_conn_id="smartalex_sandbox", campaign_id=campaign_id, **arguments
    )


@both_modes
def test_a_campaign_that_completed_is_told_by_its_id(sandbox: Sandbox, deferrable: bool) -> None:
    campaign_id = started_campaign(sandbox)
    assert waited(campaign_sensor(campaign_id, deferrable=deferrable)) == campaign_id


@both_modes
def test_a_campaign_that_a_person_cancelled_fails_without_retry(sandbox: Sandbox, deferrable: bool) -> None:
    sandbox.settings(speed=1)
    campaign_id = started_campaign(sandbox)
    sandbox.admin.post(f"/_sandbox/smartalex/campaigns/{campaign_id}/cancel").raise_for_status()
    with pytest.raises(AirflowFailException) as caught:
        waited(campaign_sensor(campaign_id, deferrable=deferrable))
    assert type(caught.value.__cause__) is CampaignTerminated


@both_modes
def test_a_paused_campaign_has_not_ended(sandbox: Sandbox, deferrable: bool) -> None:
    sandbox.settings(speed=1)
    campaign_id = started_campaign(sandbox)
    sandbox.settings(forced_statuses={campaign_id: "paused"})
    with pytest.raises(AirflowSensorTimeout):
        waited(campaign_sensor(campaign_id, deferrable=deferrable, timeout=0.5))


@both_modes
@pytest.mark.parametrize("generation", ["g2", "g3"])
@pytest.mark.parametrize(("voicemails", "reached"), [(1.0, 0), (0.0, 1)])
def test_a_campaign_that_reached_too_few_does_not_end_in_silence(
    sandbox_factory: Callable[..., Sandbox],
    capsys: pytest.CaptureFixture[str],
    deferrable: bool,
    generation: str,
    voicemails: float,
    reached: int,
) -> None:
    rates = {"busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0, "voicemail_rate": voicemails}
    sandbox = sandbox_factory(generation, speed=86_400, **rates)
    campaign_id = started_campaign(sandbox)
    assert waited(campaign_sensor(campaign_id, deferrable=deferrable)) == campaign_id
    assert ("nobody was reached" in capsys.readouterr().out) is (reached == 0)
    few = f"at least {reached + 100} must be"
    with pytest.raises(AirflowFailException, match=few) as caught:
        waited(campaign_sensor(campaign_id, deferrable=deferrable, min_reached=reached + 100))
    assert type(caught.value.__cause__) is TooFewCalled
