"""Jobs over HTTP: for those who submit and watch them, and for the workers that do them."""

from forge_collector.jobs.routes.table import JobRoutes

__all__ = ["JobRoutes"]
