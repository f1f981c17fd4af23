/** RTF as Outlook packs it into messages ([MS-OXRTFCP]). */

/** What the dictionary holds before the first byte: phrases that every RTF begins with. */
const phrases =
  "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const COMPRESSED = 0x75465a4c;
const WINDOW = 4_096;
/** No writer of mails comes near this; a length in the head that does is a lie. */
const MOST_BYTES = 64 * 1024 * 1024;

/** @returns undefined where the packing is damaged, or none that is known */
export function unpackRtf(packed: Uint8Array): Buffer | undefined {
  const input = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  if (input.length < 16) return undefined;
  const size = input.readUInt32LE(4);
  if (size > MOST_BYTES) return undefined;
  // Any other sign says that it is not packed at all.
  if (input.readUInt32LE(8) !== COMPRESSED) return input.subarray(16, 16 + size);
  const window = Buffer.alloc(WINDOW, 0x20);
  let write = window.write(phrases, "latin1");
  const output = Buffer.alloc(size);
  let length = 0;
  const put = (byte: number) => {
    window[write] = byte;
    write = (write + 1) % WINDOW;
    if (length < size) output[length++] = byte;
  };
  for (let at = 16; at < input.length && length < size; ) {
    const control = input[at++]!;
    for (let bit = 0; bit < 8 && at < input.length && length < size; bit++) {
      if ((control & (1 << bit)) === 0) {
        put(input[at++]!);
        continue;
      }
      if (at + 2 > input.length) return undefined;
      const token = input.readUInt16BE(at);
      at += 2;
      const offset = token >> 4;
      if (offset === write) return output.subarray(0, length);
      for (let index = 0; index < (token & 0xf) + 2; index++) put(window[(offset + index) % WINDOW]!);
    }
  }
  return output.subarray(0, length);
}
