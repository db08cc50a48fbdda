# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime, one operator each, on bound memory. f32 alone: its CPU kernels here have no bf16."""

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

from . import Peer

_threads = 1


def setup(threads):
    global _threads
    _threads = threads
    return "onnxruntime " + ort.__version__


def _session(nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        initializer=list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    options = ort.SessionOptions()
    options.intra_op_num_threads = _threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    results = {}
    for name, array in inputs.items():
        binding.bind_cpu_input(name, array)
    for name, (kind, shape) in outputs.items():
        results[name] = np.empty(shape, np.float32 if kind == TensorProto.FLOAT else np.int64)
        kind = results[name].dtype.type
        binding.bind_output(name, "cpu", 0, kind, shape, results[name].ctypes.data)
    return (lambda: session.run_with_iobinding(binding)), results


def peers(d):
    s = d.spec
    if s.dtype != "f32":
        return []
    floats = TensorProto.FLOAT
    k = helper.make_tensor("k", TensorProto.INT64, [1], [s.k])
    if not d.linear:
        rows, cols = s.sizes
        if s.kernel == "logsumexp":
            node = helper.make_node("ReduceLogSumExp", ["x"], ["y"], axes=[1], keepdims=0)
            run, out = _session([node], {"x": d.x}, {"y": (floats, [rows])})
            return [Peer("onnxruntime ReduceLogSumExp", run, lambda: out["y"][:1])]
        if s.kernel in ("softmax", "log_softmax"):
            name = "Softmax" if s.kernel == "softmax" else "LogSoftmax"
            run, out = _session([helper.make_node(name, ["x"], ["y"], axis=1)], {"x": d.x}, {"y": (floats, [rows, cols])})
            return [Peer("onnxruntime " + name, run, lambda: out["y"][0])]
        if s.kernel == "topk":
            node = helper.make_node("TopK", ["x", "k"], ["y", "ids"], axis=1, sorted=1 if s.sorted else 0)
            run, out = _session([node], {"x": d.x}, {"y": (floats, [rows, s.k]), "ids": (TensorProto.INT64, [rows, s.k])}, [k])
            return [Peer("onnxruntime TopK", run, lambda: out["y"][0])]
        return []
    if s.kernel == "linear_topk":
        rows = s.sizes[0]
        nodes = [helper.make_node("Gemm", ["h", "w"], ["z"], transB=1),
                 helper.make_node("TopK", ["z", "k"], ["y", "ids"], axis=1)]
        outputs = {"y": (floats, [rows, s.k]), "ids": (TensorProto.INT64, [rows, s.k])}
        run, out = _session(nodes, {"h": d.hidden, "w": d.weights}, outputs, [k])
        return [Peer("onnxruntime Gemm + TopK", run, lambda: out["y"][0])]
    return []
