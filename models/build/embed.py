"""What the teacher says: `python embed.py WORK TEACHER` writes WORK/alone.npy, a vector for each token of WORK/vocab.txt, then
WORK/blocks/SOURCE-N.npz, vectors of the corpus. Goes on where it ended.

Sources take turns, so that it can be stopped at any time and what is there is a fair part of everything.
"""
import json
import os
import sys

import numpy as np

from corpus import SHARES
from teacher import Teacher

ROUNDS = 40
MAX_TOKENS = 64


def alone(work, teacher):
    """Each token by itself: a piece as the teacher's own token, a word that the teacher has in pieces as a text."""
    with open(f"{work}/vocab.txt", encoding="utf-8") as file:
        vocabulary = [line.rstrip("\n") for line in file]
    own = teacher.tokenizer.ids
    return teacher.embed_ids([[own[token]] if token in own else teacher.tokenizer.encode(token) for token in vocabulary])


def main():
    work, folder = sys.argv[1:3]
    teacher = Teacher(folder, threads=int(os.environ.get("THREADS", "1")), quantized=True)
    if not os.path.exists(f"{work}/alone.npy"):
        np.save(f"{work}/alone.npy", alone(work, teacher))
    os.makedirs(f"{work}/blocks", exist_ok=True)
    for turn in range(ROUNDS):
        for source, share in SHARES.items():
            path, size = f"{work}/blocks/{source}-{turn}.npz", share // ROUNDS
            if os.path.exists(path) or not os.path.exists(f"{work}/corpus/{source}.jsonl"):
                continue
            with open(f"{work}/corpus/{source}.jsonl", encoding="utf-8") as file:
                rows = [json.loads(line) for line in file][turn * size : (turn + 1) * size]
            if not rows:
                continue
            texts = teacher.embed([row["text"] for row in rows], MAX_TOKENS)
            titles = teacher.embed([row["title"] for row in rows], MAX_TOKENS)
            np.savez(path + ".tmp.npz", texts=texts.astype(np.float16), titles=titles.astype(np.float16))
            os.rename(path + ".tmp.npz", path)
            print(path, flush=True)


if __name__ == "__main__":
    main()
