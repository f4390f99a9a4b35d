"""A tree over HTTP, with the extra `regrow[web]`: health, metrics, events, and a page."""

from regrow.errors import MissingExtraError

_EXTRA = "web"
try:
    from ._app import TreeApp as TreeApp, app as app
    from ._measure import Metrics as Metrics
    from ._serve import serve as serve
except ModuleNotFoundError as _error:
    _root = (_error.name or "").partition(".")[0]
    if _root not in {"starlette", "hypercorn", "prometheus_client"}:
        raise
    raise MissingExtraError(_EXTRA, _root) from _error

__all__ = ["Metrics", "TreeApp", "app", "serve"]
