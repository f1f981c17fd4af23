/** An estimate of how many tokens a text costs an embedding model, without any model's vocabulary. Pure. */

const SPACE = 0;
const LETTER = 1;
const DIGIT = 2;
const MARK = 3;
const WIDE = 4;

/** Letters per token: vocabularies hold most English words whole, and cut long ones about every six letters. */
const LETTERS_PER_TOKEN = 6;
/** Words outside ASCII are cut finer. */
const OTHER_LETTERS_PER_TOKEN = 3;
const DIGITS_PER_TOKEN = 3;
const MARKS_PER_TOKEN = 4;

/**
 * About how many tokens a text has: a word counts one for every six letters begun (three outside ASCII), a number
 * one for three digits, a run of the same punctuation one for four, and a Chinese, Japanese or Korean character one.
 *
 * White space costs nothing, so the estimate of two texts joined by white space is the sum of both. Made to err
 * upwards for English prose; for a model's true count, give the chunker its tokenizer.
 */
export function estimateTokens(text: string): number {
  let tokens = 0;
  let index = 0;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    const kind = kindOf(code);
    if (kind === SPACE) {
      index++;
    } else if (kind === WIDE) {
      tokens++;
      // Half of a surrogate pair is no character of its own.
      index += isHighSurrogate(code) && isLowSurrogate(text.charCodeAt(index + 1)) ? 2 : 1;
    } else {
      let end = index + 1;
      let plain = code < 128;
      while (end < text.length) {
        const next = text.charCodeAt(end);
        if (kindOf(next) !== kind || (kind === MARK && next !== code)) break;
        if (next >= 128) plain = false;
        end++;
      }
      const size =
        kind === DIGIT
          ? DIGITS_PER_TOKEN
          : kind === MARK
            ? MARKS_PER_TOKEN
            : plain
              ? LETTERS_PER_TOKEN
              : OTHER_LETTERS_PER_TOKEN;
      tokens += Math.ceil((end - index) / size);
      index = end;
    }
  }
  return tokens;
}

function kindOf(code: number): number {
  if (code < 128) {
    if ((code | 32) >= 97 && (code | 32) <= 122) return LETTER;
    if (code >= 48 && code <= 57) return DIGIT;
    return code === 32 || (code >= 9 && code <= 13) ? SPACE : MARK;
  }
  // The white space that String.prototype.trim knows, which the chunker trims by.
  if (code === 0xa0 || code === 0x1680 || (code >= 0x2000 && code <= 0x200a)) return SPACE;
  if (code === 0x2028 || code === 0x2029 || code === 0x202f || code === 0x205f) return SPACE;
  if (code === 0x3000 || code === 0xfeff) return SPACE;
  if (code < 0xc0 || (code >= 0x2010 && code <= 0x2bff)) return MARK;
  return isWide(code) ? WIDE : LETTER;
}

/** Characters written without spaces between words, and halves of characters beyond the first 65,536. */
function isWide(code: number): boolean {
  return (
    (code >= 0x2e80 && code <= 0x9fff) || // CJK, kana
    (code >= 0xac00 && code <= 0xdfff) || // Hangul, surrogates
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe4f) ||
    (code >= 0xff00 && code <= 0xffef)
  );
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
