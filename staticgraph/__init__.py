from staticgraph.core.graph import Graph, Tensor, Operation, get_default_graph
from staticgraph.core.function import Function
from staticgraph.core.dtypes import *
from staticgraph.errors import *
from staticgraph.ops.control import *
from staticgraph.ops.convert import constant, cast_to as cast
from staticgraph.ops.elementwise import *
from staticgraph.ops.shaping import *
from staticgraph.ops.sizes import shape, size
from staticgraph.ops.state import Variable, placeholder, placeholder_with_default, print, assert_true
from staticgraph.autodiff.reverse import gradients
from staticgraph.autodiff.forward import jvp
from staticgraph.runtime.session import Session, global_variables_initializer
from staticgraph.runtime.plan import extract, optimize
