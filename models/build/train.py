"""Token vectors whose weighted mean comes near to what the teacher says of the whole text: `python train.py WORK TEACHER OUT`.

The mean of token vectors is linear in them, so finding the best ones is a least-squares problem, not a training run: it has
one answer, and needs neither steps nor seeds. Each token starts from what the teacher says of it alone, scaled by how rare
it is, and is held to that the more, the fewer texts have it (ridge regression); conjugate gradients do the rest.
"""
import glob
import json
import os
import sys

import numpy as np
from scipy import sparse

from teacher import Teacher

DIMENSIONS = 256
ITERATIONS = 30
# How much a text weighs against a token's start.
RIDGE = 1.0
# A token that is this frequent has half of the weight of a rare one (Arora and others, 2017).
FREQUENT = 1e-4


def load(work, tokenizer):
    with open(f"{work}/corpus.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    blocks = sorted(glob.glob(f"{work}/blocks/*.npz"), key=lambda path: int(os.path.basename(path)[:-4]))
    sequences, targets, at = [], [], 0
    for path in blocks:
        block = np.load(path)
        for part, key in (("texts", "text"), ("titles", "title")):
            vectors = block[part].astype(np.float32)
            for row, vector in zip(rows[at : at + len(vectors)], vectors):
                # No more of a text than the teacher saw.
                ids = tokenizer.encode(row[key])[:94]
                if ids:
                    sequences.append(ids)
                    targets.append(vector)
        at += len(block["texts"])
    return sequences, np.stack(targets)


def project(vectors, mean, axes):
    out = (vectors - mean) @ axes
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def bag(sequences, size):
    """One row a text: each token's share of it."""
    counts = [len(ids) for ids in sequences]
    indices = np.concatenate([np.asarray(ids) for ids in sequences])
    values = np.repeat(1 / np.asarray(counts, np.float32), counts)
    rows = np.concatenate([[0], np.cumsum(counts)])
    matrix = sparse.csr_matrix((values, indices, rows), (len(sequences), size), dtype=np.float32)
    matrix.sum_duplicates()
    return matrix


def solve(x, y, start, ridge):
    """argmin |x v - y|² + |ridge (v - start)|², all columns of y together."""
    hold = (ridge**2)[:, None]
    v = start.copy()
    residual = x.T @ (y - x @ v)
    direction = residual.copy()
    power = (residual * residual).sum(0)
    for step in range(ITERATIONS):
        product = x.T @ (x @ direction) + hold * direction
        length = power / np.maximum((direction * product).sum(0), 1e-12)
        v += length * direction
        residual -= length * product
        next_power = (residual * residual).sum(0)
        direction = residual + next_power / np.maximum(power, 1e-12) * direction
        power = next_power
        print(f"step {step + 1}: {np.sqrt(power).mean():.5f}", flush=True)
    return v


def main():
    work, folder, out = sys.argv[1:4]
    teacher = Teacher(folder)
    vocabulary = teacher.vocabulary
    sequences, targets = load(work, teacher.tokenizer)
    print(len(sequences), "texts,", sum(map(len, sequences)), "tokens")
    mean = targets.mean(0)
    _, _, axes = np.linalg.svd(np.cov((targets - mean)[:60_000].T))
    axes = axes[:DIMENSIONS].T.astype(np.float32)
    y = project(targets, mean, axes)

    cached = f"{work}/tokens.npy"
    if not os.path.exists(cached):
        np.save(cached, teacher.embed_ids([[token] for token in range(len(vocabulary))]))
    alone = project(np.load(cached), mean, axes)
    counts = np.bincount(np.concatenate([np.asarray(ids) for ids in sequences]), minlength=len(vocabulary))
    share = (counts + 1) / (counts.sum() + len(counts))
    start = alone * (FREQUENT / (FREQUENT + share))[:, None].astype(np.float32)

    # The last ones are only looked at.
    held = len(sequences) // 50
    x = bag(sequences, len(vocabulary))
    # Means of many vectors are short; a text's own length says how much it asks of its tokens.
    scale = np.float32(1 / np.linalg.norm(x[:5_000] @ start, axis=1).mean())
    start *= scale

    def agreement(v, name):
        made = x[-held:] @ v
        made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)
        print(f"{name}: cosine to the teacher on texts that were held back: {(made * y[-held:]).sum(1).mean():.4f}")

    agreement(start, "distilled")
    ridge = np.full(len(vocabulary), np.sqrt(RIDGE) * 0.1, np.float32)
    v = solve(x[:-held], y[:-held], start, ridge)
    agreement(v, "fitted")
    for name, vectors in (("distilled", start), ("fitted", v)):
        save(f"{out}-{name}" if name == "distilled" else out, vocabulary, vectors, name)


def save(folder, vocabulary, vectors, name):
    """8 bits a number and a scale for each token: see README.md, "Format"."""
    os.makedirs(folder, exist_ok=True)
    largest = np.abs(vectors).max(1)
    scales = np.maximum(largest, 1e-9) / 127
    numbers = np.clip(np.rint(vectors / scales[:, None]), -127, 127).astype(np.int8)
    # Tokens that stand for nothing in a text.
    for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"):
        numbers[vocabulary.index(token)] = 0
    header = json.dumps(
        {"format": 1, "name": os.path.basename(folder), "tokens": len(vocabulary), "dimensions": vectors.shape[1]}
    ).encode()
    header += b" " * (-(len(header) + 4) % 64)
    with open(f"{folder}/model.bin", "wb") as file:
        file.write(len(header).to_bytes(4, "little"))
        file.write(header)
        file.write(scales.astype("<f4").tobytes())
        file.write(numbers.tobytes())
    with open(f"{folder}/vocab.txt", "w", encoding="utf-8") as file:
        file.write("\n".join(vocabulary) + "\n")


if __name__ == "__main__":
    main()
