/** Writes ONNX models (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): as much of the format as tiny ones need. */

export interface Weights {
  name: string;
  dims: number[];
  data: Float32Array | BigInt64Array;
}

export interface Operation {
  kind: string;
  inputs: string[];
  output: string;
  /** Whole numbers only. */
  attributes?: Record<string, number>;
}

const FLOAT = 1;
const INT64 = 7;

/** @param inputs of whole numbers, [batch, length]; the output is of fractions */
export function onnxModel(
  inputs: string[],
  weights: Weights[],
  operations: Operation[],
  output: { name: string; dims: (string | number)[] },
): Uint8Array {
  const graph = [
    ...operations.map(({ kind, inputs: from, output: to, attributes = {} }) =>
      bytes(1, [
        ...from.map((name) => text(1, name)),
        text(2, to),
        text(4, kind),
        ...Object.entries(attributes).map(([name, value]) =>
          bytes(5, [text(1, name), number(3, value), number(20, 2)]),
        ),
      ]),
    ),
    text(2, "tiny"),
    ...weights.map(({ name, dims, data }) =>
      bytes(5, [
        ...dims.map((dim) => number(1, dim)),
        number(2, data instanceof Float32Array ? FLOAT : INT64),
        text(8, name),
        bytes(9, [Buffer.from(data.buffer, data.byteOffset, data.byteLength)]),
      ]),
    ),
    ...inputs.map((name) => bytes(11, value(name, INT64, ["batch", "length"]))),
    bytes(12, value(output.name, FLOAT, output.dims)),
  ];
  return Buffer.concat([number(1, 9), bytes(7, graph), bytes(8, [text(1, ""), number(2, 18)])]);
}

function value(name: string, type: number, dims: (string | number)[]): Uint8Array[] {
  const shape = dims.map((dim) => bytes(1, [typeof dim === "string" ? text(2, dim) : number(1, dim)]));
  return [text(1, name), bytes(2, [bytes(1, [number(1, type), bytes(2, shape)])])];
}

// Protocol buffers: a field is its number and kind, then a number or a length and what is in it.
const number = (field: number, value: number) => Buffer.from([...varint(field * 8), ...varint(value)]);
const text = (field: number, value: string) => bytes(field, [Buffer.from(value)]);
function bytes(field: number, parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(body.length)]), body]);
}

function varint(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [low] : [low + 128, ...varint(Math.floor(value / 128))];
}
