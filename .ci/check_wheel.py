"""Run by `.ci/wheel` in an environment that holds only the wheel: does Airflow load the examples out of it?

Is all there that it promises others: the plugins and commands of its entry points, its bill of materials?
"""

from __future__ import annotations

import sys
from importlib.metadata import distribution
from importlib.util import find_spec
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

wheel = distribution("ringg-provider")
lost = [point.name for point in wheel.entry_points if find_spec(point.module) is None]
if lost:
    sys.exit(f"entry points lead nowhere: {lost}")
bills = [file for file in wheel.files or [] if "sboms" in file.parts]
if len(bills) != 1 or "CycloneDX" not in bills[0].read_text():
    sys.exit(f"the wheel has not one bill of materials, but {bills}")
print(f"the wheel's entry points are there: {', '.join(sorted(point.name for point in wheel.entry_points))}")
