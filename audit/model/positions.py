"""Functions of torch that keep the positions of a map apart, by name, for those who follow positions through a network.

Names are without the underscores of methods and in-place functions.
"""

from audit.model.hooks import ACTIVATIONS

ELEMENTWISE = ACTIVATIONS - {"softmax", "softmin", "log_softmax", "glu"} | {
    *("batch_norm", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"),
    *("clone", "contiguous", "to", "neg", "abs", "exp", "sqrt", "square", "pow", "clamp"),
}
ARITHMETIC = {
    *("add", "iadd", "radd", "sub", "isub", "rsub", "mul", "imul", "rmul", "div", "truediv", "itruediv", "rtruediv"),
}
