"""What the teacher makes of the corpus: `python embed.py WORK TEACHER` writes WORK/blocks/SOURCE-N.npz. Goes on where it ended.

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

if __name__ == "__main__":
    work, folder = sys.argv[1:3]
    teacher = Teacher(folder, threads=int(os.environ.get("THREADS", "1")), quantized=True)
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
