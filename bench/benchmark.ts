/** What a benchmark is, and what it is given. */

/** One line of figures. Keys are snake_case and end in their unit; a ratio has none. */
export type Row = Record<string, string | number | null>;

export interface Table {
  title: string;
  rows: Row[];
  /** What a reader must know to read the figures. */
  notes?: string[];
}

export interface Context {
  /** Fewer rounds: for a look, not for a figure to quote. */
  quick: boolean;
  /** Makes a new empty folder, which is removed when the benchmark has ended. */
  folder(name: string): string;
  /** A folder of real files to use beside the generated ones; undefined when there is none. */
  corpus: string | undefined;
  /** Whether that folder was asked for by name. */
  corpus_given: boolean;
  /** Folder of a sentence transformer to compare with; undefined when none is given. */
  teacher: string | undefined;
  /** Folder in whose node_modules @huggingface/transformers is. */
  transformers: string | undefined;
  /** Says what is going on, to whoever watches. */
  say(text: string): void;
}

export type Benchmark = (context: Context) => Promise<Table[]>;
