"""Stopping a campaign because its task was marked failed, whatever interrupts the trigger meanwhile.

Airflow cancels a trigger again about every second until it has ended, and so would cut what the trigger does about the
first cancel: finding out why takes longer in a young triggerer, and stopping where the platform asks to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from ringg_provider.exceptions import TransientError, UnexpectedResponse
from ringg_provider.triggers.clients import shared_client
from ringg_provider.triggers.tasks import task_state_of
from ringg_provider.triggers.waiting import WaitingTrigger, pause_after

#: Seconds that finding out what became of the task may take.
CHECK_WITHIN = 20.0
#: Seconds for which a platform that is unwell is asked again to stop.
STOP_WITHIN = 600.0
#: Seconds between two such tries, unless the platform asks for more.
STOP_INTERVAL = 5.0
#: Seconds that an interrupted stop has when the triggerer shuts down, which Airflow kills after twenty.
SHUTDOWN_WITHIN = 8.0

#: What runs to its end by itself; an event loop does not keep its tasks alive.
under_way: set[asyncio.Task[None]] = set()


async def undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Do something to its end and wait for it, however often whoever waits is cancelled.

    Waiting on keeps the trigger's log open, so that the task's log says how it ended.
    """
    task = asyncio.get_running_loop().create_task(work)
    under_way.add(task)
    task.add_done_callback(under_way.discard)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])


async def stop_if_marked_failed(trigger: WaitingTrigger, stop: Callable[[Any], Awaitable[str]]) -> None:
    """Stop a trigger's campaign if a person marked its task failed; what cannot be done is logged.

    A trigger is also cancelled when its task is cleared or marked a success, when a triggerer shuts down and, in
    Airflow 3.3.0 to 3.3.2, when a slow one hands its work over: then the campaign goes on.

    :param trigger: waits for the campaign.
    :param stop: stops it, given the platform's client, and says what was done.
    """
    campaign_id, log = trigger.watched_id, trigger.log
    try:
        async with asyncio.timeout(CHECK_WITHIN):
            state = await task_state_of(trigger)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
        log.error(
            "Campaign %s goes on: it could not be found out whether its task was marked failed (%s). If it was, stop "
            "the campaign by hand.",
            campaign_id,
            type(error).__name__,
        )
        return
    if state != "failed":
        log.info("Campaign %s goes on.", campaign_id)
        return
    try:
        async with shared_client(trigger.hook) as client:

            async def insist(seconds: float) -> str:
                async with asyncio.timeout(seconds):
                    while True:
                        try:
                            return await stop(client)
                        except (TransientError, UnexpectedResponse) as error:
                            log.warning("Campaign %s is not stopped yet (%s); trying again.", campaign_id, error)
                            pause = pause_after(error, STOP_INTERVAL)
                        await asyncio.sleep(pause)

            try:
                done = await insist(STOP_WITHIN)
            except asyncio.CancelledError:
                # Only a triggerer that shuts down gets here: its event loop waits for this last try.
                done = await insist(SHUTDOWN_WITHIN)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
        log.error(
            "Campaign %s could not be stopped though its task was marked failed (%s: %s); it may go on calling. Stop "
            "it by hand.",
            campaign_id,
            type(error).__name__,
            error,
        )
        return
    log.info("Campaign %s was %s: the task was marked failed.", campaign_id, done)
