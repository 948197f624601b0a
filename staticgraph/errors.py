"""The exceptions of staticgraph.

Every error a user can cause is a `StaticGraphError`; `CompilerError` is the one class that
means a bug in staticgraph itself. A message always names the operation, what it has, what it
wants, the way out and the user's own line.
"""

from __future__ import annotations


class StaticGraphError(Exception):
    """Base class of every error that staticgraph raises on purpose."""


class GraphError(StaticGraphError):
    """A graph is built or used in a way that has no meaning: mixed graphs, unordered assigns."""


class ShapeError(StaticGraphError):
    """Shapes of operands do not fit, at build time where they are known, else in the run."""


class IndexingError(ShapeError, IndexError):
    """A key does not fit the tensor that it indexes; Python's IndexError too, as for sequences."""


class DTypeError(StaticGraphError):
    """An operation does not take the dtype it is given."""


class FeedError(StaticGraphError):
    """A fed value does not fit its tensor, is missing, or has no tensor to go to."""


class FetchError(StaticGraphError):
    """What is asked for cannot be fetched from this session's graph."""


class GradientError(StaticGraphError):
    """The derivative asked for does not exist or is ambiguous."""


class NumericsError(StaticGraphError):
    """A session with ``check_numerics=True`` met the first NaN or infinity of a run."""


class RunError(StaticGraphError):
    """The data of a run made it impossible: a failed assertion, an index out of range."""


class CheckpointError(StaticGraphError):
    """A checkpoint cannot be read back into this graph."""


class CompilerError(StaticGraphError):
    """A bug in staticgraph, not in the user's program; the message says how to report it."""


class GraphGrowthWarning(UserWarning):
    """A graph keeps growing between the runs of a session, as if built inside the loop."""


class CacheWarning(UserWarning):
    """Machine code could not be kept on the disk, or what was kept there is damaged."""
