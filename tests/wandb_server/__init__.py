"""A server on loopback that the real wandb SDK talks to. A stand-in for tests, not wandb: it shows no dashboard.

How a request travels:

    http.py         takes it from the socket          faults.py      may spoil it
    server.py       gives it to one of these:
      graphql.py    walks a query over the records    filestream.py  takes history, summary and console
      files.py      keeps and hands out bytes

    records.py      what the server remembers         state.py       where it is found

What the SDK may ask of each record, and may do to it, stands together:

    account.py  projects.py  sweeps.py  search.py  views.py
    runs.py  run_changes.py  history.py  filters.py
    artifacts.py  artifact_collections.py  artifact_versions.py  artifact_uploads.py  artifact_changes.py  manifests.py

Whatever the SDK asks for that is not there is answered with null and listed in `WandbServer.unknown`; the
fixture then fails the test. Fields and arguments are called as in wandb's GraphQL, but in snake case.
"""

from wandb_server.server import WandbServer

__all__ = ["WandbServer"]
