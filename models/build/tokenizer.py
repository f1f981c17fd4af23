"""BERT's uncased tokenizer: words and punctuation, then WordPiece. src/adapters/wordpiece.ts does the very same."""
import re
import unicodedata

ASCII_WORDS = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def is_punctuation(char):
    code = ord(char)
    if 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126:
        return True
    return unicodedata.category(char).startswith("P")


def is_cjk(code):
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2A6DF
        or 0x2A700 <= code <= 0x2B81F
        or 0x2B820 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )


def words(text):
    """Lower-cased, without accents; each punctuation mark and each CJK ideograph is a word of its own."""
    if text.isascii():
        # The same, faster.
        return ASCII_WORDS.findall(CONTROLS.sub("", text.lower()))
    out = []
    word = []

    def end():
        if word:
            out.append("".join(word))
            word.clear()

    for char in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(char)
        if category == "Mn" or (category.startswith("C") and char not in "\t\n\r"):
            continue
        if char in "\t\n\r" or category == "Zs":
            end()
        elif is_punctuation(char) or is_cjk(ord(char)):
            end()
            out.append(char)
        else:
            word.append(char)
    end()
    return out


class Tokenizer:
    def __init__(self, vocabulary):
        self.ids = {token: place for place, token in enumerate(vocabulary)}
        self.cache = {}

    def pieces(self, word):
        known = self.cache.get(word)
        if known is not None:
            return known
        found = []
        start = 0
        if len(word) > 100:
            found = [self.ids["[UNK]"]]
            start = len(word)
        while start < len(word):
            end = len(word)
            while end > start:
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                if piece in self.ids:
                    break
                end -= 1
            if end == start:
                found = [self.ids["[UNK]"]]
                break
            found.append(self.ids[piece])
            start = end
        if len(self.cache) < 500_000:
            self.cache[word] = found
        return found

    def encode(self, text):
        return [piece for word in words(text) for piece in self.pieces(word)]
