from staticgraph.core.graph import Graph, Tensor, get_default_graph
from staticgraph.ops.convert import constant, cast_to as cast
from staticgraph.ops.elementwise import *
from staticgraph.ops.state import Variable, placeholder
