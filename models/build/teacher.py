"""The teacher, all-MiniLM-L6-v2: its weights in an ONNX graph made here, run by ONNX Runtime, with 8-bit products if wanted.

    python teacher.py FOLDER     # with model.safetensors and vocab.txt: says how fast it is
"""
import os
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from tokenizer import Tokenizer

LAYERS, HEADS, SIZE = 6, 12, 32
WIDTH = HEADS * SIZE
MAX_TOKENS = 128


def graph(weights):
    """ids, mask: [batch, length] → last hidden state, mean over the mask, length 1: [batch, 384]."""
    nodes, constants = [], {}

    def constant(name, value):
        constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(kind, inputs, **attributes):
        name = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def weight(name):
        return constant(name, weights[name])

    def linear(x, name):
        product = node("MatMul", [x, constant(name + ".t", weights[name + ".weight"].T)])
        return node("Add", [product, weight(name + ".bias")])

    def norm(x, name):
        return node("LayerNormalization", [x, weight(name + ".weight"), weight(name + ".bias")], epsilon=1e-12, axis=-1)

    shape = node("Shape", ["ids"])
    length = node("Gather", [shape, constant("one", np.array([1], np.int64))])
    zero = constant("zero", np.array([0], np.int64))
    positions = node("Slice", [weight("embeddings.position_embeddings.weight"), zero, length, zero])
    typed = constant("type0", weights["embeddings.token_type_embeddings.weight"][0])
    x = node("Gather", [weight("embeddings.word_embeddings.weight"), "ids"])
    x = norm(node("Add", [node("Add", [x, positions]), typed]), "embeddings.LayerNorm")
    real = node("Cast", ["mask"], to=TensorProto.FLOAT)
    away = node("Unsqueeze", [real, constant("axes", np.array([1, 2], np.int64))])
    away = node("Mul", [node("Sub", [away, constant("onef", np.array(1, np.float32))]), constant("big", np.array(1e9, np.float32))])
    apart = constant("apart", np.array([0, 0, HEADS, SIZE], np.int64))
    together = constant("together", np.array([0, 0, WIDTH], np.int64))
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        q, k, v = (
            node("Transpose", [node("Reshape", [linear(x, f"{name}attention.self.{part}"), apart])], perm=perm)
            for part, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        a = node("Mul", [node("MatMul", [q, k]), constant("scale", np.array(SIZE**-0.5, np.float32))])
        a = node("Softmax", [node("Add", [a, away])], axis=-1)
        y = node("Reshape", [node("Transpose", [node("MatMul", [a, v])], perm=[0, 2, 1, 3]), together])
        x = norm(node("Add", [x, linear(y, name + "attention.output.dense")]), name + "attention.output.LayerNorm")
        h = node("Gelu", [linear(x, name + "intermediate.dense")])
        x = norm(node("Add", [x, linear(h, name + "output.dense")]), name + "output.LayerNorm")
    last = constant("last", np.array([2], np.int64))
    axis1 = constant("axis1", np.array([1], np.int64))
    summed = node("ReduceSum", [node("Mul", [x, node("Unsqueeze", [real, last])]), axis1], keepdims=0)
    mean = node("Div", [summed, node("ReduceSum", [real, axis1], keepdims=1)])
    long = node("Sqrt", [node("ReduceSum", [node("Mul", [mean, mean]), axis1], keepdims=1)])
    nodes.append(helper.make_node("Div", [mean, long], ["vectors"]))
    made = helper.make_graph(
        nodes,
        "teacher",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"]),
            helper.make_tensor_value_info("mask", TensorProto.INT64, ["batch", "length"]),
        ],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", WIDTH])],
        list(constants.values()),
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


class Teacher:
    def __init__(self, folder, threads=1, quantized=False):
        with open(f"{folder}/vocab.txt", encoding="utf-8") as file:
            self.vocabulary = [line.rstrip("\n") for line in file]
        self.tokenizer = Tokenizer(self.vocabulary)
        self.cls, self.sep = self.tokenizer.ids["[CLS]"], self.tokenizer.ids["[SEP]"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        with tempfile.TemporaryDirectory() as temporary:
            path = os.path.join(temporary, "teacher.onnx")
            onnx.save(graph(load_file(f"{folder}/model.safetensors")), path)
            if quantized:
                from onnxruntime.quantization import QuantType, quantize_dynamic

                small = os.path.join(temporary, "small.onnx")
                # A scale for each column: with one for all, the vectors are only 0.96 like the exact ones instead of 0.99.
                quantize_dynamic(
                    path, small, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"], per_channel=True
                )
                path = small
            self.session = onnxruntime.InferenceSession(path, options)

    def embed_ids(self, sequences, tokens_at_once=4096, progress=None):
        out = np.zeros((len(sequences), WIDTH), np.float32)
        order = sorted(range(len(sequences)), key=lambda place: len(sequences[place]))
        done = 0
        while done < len(order):
            # The longest of them is the last.
            take = 1
            while done + take < len(order) and (take + 1) * (len(sequences[order[done + take]]) + 2) <= tokens_at_once:
                take += 1
            rows = order[done : done + take]
            longest = len(sequences[rows[-1]]) + 2
            ids = np.zeros((len(rows), longest), np.int64)
            mask = np.zeros((len(rows), longest), np.int64)
            for at, row in enumerate(rows):
                sequence = [self.cls, *sequences[row], self.sep]
                ids[at, : len(sequence)] = sequence
                mask[at, : len(sequence)] = 1
            (out[rows],) = self.session.run(["vectors"], {"ids": ids, "mask": mask})
            done += len(rows)
            if progress:
                progress(done)
        return out

    def embed(self, texts, max_tokens=MAX_TOKENS, progress=None):
        encoded = [self.tokenizer.encode(text)[: max_tokens - 2] for text in texts]
        return self.embed_ids(encoded, progress=progress)


if __name__ == "__main__":
    texts = ["A man is eating food.", "Someone eats a meal.", "The girl plays the violin while the others listen to it."] * 200
    exact = None
    for quantized in (False, True):
        teacher = Teacher(sys.argv[1], quantized=quantized)
        tokens = sum(len(teacher.tokenizer.encode(text)) + 2 for text in texts)
        start = time.time()
        vectors = teacher.embed(texts)
        exact = vectors if exact is None else exact
        print(f"quantized: {quantized}, {tokens / (time.time() - start):.0f} tokens a second")
        print(vectors[:3] @ vectors[:3].T, "cosine to the exact ones", (vectors * exact).sum(1).min())
