"""What a run has cost so far: its budget holds over restarts."""

from __future__ import annotations

from chapeta.stages.run import Run


def spent_usd(run: Run) -> float:
    """USD that the run's calls have cost since it began, by the ledger; 0 where no budget asks for it.

    Calls of unknown cost are not in it: under a budget there are none.
    """
    if run.settings.budget_usd is None:
        return 0.0
    from chapeta.gateway.ledger import import_journal
    from chapeta.gateway.ledger.usage import usd_of_run
    from chapeta.storage.database import open_database

    with open_database() as database:
        import_journal(database)
        return usd_of_run(database, run.label, run.began_s)
