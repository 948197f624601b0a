"""What neural networks add to the vocabulary: the namespace.

losses.py holds softmax and cross-entropies, activations.py functions of single elements, and
normalization.py what brings activations to a common size. All but the losses are compositions.
"""

from __future__ import annotations

from staticgraph.ops.elementwise import relu, sigmoid, softplus, tanh
from staticgraph.ops.indexing import one_hot
from staticgraph.ops.nn.activations import (
    celu,
    crelu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    mish,
    relu6,
    selu,
    silu,
    softsign,
    swish,
)
from staticgraph.ops.nn.losses import (
    log_softmax,
    sigmoid_cross_entropy_with_logits,
    softmax,
    softmax_cross_entropy_with_logits,
    sparse_softmax_cross_entropy_with_logits,
    weighted_cross_entropy_with_logits,
)
from staticgraph.ops.nn.normalization import (
    batch_normalization,
    dropout,
    l2_loss,
    l2_normalize,
    layer_norm,
    moments,
    rms_norm,
)
from staticgraph.ops.reduction import logsumexp

__all__ = [
    "batch_normalization",
    "celu",
    "crelu",
    "dropout",
    "elu",
    "gelu",
    "glu",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "l2_loss",
    "l2_normalize",
    "layer_norm",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "mish",
    "moments",
    "one_hot",
    "relu",
    "relu6",
    "rms_norm",
    "selu",
    "sigmoid",
    "sigmoid_cross_entropy_with_logits",
    "silu",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "softplus",
    "softsign",
    "sparse_softmax_cross_entropy_with_logits",
    "swish",
    "tanh",
    "weighted_cross_entropy_with_logits",
]


def __dir__() -> list[str]:
    """What the namespace offers, without what it is made of."""
    return __all__
