"""Run by `.ci/wheel` in an environment that holds only the wheel: does Airflow load the examples out of it?"""

from __future__ import annotations

import sys
from pathlib import Path

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag

import ringg_provider

BUNDLE = "ringg-provider-example-dags"

package = Path(ringg_provider.__file__).parent
if "site-packages" not in package.parts:
    sys.exit(f"the source tree was imported instead of the wheel: {package}")

bundles = {bundle.name: bundle.path for bundle in DagBundlesManager().get_all_dag_bundles()}
if bundles.get(BUNDLE) != package / "example_dags":
    sys.exit(f"Airflow does not see the provider's examples; its bundles: {bundles}")

bag = DagBag(dag_folder=bundles[BUNDLE], bundle_path=bundles[BUNDLE], bundle_name=BUNDLE)
if bag.import_errors or not bag.dags:
    sys.exit(f"the examples do not load: {bag.import_errors or 'there are none'}")
print(f"the wheel's examples load: {', '.join(sorted(bag.dags))}")
