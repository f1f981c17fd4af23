"""The model's vocabulary: the teacher's, and the words that the corpus has often and the teacher's tokenizer cuts up.

    python vocabulary.py WORK TEACHER TOKENS    # writes WORK/vocab.txt, that long at most
"""
import glob
import json
import sys
from collections import Counter

from tokenizer import Tokenizer, words

SEEN_IN = 5
# Functions' names would take the places of words.
LEFT_OUT = "documentation.jsonl"


def main():
    work, folder, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(f"{folder}/vocab.txt", encoding="utf-8") as file:
        vocabulary = [line.rstrip("\n") for line in file]
    known = set(vocabulary)
    seen = Counter()
    for path in sorted(glob.glob(f"{work}/corpus/*.jsonl")):
        if path.endswith(LEFT_OUT):
            continue
        with open(path, encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                seen.update(set(words(row["title"])) | set(words(row["text"])))
    new = [
        word
        for word, count in sorted(seen.items(), key=lambda item: (-item[1], item[0]))
        if count >= SEEN_IN and word not in known and word.isascii() and word.isalpha() and 3 <= len(word) <= 24
    ]
    # Those that nothing is made of are left out, their places taken: [unused0] and so on.
    kept = [token for token in vocabulary if not token.startswith("[unused")]
    kept += new[: size - len(kept)]
    with open(f"{work}/vocab.txt", "w", encoding="utf-8") as file:
        file.write("\n".join(kept) + "\n")
    print(len(new), "words to take,", len(kept), "tokens in all;", "last word:", kept[-1], seen[kept[-1]])
    # Tokenizer as a check that the file reads back.
    assert Tokenizer(kept).ids["[UNK]"] == kept.index("[UNK]")


if __name__ == "__main__":
    main()
