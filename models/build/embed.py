"""What the teacher makes of the corpus: `python embed.py WORK TEACHER` writes WORK/blocks/N.npz. Goes on where it ended."""
import json
import os
import sys

import numpy as np

from teacher import Teacher

BLOCK = 4_000
MAX_TOKENS = 96

if __name__ == "__main__":
    work, folder = sys.argv[1:3]
    teacher = Teacher(folder, threads=int(os.environ.get("THREADS", "1")))
    with open(f"{work}/corpus.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    os.makedirs(f"{work}/blocks", exist_ok=True)
    for start in range(0, len(rows), BLOCK):
        path = f"{work}/blocks/{start // BLOCK}.npz"
        if os.path.exists(path):
            continue
        block = rows[start : start + BLOCK]
        texts = teacher.embed([row["text"] for row in block], MAX_TOKENS)
        titles = teacher.embed([row["title"] for row in block], MAX_TOKENS)
        np.savez(path + ".tmp.npz", texts=texts.astype(np.float16), titles=titles.astype(np.float16))
        os.rename(path + ".tmp.npz", path)
        print(start + len(block), flush=True)
