"""Who may see what, and stop what: Airflow's own auth manager says so, for every route.

A person sees the campaigns of the DAGs whose runs he may read, and stops those of the DAGs that he may trigger, where
he may also say when people are to be called back.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.models.dag import DagModel
from airflow.providers.common.compat.sdk import conf
from airflow.utils.session import create_session
from fastapi import Depends, HTTPException, Request, status
from sqlalchemy.exc import SQLAlchemyError

from ringg_provider.ui.settings import Settings

#: What a POST must carry: no form and no image of another site can send it without asking this one first.
HEADER = "X-Ringg-Action"
#: What Airflow's audit log calls a stop, and a promise that somebody settles.
STOP_EVENT, SETTLE_EVENT = "ringg_stop_campaign", "ringg_settle_callback"
#: A DAG that is nobody's: who may read its runs may read those of all.
_ANY_DAG = "__any_dag__"

#: Of the whole app: who is not logged in, by Airflow's cookie or token, gets 401.
AUTHENTICATED = Depends(get_user)
#: Whoever asks.
CurrentUser = Annotated[BaseUser, AUTHENTICATED]


def readable_dags(user: CurrentUser) -> frozenset[str] | None:
    """The DAGs whose campaigns a person sees.

    :return: their ids. None for all campaigns, those included whose DAG is gone or was never noted: for who may read
        the runs of every DAG and Airflow's connections, which in Airflow's own roles are Op and Admin.
    """
    manager = get_auth_manager()

    def reads_runs(dag_id: str | None) -> bool:
        details = None if dag_id is None else DagDetails(id=dag_id)
        return manager.is_authorized_dag(method="GET", access_entity=DagAccessEntity.RUN, details=details, user=user)

    if reads_runs(_ANY_DAG) and manager.is_authorized_connection(method="GET", user=user):
        return None
    dags = manager.get_authorized_dag_ids(user=user, method="GET")
    return frozenset(dags if reads_runs(None) else filter(reads_runs, dags))


#: The filter of every query: the DAGs that the person may read, None for all.
ReadableDags = Annotated[frozenset[str] | None, Depends(readable_dags)]

#: For a route with ``{dag_id}`` in its path: 403 for who may not read the runs of that DAG.
require_dag = requires_access_dag(method="GET", access_entity=DagAccessEntity.RUN)


def may_trigger(dag_id: str, user: BaseUser) -> bool:
    """Whether a person may trigger a DAG, and a page should offer to settle its promises."""
    # Airflow's own dependency can be told of a DAG that is not the path's only from 3.1.8 on.
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    manager = get_auth_manager()
    return manager.is_authorized_dag(method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user)


def may_stop(dag_id: str, user: BaseUser) -> bool:
    """Whether a page should offer to stop a campaign of a DAG."""
    return Settings.read().allow_stop and may_trigger(dag_id, user)


def require_trigger(dag_id: str, user: CurrentUser) -> None:
    """For a route with ``{dag_id}`` in its path: 403 for who may not trigger that DAG.

    :raises HTTPException: this person may not.
    """
    if not may_trigger(dag_id, user):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Forbidden")


def require_stop(dag_id: str, user: CurrentUser) -> None:
    """For a route with ``{dag_id}`` in its path: 403 for who may not stop its campaigns.

    :raises HTTPException: stopping is off, or this person may not trigger the DAG.
    """
    if not Settings.read().allow_stop:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Stopping is switched off ([ringg] allow_stop).")
    require_trigger(dag_id, user)


def require_own_page(request: Request) -> None:
    """For a route that changes something: only a page of ours may ask for it, not another site in the same browser.

    :raises HTTPException: our header is not there, or the page is another site's.
    """
    if request.headers.get(HEADER) is None:
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"The request has no header {HEADER}.")
    origin = request.headers.get("Origin")
    if origin not in _own_origins(request) or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            "The request comes from another site. Behind a proxy, [api] base_url must be the address in the browser.",
        )


def _own_origins(request: Request) -> frozenset[str]:
    base = urlsplit(conf.get("api", "base_url", fallback="") or "")
    return frozenset({f"{base.scheme}://{base.netloc}", f"{request.url.scheme}://{request.headers.get('Host', '')}"})


def noted(event: str) -> Any:
    """A dependency that leaves an entry in Airflow's audit log, before anything is done: what cannot be noted is not.

    :param event: what the log calls it.
    """

    async def note(request: Request, user: CurrentUser) -> None:
        try:
            # Airflow's own dependency gets a session that is committed after the route, and so after the deed.
            with create_session(scoped=False) as session:
                await action_logging(event)(request=request, session=session, user=user)
        except SQLAlchemyError as error:
            raise HTTPException(
                status.HTTP_503_SERVICE_UNAVAILABLE, "Nothing was done: Airflow's audit log took no entry."
            ) from error

    return Depends(note)


#: Of a route that stops, in this order.
STOP_DEPENDENCIES = (Depends(require_own_page), Depends(require_stop), noted(STOP_EVENT))
#: Of a route that settles a promise.
SETTLE_DEPENDENCIES = (Depends(require_own_page), Depends(require_trigger), noted(SETTLE_EVENT))
