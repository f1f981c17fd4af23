"""Text to learn from, out of Debian's packages: `python corpus.py WORK` writes WORK/corpus.jsonl, a title and its text a line.

WORK/text holds the unpacked packages (README.md names them), WORK/lists the English package descriptions. What is taken
from each is shuffled with a fixed seed and cut to a share, so that no kind of text outweighs the others.
"""
import glob
import gzip
import html.parser
import json
import os
import random
import re
import sys

SEED = 7
SHARES = {"wordnet": 90_000, "packages": 30_000, "foldoc": 12_000, "documentation": 40_000}
WORDS = 90


def dictionary(work, name):
    """Entries of a dictd dictionary: headword and text."""
    digits = {char: value for value, char in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}

    def number(text):
        value = 0
        for char in text:
            value = value * 64 + digits[char]
        return value

    folder = f"{work}/text/usr/share/dictd"
    with gzip.open(f"{folder}/{name}.dict.dz") as file:
        data = file.read()
    seen = set()
    with open(f"{folder}/{name}.index", encoding="utf-8") as file:
        for line in file:
            word, offset, length = line.rstrip("\n").split("\t")
            place = (number(offset), number(length))
            if word.startswith("00") or place in seen:
                continue
            seen.add(place)
            yield word, data[place[0] : sum(place)].decode("utf-8", "replace")


def wordnet(work):
    for word, text in dictionary(work, "wn"):
        text = re.sub(r"\s+", " ", text.split("\n", 1)[-1])
        for sense in re.split(r"(?:^|\s)(?:n|v|adj|adv)?\s*\d*: ", text)[1:]:
            same = re.search(r"\[syn: ([^\]]*)\]", sense)
            names = re.findall(r"\{([^}]*)\}", same.group(1)) if same else [word]
            meaning = re.sub(r"\[(syn|ant|also): [^\]]*\]", "", sense).strip(" ;")
            if len(meaning.split()) >= 4:
                yield ", ".join(names[:4]), meaning


def foldoc(work):
    for word, text in dictionary(work, "foldoc"):
        text = re.sub(r"[{}]", "", re.sub(r"\s+", " ", text.split("\n", 1)[-1])).strip()
        for passage in passages(text):
            yield word, passage


def packages(work):
    for path in glob.glob(f"{work}/lists/*Translation-en*"):
        with os.popen(f"/usr/lib/apt/apt-helper cat-file '{path}'") as file:
            for stanza in file.read().split("\n\n"):
                found = re.search(r"^Description-en: (.*)\n((?: .*\n?)*)", stanza, re.M)
                if found:
                    text = re.sub(r"\s+", " ", found.group(2).replace("\n .\n", "\n")).strip()
                    if len(text.split()) >= 15:
                        yield found.group(1), " ".join(text.split()[:WORDS])


def passages(text):
    words = text.split()
    for start in range(0, max(1, len(words) - 10), WORDS):
        yield " ".join(words[start : start + WORDS])


class Page(html.parser.HTMLParser):
    """Headings, and the paragraphs under them."""

    def __init__(self):
        super().__init__()
        self.heading, self.parts, self.inside, self.found = "", [], None, []

    def handle_starttag(self, tag, attrs):
        if tag in ("p", "h1", "h2", "h3", "dd", "li"):
            self.end()
            self.inside = tag

    def handle_endtag(self, tag):
        if tag == self.inside:
            self.end()

    def handle_data(self, data):
        if self.inside:
            self.parts.append(data)

    def end(self):
        text = re.sub(r"\s+", " ", "".join(self.parts)).strip(" ¶")
        if self.inside and self.inside.startswith("h"):
            self.heading = text
        elif len(text.split()) >= 12:
            self.found.append((self.heading, text))
        self.parts, self.inside = [], None


def documentation(work):
    root = f"{work}/text/usr/share"
    paths = glob.glob(f"{root}/doc/**/*.html", recursive=True)
    random.Random(SEED).shuffle(paths)
    for path in paths[:9_000]:
        if os.path.getsize(path) > 2_000_000:
            continue
        page = Page()
        with open(path, encoding="utf-8", errors="replace") as file:
            page.feed(file.read())
        for heading, text in page.found:
            for passage in passages(text):
                yield heading, passage
    for path in glob.glob(f"{root}/man/man*/*.gz"):
        with gzip.open(path, "rt", errors="replace") as file:
            text = file.read()
        name = re.search(r"\.SH NAME\n(.*)", text)
        title = re.sub(r"\\f.|\\", "", name.group(1)) if name else ""
        for paragraph in re.split(r"\n\.(?:PP|P|SH|TP|IP|SS|LP).*\n", text)[2:]:
            body = re.sub(r"^[.'].*$|\\f[A-Z]|\\", " ", paragraph, flags=re.M)
            body = re.sub(r"\s+", " ", body).strip()
            if len(body.split()) >= 20:
                yield title, " ".join(body.split()[:WORDS])


if __name__ == "__main__":
    work = sys.argv[1]
    kept = []
    for source, share in SHARES.items():
        found, seen = [], set()
        for title, text in globals()[source](work):
            if text not in seen:
                seen.add(text)
                found.append({"source": source, "title": title.strip(), "text": text})
        random.Random(SEED).shuffle(found)
        print(f"{source}: {min(share, len(found))} of {len(found)}", flush=True)
        kept.extend(found[:share])
    random.Random(SEED).shuffle(kept)
    with open(f"{work}/corpus.jsonl", "w", encoding="utf-8") as file:
        for row in kept:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(len(kept), "passages,", sum(len(row["text"].split()) for row in kept), "words")
