"""The embedder, in the fewest words: what src/adapters/static must do as well. `python reference.py FOLDER` prints vectors
of the texts in FOLDER/test-texts.json, as the tests have them."""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "build"))
from tokenizer import Tokenizer  # noqa: E402


class Model:
    def __init__(self, folder):
        with open(f"{folder}/vocab.txt", encoding="utf-8") as file:
            self.tokenizer = Tokenizer([line.rstrip("\n") for line in file])
        with open(f"{folder}/model.bin", "rb") as file:
            data = file.read()
        start = 4 + int.from_bytes(data[:4], "little")
        header = json.loads(data[4:start])
        tokens, dimensions = header["tokens"], header["dimensions"]
        scales = np.frombuffer(data, "<f4", tokens, start)
        numbers = np.frombuffer(data, np.int8, tokens * dimensions, start + 4 * tokens)
        self.vectors = numbers.reshape(tokens, dimensions) * scales[:, None]

    def embed(self, texts):
        out = np.zeros((len(texts), self.vectors.shape[1]))
        for row, text in enumerate(texts):
            ids = self.tokenizer.encode(text)
            if ids:
                tokens, counts = np.unique(ids, return_counts=True)
                out[row] = counts @ self.vectors[tokens].astype(np.float64)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


if __name__ == "__main__":
    folder = sys.argv[1]
    model = Model(folder)
    with open(f"{folder}/test-texts.json", encoding="utf-8") as file:
        texts = json.load(file)
    rows = [
        {"text": text, "tokens": model.tokenizer.encode(text), "vector": [round(float(x), 5) for x in vector]}
        for text, vector in zip(texts, model.embed(texts))
    ]
    with open(f"{folder}/test-vectors.json", "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
