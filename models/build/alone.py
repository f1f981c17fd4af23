"""What the teacher says of each token of WORK/vocab.txt by itself: `python alone.py WORK TEACHER` writes WORK/alone.npy."""
import sys

import numpy as np

from teacher import Teacher

if __name__ == "__main__":
    work, folder = sys.argv[1:3]
    teacher = Teacher(folder)
    with open(f"{work}/vocab.txt", encoding="utf-8") as file:
        vocabulary = [line.rstrip("\n") for line in file]
    own = teacher.tokenizer.ids
    # A word that the teacher has in pieces is a text to it.
    tokens = [[own[token]] if token in own else teacher.tokenizer.encode(token) for token in vocabulary]
    np.save(f"{work}/alone.npy", teacher.embed_ids(tokens))
