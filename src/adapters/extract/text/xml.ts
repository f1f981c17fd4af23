/**
 * XML as text: an element with words in it is a paragraph; elements that hold nothing but a value are lines,
 * `name: value`, of the element around them. Titles are headings, as deep as they stand.
 */
import { SluiceError } from "../../../errors.ts";
import { readPlainText } from "../plain.ts";
import { createTextBuilder, type ReaderInput } from "../text-builder.ts";
import { walkXml } from "../xml.ts";

interface Frame {
  name: string;
  /** Text of its own and of what is marked inside it. */
  text: string;
  /** Values of attributes and elements right inside. */
  lines: string[];
  /** How many of these lines are attributes. */
  attributes: number;
  /** The words of those elements, in case they turn out to be marked words of a sentence. */
  words: string[];
  hasElements: boolean;
  /** Whether words stand beside its elements: then those only mark words. */
  isMixed: boolean;
}

const titles = new Set("title head heading header h1 h2 h3 h4 h5 h6 subject caption".split(" "));
/** A single word longer than this is no name of a thing. */
const SHORT = 200;

export async function readXml(input: ReaderInput) {
  const { bytes, filename, progress } = input;
  progress(0, bytes.byteLength);
  const builder = createTextBuilder();
  const frames: Frame[] = [];
  let title: string | null = null;

  const flush = (frame: Frame) => {
    if (frame.lines.length > 0) builder.add("paragraph", frame.lines.join("\n"));
    frame.lines = [];
    frame.words = [];
    frame.attributes = 0;
  };
  try {
    await walkXml(bytes, filename, {
      open(name, attributes) {
        const parent = frames.at(-1);
        if (parent !== undefined) {
          parent.hasElements = true;
          if (parent.text.trim() !== "") parent.isMixed = true;
        }
        const lines = Object.entries(attributes)
          .filter(([key, value]) => !/^(xmlns|xml:|xsi:)/.test(key) && value.trim() !== "")
          .map(([key, value]) => `${key}: ${value}`);
        const isMixed = parent?.isMixed ?? false;
        frames.push({
          name,
          text: "",
          lines,
          attributes: lines.length,
          words: [],
          hasElements: false,
          isMixed,
        });
      },
      text(text) {
        const frame = frames.at(-1);
        if (frame === undefined) return;
        if (frame.hasElements && text.trim() !== "" && !frame.isMixed) {
          frame.isMixed = true;
          frame.text = frame.words.join(" ");
          frame.lines.length = Math.min(frame.lines.length, frame.attributes);
        }
        frame.text += text;
      },
      close() {
        const frame = frames.pop()!;
        const parent = frames.at(-1);
        const words = frame.text.replace(/\s+/g, " ").trim();
        if (parent?.isMixed) {
          // A marked word inside a sentence.
          parent.text += frame.text;
          return;
        }
        const isLeaf = !frame.hasElements && frame.lines.length === 0;
        if (
          titles.has(frame.name.toLowerCase()) &&
          words !== "" &&
          words.length <= SHORT &&
          parent !== undefined
        ) {
          if (isLeaf || frame.isMixed) {
            for (const open of frames) flush(open);
            title ??= words;
            builder.add("heading", words, { level: Math.min(6, Math.max(1, frames.length - 1)) });
            return;
          }
        }
        if (isLeaf && parent !== undefined && words.length <= SHORT) {
          if (words !== "") {
            parent.lines.push(`${frame.name}: ${words}`);
            parent.words.push(words);
          }
          return;
        }
        for (const open of frames) flush(open);
        if (words !== "") frame.lines.push(frame.lines.length > 0 ? `${frame.name}: ${words}` : words);
        flush(frame);
      },
    });
  } catch (error) {
    // Broken markup still has words in it; what would blow up when read does not get that far.
    if (error instanceof SluiceError && error.code === "malformed_document") return readPlainText(input);
    throw error;
  }
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename, { title });
}
