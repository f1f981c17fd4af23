"""Text to learn from, out of Debian's packages: `python corpus.py WORK` writes WORK/corpus/SOURCE.jsonl, a title and its text
a line.

WORK/text holds the unpacked packages (README.md names them), WORK/lists the English package descriptions. Each source is
shuffled with a fixed seed and cut to a share, so that no kind of text outweighs the others.
"""
import glob
import gzip
import html.parser
import json
import os
import random
import re
import sqlite3
import sys
from collections import defaultdict

SEED = 7
SHARES = {
    "wordnet": 120_000,
    "gcide": 110_000,
    "lexicons": 30_000,
    "genes": 45_000,
    "packages": 60_000,
    "books": 60_000,
    "documentation": 160_000,
    "manuals": 60_000,
}
WORDS = 90
# Of one package no more than so many pages, and so many paragraphs.
PAGES, PARAGRAPHS = 250, 8_000


def flat(text):
    return re.sub(r"\s+", " ", text).strip()


def passages(text):
    words = text.split()
    for start in range(0, max(1, len(words) - 10), WORDS):
        yield " ".join(words[start : start + WORDS])


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
    with open(f"{folder}/{name}.index", encoding="utf-8", errors="replace") as file:
        for line in file:
            word, offset, length = line.rstrip("\n").split("\t")[:3]
            place = (number(offset), number(length))
            if word.startswith("00") or place in seen:
                continue
            seen.add(place)
            yield word, data[place[0] : sum(place)].decode("utf-8", "replace")


def wordnet(work):
    for word, text in dictionary(work, "wn"):
        text = flat(text.split("\n", 1)[-1])
        for sense in re.split(r"(?:^|\s)(?:n|v|adj|adv)?\s*\d*: ", text)[1:]:
            same = re.search(r"\[syn: ([^\]]*)\]", sense)
            names = re.findall(r"\{([^}]*)\}", same.group(1)) if same else [word]
            meaning = re.sub(r"\[(syn|ant|also): [^\]]*\]", "", sense).strip(" ;")
            if len(meaning.split()) >= 4:
                yield ", ".join(names[:4]), meaning


def gcide(work):
    for word, text in dictionary(work, "gcide"):
        parts = re.split(r"\n\s*\n", text)
        for part in parts:
            # The headword's line says how it is spoken, what kind of word it is and where it comes from.
            part = re.sub(r"^\S.*?\\.*?\\,?[^\n]*?(\[[^\]]*\])?[^\n]*\n", "", part) if part.startswith(word[:1].upper()) else part
            part = re.sub(r"\[(1913 Webster|PJC|WordNet|Obs\.|R\.|Webster)[^\]]*\]|--[A-Z][^.]*\.?$", " ", part)
            part = flat(re.sub(r"[{}]|^\s*(\d+\.|\([a-z]\)|Note:)", " ", part))
            if len(part.split()) >= 8 and not part.startswith(("Syn:", "[")):
                yield word, " ".join(part.split()[:WORDS])


def lexicons(work):
    for name in ("foldoc", "jargon", "vera", "elements", "devil"):
        for word, text in dictionary(work, name):
            text = flat(re.sub(r"[{}]", "", text.split("\n", 1)[-1]))
            for passage in passages(text):
                if len(passage.split()) >= 5:
                    yield word, passage


def genes(work):
    """The Gene Ontology: processes, functions and parts of living cells."""
    base = sqlite3.connect(f"{work}/text/usr/lib/R/site-library/GO.db/extdata/GO.sqlite")
    for term, meaning in base.execute("select term, definition from go_term order by _id"):
        if meaning and not meaning.startswith("OBSOLETE") and len(meaning.split()) >= 6:
            yield term, flat(meaning)


def packages(work):
    for path in sorted(glob.glob(f"{work}/lists/*Translation-en*")):
        with os.popen(f"/usr/lib/apt/apt-helper cat-file '{path}'") as file:
            for stanza in file.read().split("\n\n"):
                found = re.search(r"^Description-en: (.*)\n((?: .*\n?)*)", stanza, re.M)
                if found:
                    text = flat(found.group(2).replace("\n .\n", "\n"))
                    if len(text.split()) >= 15:
                        yield found.group(1), " ".join(text.split()[:WORDS])


class Page(html.parser.HTMLParser):
    """Headings, and the paragraphs under them."""

    HEADINGS = ("h1", "h2", "h3", "h4", "dt", "title")

    def __init__(self):
        super().__init__()
        self.heading, self.parts, self.inside, self.found = "", [], None, []

    def handle_starttag(self, tag, attrs):
        if tag in ("p", "dd", "li", *self.HEADINGS):
            self.end()
            self.inside = tag

    def handle_endtag(self, tag):
        if tag == self.inside:
            self.end()

    def handle_data(self, data):
        if self.inside:
            self.parts.append(data)

    def end(self):
        text = flat("".join(self.parts)).strip(" ¶#")
        if self.inside in self.HEADINGS:
            self.heading = text
        elif len(text.split()) >= 12:
            self.found.append((self.heading, text))
        self.parts, self.inside = [], None


def pages(paths):
    for path in paths:
        if os.path.getsize(path) > 2_000_000:
            continue
        page = Page()
        opened = gzip.open if path.endswith(".gz") else open
        with opened(path, "rt", encoding="utf-8", errors="replace") as file:
            page.feed(file.read())
        for heading, text in page.found:
            if 1 <= len(heading.split()) <= 20:
                for passage in passages(text):
                    yield heading, passage


def other_language(path):
    found = re.search(r"[/.-]([a-z]{2})(?:[-_][a-zA-Z]{2})?[/.](?:|.*/)[^/]*$", path)
    return bool(found) and found.group(1) in set("ar bg ca cs da de el es et eu fa fi fr gl hu id it ja ko nb nl pl pt ro ru sk sl sv tr uk vi zh".split())


BOOKS = ("anarchism", "debian-handbook", "gnucash-docs", "gnumed", "harden-doc", "debian-reference-en", "developers-reference")


def by_package(work):
    root = f"{work}/text/usr/share"
    found = defaultdict(list)
    for path in sorted(
        glob.glob(f"{root}/doc/**/*.html*", recursive=True)
        + glob.glob(f"{root}/libreoffice/help/en-US/**/*.html", recursive=True)
        + glob.glob(f"{root}/gimp/2.0/help/en/**/*.html", recursive=True)
        + glob.glob(f"{root}/help/C/**/*.page", recursive=True)
    ):
        parts = path[len(root) + 1 :].split("/")
        name = parts[1] if parts[0] == "doc" else parts[0]
        if os.path.isfile(path) and not os.path.islink(path) and not other_language(path[len(root) :]):
            found[name].append(path)
    return found


def some_pages(paths):
    random.Random(SEED).shuffle(paths)
    got = 0
    for row in pages(paths[:PAGES]):
        if got >= PARAGRAPHS:
            return
        got += 1
        yield row


def books(work):
    for name, paths in by_package(work).items():
        if name in BOOKS or name in ("gimp", "help"):
            yield from some_pages(paths)
    yield from fortunes(work)
    yield from bible(work)


def fortunes(work):
    """Sayings and short quotations; what stands in the place of a title is the beginning."""
    for path in sorted(glob.glob(f"{work}/text/usr/share/games/fortunes/*")):
        if "." in os.path.basename(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            for saying in file.read().split("\n%\n"):
                words = flat(saying).split()
                if len(words) >= 24:
                    yield " ".join(words[:10]), " ".join(words[10 : 10 + WORDS])


def bible(work):
    for path in sorted(glob.glob(f"{work}/text/usr/share/doc/bible-kjv-text/*.raw*")):
        with gzip.open(path, "rt", errors="replace") as file:
            yield from ((title, text) for title, text in pairwise(flat(line) for line in file))


def pairwise(lines):
    before = None
    for line in lines:
        if before and len(line.split()) >= 12:
            yield before, line
        before = line


def documentation(work):
    for name, paths in by_package(work).items():
        if name not in BOOKS and name not in ("gimp", "help"):
            yield from some_pages(paths)
    yield from restructured(work)


def restructured(work):
    paths = sorted(glob.glob(f"{work}/text/usr/share/doc/**/*.rst*", recursive=True))
    for path in random.Random(SEED).sample(paths, min(len(paths), 20 * PAGES)):
        opened = gzip.open if path.endswith(".gz") else open
        with opened(path, "rt", encoding="utf-8", errors="replace") as file:
            yield from underlined(file.read())


def underlined(text):
    heading = ""
    for block in re.split(r"\n\s*\n", text):
        marked = re.fullmatch(r"\s*(?:[=\-~#*]{3,}\n)?(.+)\n[=\-~^\"'#*]{3,}\s*", block)
        if marked:
            heading = marked.group(1).strip()
        elif heading and len(block.split()) >= 20 and not block.lstrip().startswith(("..", ">>>", "|", "+")):
            yield heading, " ".join(flat(block).split()[:WORDS])


def manuals(work):
    root = f"{work}/text/usr/share/man"
    for path in sorted(glob.glob(f"{root}/man*/*.gz")) + sorted(glob.glob("/usr/share/man/man*/*.gz")):
        try:
            with gzip.open(path, "rt", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        name = re.search(r'\.S[Hh] "?NAME"?\n(.*)', text)
        title = re.sub(r"\\f.|\\", "", name.group(1)) if name else ""
        for paragraph in re.split(r"\n\.(?:PP|P|SH|TP|IP|SS|LP).*\n", text)[2:]:
            body = re.sub(r"^[.'].*$|\\f[A-Z]|\\", " ", paragraph, flags=re.M)
            body = flat(body)
            if title and len(body.split()) >= 20:
                yield title, " ".join(body.split()[:WORDS])


if __name__ == "__main__":
    work = sys.argv[1]
    wanted = sys.argv[2:] or list(SHARES)
    os.makedirs(f"{work}/corpus", exist_ok=True)
    for source in wanted:
        found, seen = [], set()
        for title, text in globals()[source](work):
            if text not in seen and sum(map(str.isascii, text)) > 0.9 * len(text):
                seen.add(text)
                found.append({"title": title.strip(), "text": text})
        random.Random(SEED).shuffle(found)
        found = found[: SHARES[source]]
        with open(f"{work}/corpus/{source}.jsonl", "w", encoding="utf-8") as file:
            for row in found:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(source, len(seen), "found,", len(found), "kept,", sum(len(row["text"].split()) for row in found), "words", flush=True)
