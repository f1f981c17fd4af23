"""nDCG@10 of models on test collections: `python evaluate.py COLLECTIONS MODEL...`.

COLLECTIONS holds a folder for each, as README.md says. A MODEL is a folder with model.bin, or `teacher:FOLDER`. NPL and Time
are what was tuned on; the others are only looked at.
"""
import glob
import os
import re
import sys

import numpy as np

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from reference import Model  # noqa: E402

TUNED_ON = ("npl", "time")
REPORTED = ("med", "cacm", "lisa", "adi")


def read(path):
    with open(path, encoding="latin-1") as file:
        return file.read()


def marked(text):
    """SMART's form: `.I number`, then fields."""
    out = {}
    for item in re.split(r"^\.I +(?=\d)", text, flags=re.M)[1:]:
        number, _, rest = item.partition("\n")
        fields = re.split(r"^\.([A-Z])\s*$", rest, flags=re.M)
        kept = [value for name, value in zip(fields[1::2], fields[2::2]) if name in "TW"]
        out[int(number)] = " ".join(" ".join(kept).split())
    return out


def judged(text, query, document):
    out = {}
    for line in text.splitlines():
        parts = line.split()
        if parts:
            out.setdefault(int(parts[query]), set()).add(int(parts[document]))
    return out


def slashed(text):
    out = {}
    for item in re.split(r"^\s*/\s*$", text, flags=re.M):
        if item.strip():
            number, rest = item.strip().split(None, 1)
            out[int(number)] = " ".join(rest.split())
    return out


def med(folder):
    return marked(read(f"{folder}/MED.ALL")), marked(read(f"{folder}/MED.QRY")), judged(read(f"{folder}/MED.REL"), 0, 1)


def adi(folder):
    return marked(read(f"{folder}/ADI.ALL")), marked(read(f"{folder}/ADI.QRY")), judged(read(f"{folder}/ADI.REL"), 0, 1)


def cacm(folder):
    return marked(read(f"{folder}/cacm.all")), marked(read(f"{folder}/query.text")), judged(read(f"{folder}/qrels.text"), 0, 1)


def npl(folder):
    relevant = {query: set(map(int, rest.split())) for query, rest in slashed(read(f"{folder}/rlv-ass")).items()}
    return slashed(read(f"{folder}/doc-text")), slashed(read(f"{folder}/query-text")), relevant


def lisa(folder):
    documents = {}
    for path in sorted(glob.glob(f"{folder}/LISA[0-9].[0-9][0-9][0-9]")):
        for item in re.split(r"^\*{10,}\s*$", read(path), flags=re.M):
            found = re.match(r"\s*Document\s+(\d+)\s*\n(.*)", item, re.S)
            if found:
                documents[int(found.group(1))] = " ".join(found.group(2).split())
    queries = {}
    for item in read(f"{folder}/LISA.QUE").split("#"):
        if item.strip():
            number, rest = item.strip().split(None, 1)
            queries[int(number)] = " ".join(rest.split())
    numbers, relevant, at = [int(word) for word in read(f"{folder}/LISARJ.NUM").split()], {}, 0
    while at < len(numbers):
        query, count = numbers[at : at + 2]
        relevant[query] = set(numbers[at + 2 : at + 2 + count])
        at += 2 + count
    return documents, queries, relevant


def time(folder):
    items = re.split(r"^\*TEXT.*$", read(f"{folder}/TIME.ALL").split("*STOP")[0], flags=re.M)[1:]
    documents = {place + 1: " ".join(item.split()) for place, item in enumerate(items)}
    queries = {}
    for item in re.split(r"^\*FIND\s+", read(f"{folder}/TIME.QUE").split("*STOP")[0], flags=re.M)[1:]:
        number, rest = item.split(None, 1)
        queries[int(number)] = " ".join(rest.split())
    relevant = {}
    for line in read(f"{folder}/TIME.REL").splitlines():
        parts = [int(word) for word in line.split()]
        if parts:
            relevant[parts[0]] = set(parts[1:])
    return documents, queries, relevant


def ndcg(documents, queries, relevant, embed):
    numbers = np.array(list(documents))
    asked = [number for number in queries if relevant.get(number)]
    scores = embed([queries[number] for number in asked]) @ embed(list(documents.values())).T
    out = []
    for row, number in zip(scores, asked):
        best = numbers[np.argsort(-row, kind="stable")[:10]]
        gain = sum(1 / np.log2(place + 2) for place, found in enumerate(best) if found in relevant[number])
        ideal = sum(1 / np.log2(place + 2) for place in range(min(10, len(relevant[number]))))
        out.append(gain / ideal)
    return np.mean(out)


def collections(root, names=TUNED_ON + REPORTED):
    return {name: globals()[name](f"{root}/{name}") for name in names}


def table(root, embedders, names=TUNED_ON + REPORTED):
    found = collections(root, names)
    for name, embed in embedders.items():
        figures = {collection: ndcg(*parts, embed) for collection, parts in found.items()}
        print(f"{name:30s}", "  ".join(f"{key} {value:.4f}" for key, value in figures.items()), flush=True)


def embedder(name):
    if not name.startswith("teacher:"):
        return Model(name).embed
    sys.path.insert(0, os.path.dirname(__file__))
    from teacher import Teacher

    teacher = Teacher(name.removeprefix("teacher:"), quantized=True)
    return lambda texts: teacher.embed(texts, 256)


if __name__ == "__main__":
    table(sys.argv[1], {name: embedder(name) for name in sys.argv[2:]})
