"""Token vectors for retrieval: `python train.py WORK OUT`. README.md says what was tried.

Each token starts from what the teacher says of it alone, with less weight the more frequent it is: that is plain
distillation (OUT-distilled). From there the vectors learn to bring a text's title, or a piece cut out of it, nearer to that
text than to a thousand others.
"""
import glob
import json
import os
import sys
import time
from collections import Counter

import numpy as np
from scipy import sparse

from tokenizer import Tokenizer

SEED = 11
DIMENSIONS = 256
# A token of this share of all has half of the weight of a rare one (Arora and others, 2017).
FREQUENT = 1e-4
BATCH = 1024
# A piece cut out of a text has so many tokens.
CUT = (4, 25)
# Cosines times this are what the cross-entropy sees.
SCALE = 12.0
# Of the vectors' mean number, for Adam's first steps; it falls to nothing.
RATE = 0.05
EPOCHS = 3
# One of so many is not learnt from, but asked about at the end.
HELD_BACK = 60
# "Notes" and "Parameters" say nothing of the text under them; headings that are so frequent are no titles.
OFTEN = 8
# Tokens of a text that are looked at.
LONGEST = 200


def rows_of(work):
    for path in sorted(glob.glob(f"{work}/corpus/*.jsonl")):
        with open(path, encoding="utf-8") as file:
            yield os.path.basename(path)[: -len(".jsonl")], [json.loads(line) for line in file]


def encode_all(work, vocabulary):
    """By source: ids of titles and of texts, each end to end, and where each begins."""
    tokenizer, out = Tokenizer(vocabulary), {}
    cached = f"{work}/encoded-{len(vocabulary)}.npz"
    if not os.path.exists(cached):
        arrays = {}
        for source, rows in rows_of(work):
            for key in ("title", "text"):
                ids = [tokenizer.encode(row[key])[:LONGEST] for row in rows]
                arrays[f"{source}.{key}"] = np.array([token for row in ids for token in row], np.int32)
                arrays[f"{source}.{key}.ends"] = np.cumsum([0] + [len(row) for row in ids])
        np.savez(cached, **arrays)
    data = np.load(cached)
    for name in data.files:
        if name.endswith(".ends"):
            out[name[: -len(".ends")]] = Texts(data[name[: -len(".ends")]], data[name])
    return out


class Texts:
    def __init__(self, ids, ends):
        self.ids, self.ends = ids, ends

    def __len__(self):
        return len(self.ends) - 1

    def __getitem__(self, place):
        return self.ids[self.ends[place] : self.ends[place + 1]]


def bag(sequences, size):
    """One row a text: how often it has each token."""
    counts = [len(ids) for ids in sequences]
    indices = np.concatenate(sequences) if counts else np.zeros(0, np.int32)
    matrix = sparse.csr_matrix(
        (np.ones(len(indices), np.float32), indices, np.concatenate([[0], np.cumsum(counts)])), (len(sequences), size)
    )
    matrix.sum_duplicates()
    return matrix


def unit(made):
    length = np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-6)
    return made / length, length


def distilled(work, vocabulary, counts, dimensions):
    """What the teacher says of each token alone, along the main axes."""
    alone = np.load(f"{work}/alone.npy")
    centred = alone - alone.mean(0)
    _, _, axes = np.linalg.svd(np.cov(centred.T))
    reduced = unit(centred @ axes[:dimensions].T.astype(np.float32))[0]
    share = (counts + 1) / (counts.sum() + len(counts))
    vectors = reduced * (FREQUENT / (FREQUENT + share)).astype(np.float32)[:, None]
    for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"):
        vectors[vocabulary.index(token)] = 0
    return vectors


class Pairs:
    """Batches of one source each: titles or cut-out pieces, and their texts."""

    def __init__(self, encoded, random):
        self.encoded, self.random = encoded, random
        self.sources = sorted({name.split(".")[0] for name in encoded})
        self.titled = {source: self.with_title(encoded[f"{source}.title"]) for source in self.sources}
        self.held = {source: len(encoded[f"{source}.text"]) // HELD_BACK for source in self.sources}
        self.queue = []

    @staticmethod
    def with_title(titles):
        keys = [titles[place].tobytes() for place in range(len(titles))]
        counts = Counter(keys)
        return np.array([counts[key] <= OFTEN for key in keys])

    def order(self, cut_share):
        for source in self.sources:
            places = np.arange(self.held[source], len(self.encoded[f"{source}.text"]))
            for cut in (False, True):
                chosen = self.random.permutation(places)
                if cut:
                    chosen = chosen[: int(len(chosen) * cut_share)]
                else:
                    chosen = chosen[self.titled[source][chosen]]
                for start in range(0, len(chosen) - BATCH // 2, BATCH):
                    self.queue.append((source, cut, chosen[start : start + BATCH]))
        self.queue = [self.queue[at] for at in self.random.permutation(len(self.queue))]

    def batch(self, source, cut, places):
        titles, texts = self.encoded[f"{source}.title"], self.encoded[f"{source}.text"]
        queries, passages = [], []
        for place in places:
            text = texts[place]
            if not cut:
                query = titles[place]
            else:
                size = int(self.random.integers(*CUT))
                if len(text) < size + 12:
                    continue
                start = int(self.random.integers(0, len(text) - size))
                query = text[start : start + size]
                # A piece is at times left in its text: words that are the same count as well.
                if self.random.random() < 0.9:
                    text = np.concatenate([text[:start], text[start + size :]])
            if len(query) and len(text):
                queries.append(query)
                passages.append(text)
        return queries, passages


def step(vectors, queries, passages, scale=SCALE):
    """The loss of a batch, the tokens in it and the gradient of their vectors."""
    xq, xp = bag(queries, len(vectors)), bag(passages, len(vectors))
    tokens = np.unique(np.concatenate([xq.indices, xp.indices]))
    xq, xp, part = xq[:, tokens], xp[:, tokens], vectors[tokens]
    q, q_length = unit(xq @ part)
    p, p_length = unit(xp @ part)
    scores = scale * (q @ p.T)
    # The same title, or the same words, elsewhere in the batch is no error.
    keys = np.array([hash(query.tobytes()) for query in queries])
    same = keys[:, None] == keys[None, :]
    np.fill_diagonal(same, False)
    scores[same] = -1e4
    gradient = np.zeros_like(scores)
    loss = 0.0
    for axis in (0, 1):
        shifted = np.exp(scores - scores.max(axis, keepdims=True))
        share = shifted / shifted.sum(axis, keepdims=True)
        loss -= np.log(np.maximum(np.diag(share), 1e-12)).mean() / 2
        gradient += share / 2
    gradient[np.diag_indices_from(gradient)] -= 1
    gradient *= scale / len(queries)
    to_q, to_p = gradient @ p, gradient.T @ q
    to_q = (to_q - (to_q * q).sum(1, keepdims=True) * q) / q_length
    to_p = (to_p - (to_p * p).sum(1, keepdims=True) * p) / p_length
    return loss, tokens, xq.T @ to_q + xp.T @ to_p


class Adam:
    """Of the rows that a batch has, only these move."""

    def __init__(self, vectors):
        self.first, self.second, self.steps = np.zeros_like(vectors), np.zeros_like(vectors), 0

    def move(self, vectors, tokens, gradient, rate):
        self.steps += 1
        first = self.first[tokens] = 0.9 * self.first[tokens] + 0.1 * gradient
        second = self.second[tokens] = 0.99 * self.second[tokens] + 0.01 * gradient**2
        even = np.sqrt(1 - 0.99**self.steps) / (1 - 0.9**self.steps)
        vectors[tokens] -= rate * even * first / (np.sqrt(second) + 1e-8)


def held_back(vectors, encoded, held):
    """Share of held-back titles whose text is the nearest of its source's held-back texts."""
    out = {}
    for source, count in held.items():
        titles, texts = encoded[f"{source}.title"], encoded[f"{source}.text"]
        q = unit(bag([titles[place] for place in range(count)], len(vectors)) @ vectors)[0]
        p = unit(bag([texts[place] for place in range(count)], len(vectors)) @ vectors)[0]
        scores = q @ p.T
        out[source] = float(((scores > np.diag(scores)[:, None]).sum(1) == 0).mean())
    return out


def save(folder, vocabulary, vectors, name):
    """8 bits a number and a scale for each token: see README.md, "Format"."""
    os.makedirs(folder, exist_ok=True)
    largest = np.abs(vectors).max(1)
    scales = np.maximum(largest, 1e-9) / 127
    numbers = np.clip(np.rint(vectors / scales[:, None]), -127, 127).astype(np.int8)
    header = json.dumps({"format": 1, "name": name, "tokens": len(vocabulary), "dimensions": vectors.shape[1]}).encode()
    header += b" " * (-(len(header) + 4) % 64)
    with open(f"{folder}/model.bin", "wb") as file:
        file.write(len(header).to_bytes(4, "little"))
        file.write(header)
        file.write(scales.astype("<f4").tobytes())
        file.write(numbers.tobytes())
    with open(f"{folder}/vocab.txt", "w", encoding="utf-8") as file:
        file.write("\n".join(vocabulary) + "\n")


def read_vocabulary(path):
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file]


def main():
    work, out = sys.argv[1:3]
    random = np.random.default_rng(SEED)
    vocabulary = read_vocabulary(f"{work}/vocab.txt")
    encoded = encode_all(work, vocabulary)
    counts = sum(np.bincount(texts.ids, minlength=len(vocabulary)) for texts in encoded.values())
    vectors = distilled(work, vocabulary, counts, DIMENSIONS)
    name = os.path.basename(os.path.normpath(out))
    save(f"{out}-distilled", vocabulary, vectors, f"{name}-distilled")

    pairs = Pairs(encoded, random)
    print("distilled", held_back(vectors, encoded, pairs.held), flush=True)
    for _ in range(EPOCHS):
        pairs.order(cut_share=0.5)
    adam, began, total = Adam(vectors), time.time(), len(pairs.queue)
    rate = RATE * np.abs(vectors).mean()
    losses = []
    for at, (source, cut, places) in enumerate(pairs.queue):
        queries, passages = pairs.batch(source, cut, places)
        if len(queries) < 64:
            continue
        loss, tokens, gradient = step(vectors, queries, passages)
        adam.move(vectors, tokens, gradient, rate * min(1, (at + 1) / 50) * (1 - at / total))
        losses.append(loss)
        if at % 100 == 99:
            print(f"{at + 1} of {total}: loss {np.mean(losses[-100:]):.3f}, {time.time() - began:.0f} s", flush=True)
    print("trained", held_back(vectors, encoded, pairs.held), flush=True)
    save(out, vocabulary, vectors, name)


if __name__ == "__main__":
    main()
