"""Campaigns on a cluster whose machines die: `make test-cluster`.

`trial.py` sets the stage, lets `monkey.py` loose on it while `dags/campaigns.py` runs, and has `verdict.py` judge what
`evidence.py` read in the end. The tests in this folder try the parts; the trials themselves run by `__main__.py`,
in an environment of their own that has Celery.
"""
