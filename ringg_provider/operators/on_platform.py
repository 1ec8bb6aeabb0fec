"""Which workspace an operator or a sensor reaches."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from ringg_provider.hooks.platform import PlatformHook
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.smartalex import SmartAlexHook


class OnPlatform(BaseOperator):
    """Base of what reaches a calling platform."""

    #: What metrics, spans and lineage call it.
    platform: ClassVar[str]

    @property
    @abstractmethod
    def hook(self) -> PlatformHook[Any, Any]:
        """The hook of this attempt."""


class OnRingg(OnPlatform):
    """Base of what reaches Ringg AI.

    :param ringg_conn_id: the connection. Default ``ringg_default``.
    """

    platform = RinggHook.conn_type

    def __init__(self, *, ringg_conn_id: str = RinggHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ringg_conn_id = ringg_conn_id

    @cached_property
    def hook(self) -> RinggHook:
        """The hook of this attempt."""
        return RinggHook(self.ringg_conn_id)


class OnSmartAlex(OnPlatform):
    """Base of what reaches SmartAlex.

    :param smartalex_conn_id: the connection. Default ``smartalex_default``.
    """

    platform = SmartAlexHook.conn_type

    def __init__(self, *, smartalex_conn_id: str = SmartAlexHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.smartalex_conn_id = smartalex_conn_id

    @cached_property
    def hook(self) -> SmartAlexHook:
        """The hook of this attempt."""
        return SmartAlexHook(self.smartalex_conn_id)
