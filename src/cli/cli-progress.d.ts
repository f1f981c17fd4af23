/** The part of cli-progress that is used here; the package brings no types. */
declare module "cli-progress" {
  export interface Bar {
    update(value: number, payload?: object): void;
  }

  export interface Options {
    /** Makes the whole line of a bar. */
    format: (
      options: object,
      state: { value: number; total: number; progress: number; maxWidth: number },
      payload: never,
    ) => string;
    stream: NodeJS.WriteStream;
    hideCursor: boolean;
    clearOnComplete: boolean;
    forceRedraw: boolean;
    /** Default false: the terminal cuts what is too long. */
    linewrap: boolean;
    gracefulExit: boolean;
    /** Redraws a second. */
    fps: number;
  }

  class MultiBar {
    constructor(options: Partial<Options>);
    create(total: number, start: number, payload: object): Bar;
    /** Shows a line above the bars at the next redraw. It must end in a newline. */
    log(line: string): void;
    /** Redraws now. */
    update(): void;
    stop(): void;
  }

  const exports: { MultiBar: typeof MultiBar };
  export default exports;
}
