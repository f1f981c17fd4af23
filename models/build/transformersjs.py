"""The teacher as a folder that transformers.js reads, whole and with 8-bit weights:

    python transformersjs.py TEACHER OUT     # TEACHER: model.safetensors, tokenizer.json, config.json, …
"""
import json
import os
import shutil
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from teacher import WIDTH, graph

FILES = ["config.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"]


def hidden_states(weights):
    """teacher.py's graph up to its last layer, with the inputs and the output that transformers.js knows a BERT by."""
    made = graph(weights)
    nodes, constants = list(made.graph.node), list(made.graph.initializer)
    last = max(place for place, node in enumerate(nodes) if node.op_type == "LayerNormalization")
    nodes = nodes[: last + 1]
    names = {"ids": "input_ids", "mask": "attention_mask", nodes[last].output[0]: "last_hidden_state", "type0": "types"}
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
        for place, name in enumerate(node.output):
            node.output[place] = names.get(name, name)
    types = weights["embeddings.token_type_embeddings.weight"]
    constants.append(numpy_helper.from_array(np.ascontiguousarray(types), "type_embeddings"))
    nodes.insert(0, helper.make_node("Gather", ["type_embeddings", "token_type_ids"], ["types"]))
    used = {name for node in nodes for name in node.input}
    tokens = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    states = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", WIDTH])
    constants = [constant for constant in constants if constant.name in used]
    return helper.make_model(
        helper.make_graph(nodes, "teacher", tokens, [states], constants),
        opset_imports=made.opset_import,
        ir_version=made.ir_version,
    )


if __name__ == "__main__":
    from onnxruntime.quantization import QuantType, quantize_dynamic

    teacher, out = sys.argv[1:3]
    os.makedirs(f"{out}/onnx", exist_ok=True)
    for name in FILES:
        shutil.copyfile(f"{teacher}/{name}", f"{out}/{name}")
    with open(f"{teacher}/tokenizer.json", encoding="utf-8") as file:
        tokenizer = json.load(file)
    # Whoever embeds says how many tokens; texts are filled up to the longest of their batch, not to 128.
    tokenizer["truncation"] = tokenizer["padding"] = None
    with open(f"{out}/tokenizer.json", "w", encoding="utf-8") as file:
        json.dump(tokenizer, file, ensure_ascii=False)
    model = hidden_states(load_file(f"{teacher}/model.safetensors"))
    onnx.checker.check_model(model)
    onnx.save(model, f"{out}/onnx/model.onnx")
    quantize_dynamic(
        f"{out}/onnx/model.onnx",
        f"{out}/onnx/model_quantized.onnx",
        # A scale for each column, and one bit left free: without either, the vectors are 2 to 10 times further off.
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        op_types_to_quantize=["MatMul", "Gather"],
    )
