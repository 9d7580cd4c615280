"""The deployed network as an ONNX file: what train.py fills with weights and variants.py times.

luma [1,1,H,W] → SpaceToDepth(2) → [1,4,H/2,W/2] → 3x3 convolutions with ReLU → a linear 3x3 convolution
to 16 channels, plus the skip: a linear 3x3 convolution of the 4 input channels → DepthToSpace(4) →
luma_x2 [1,1,2H,2W]. Values are studio luma / 255 (0..1, black 16/255); the output is not clipped.
"""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 8


def build(layers, skip, *, join="add", shuffle="DCR", metadata=None):
    """Returns the checked ModelProto.

    layers: [(weight [out,in,3,3], bias [out] or None), …] float32; all but the last are followed by ReLU.
    skip: weight [16,4,3,3] on the unshuffled input. join: "add" is a parallel convolution and Add (which
    ONNX Runtime fuses into the last convolution), "concat" one convolution of 16 + 4 channels.
    """
    nodes, consts = [], []

    def const(name, value):
        consts.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def conv(name, source, weight, bias, target):
        inputs = [source, const(f"{name}.weight", weight)]
        if bias is not None:
            inputs.append(const(f"{name}.bias", bias))
        nodes.append(helper.make_node("Conv", inputs, [target], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))

    nodes.append(helper.make_node("SpaceToDepth", ["luma"], ["cells"], "unshuffle", blocksize=2))
    *body, (weight, bias) = layers
    last = "cells"
    for i, (w, b) in enumerate(body):
        conv(f"conv{i}", last, w, b, f"conv{i}.out")
        nodes.append(helper.make_node("Relu", [f"conv{i}.out"], [f"act{i}"], f"relu{i}"))
        last = f"act{i}"
    if join == "concat":
        nodes.append(helper.make_node("Concat", [last, "cells"], ["both"], "concat", axis=1))
        conv("tail", "both", np.concatenate([weight, skip], 1), bias, "pixels")
    else:
        conv("skip", "cells", skip, None, "base")
        conv("tail", last, weight, bias, "detail")
        nodes.append(helper.make_node("Add", ["detail", "base"], ["pixels"], "add"))
    nodes.append(helper.make_node("DepthToSpace", ["pixels"], ["luma_x2"], "shuffle", blocksize=4, mode=shuffle))

    shape = lambda name, *dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, *dims])
    graph = helper.make_graph(nodes, "swift-s-x2", [shape("luma", "height", "width")],
                              [shape("luma_x2", "height_x2", "width_x2")], consts)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR,
                              producer_name="upscaled")
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model, full_check=True)
    return model


def parameters(model):
    """Number of weights and biases in the file."""
    return sum(int(np.prod(c.dims)) for c in model.graph.initializer)


def session(model, threads=1, **sizes):
    """A CPU session as the product makes it: capped threads that sleep instead of spinning.

    sizes: height=…, width=… fix the symbolic sizes, which lets ONNX Runtime fuse the Add.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, size in sizes.items():
        options.add_free_dimension_override_by_name(name, size)
    data = model if isinstance(model, (str, bytes)) else model.SerializeToString()
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
