/** The element's shadow tree. Nodes are made once and changed after; nothing in it needs more than a strict policy allows. */
import { fillsOf, type Row } from "./row.ts";
import { css } from "./style.ts";
import { detailOf, formatBytes, statusOf } from "./words.ts";

/** An element with a class, which is also its part. */
function node<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  part: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (part !== "") {
    made.className = part;
    made.setAttribute("part", part);
  }
  made.append(...children);
  return made;
}

let sheet: CSSStyleSheet | undefined;

function sharedSheet(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  }
  return sheet;
}

export interface View {
  zone: HTMLElement;
  input: HTMLInputElement;
  addRow(actions: RowActions): RowView;
  /** Read out by screen readers. */
  say(words: string): void;
  setMultiple(multiple: boolean): void;
}

export interface RowActions {
  retry: () => void;
  remove: () => void;
}

export interface RowView {
  draw(row: Row): void;
  remove(): void;
}

export function createView(root: ShadowRoot): View {
  root.adoptedStyleSheets = [sharedSheet()];
  const input = document.createElement("input");
  input.type = "file";
  const choose = node("button", "choose");
  choose.type = "button";
  choose.onclick = () => input.click();
  const hint = node("p", "hint");
  const zone = node("div", "zone", choose, hint, input);
  zone.setAttribute("role", "group");
  zone.setAttribute("aria-label", "Upload");
  const list = node("ul", "list");
  list.setAttribute("aria-label", "Files");
  const said = node("div", "said");
  said.setAttribute("role", "status");
  root.append(zone, list, said);
  return {
    zone,
    input,
    addRow(actions) {
      const view = createRowView(actions);
      list.append(view.item);
      return {
        draw: view.draw,
        remove() {
          const focused = view.item.contains(root.activeElement);
          view.item.remove();
          // Whoever works by keyboard is not thrown back to the top of the page.
          if (focused) choose.focus();
        },
      };
    },
    say(words) {
      said.textContent = words;
    },
    setMultiple(multiple) {
      input.multiple = multiple;
      choose.textContent = multiple ? "Choose files" : "Choose a file";
      hint.textContent = multiple ? "or drop or paste them here" : "or drop or paste it here";
    },
  };
}

function createRowView({ retry, remove }: RowActions) {
  const name = node("span", "name");
  const size = node("span", "size");
  const status = node("span", "status");
  const fills = Array.from({ length: 5 }, () => node("span", "fill"));
  const chambers = fills.map((fill) => node("span", "chamber", fill));
  const bar = node("div", "bar", ...chambers);
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  const detail = node("p", "detail");
  const actions = node("div", "actions");
  const item = node("li", "file", node("div", "head", name, size, status), bar, detail, actions);
  const again = button("Try again", "retry", retry);
  const away = button("Remove", "remove", remove);

  function draw(row: Row): void {
    const { step } = row.state;
    const ended = step === "failed" || step === "cancelled";
    item.className = `file ${step}`;
    item.setAttribute("part", `file file-${step}`);
    name.textContent = row.filename;
    size.textContent = formatBytes(row.size_bytes);
    status.textContent = statusOf(row);
    detail.textContent = detailOf(row);
    bar.hidden = ended;
    const amounts = fillsOf(row);
    for (const [index, amount] of amounts.entries()) {
      chambers[index]?.classList.toggle("unknown", amount === null);
      const fill = fills[index];
      if (fill) fill.style.width = amount === null ? "" : `${amount * 100}%`;
    }
    const all =
      (2 * (amounts[0] ?? 0) + amounts.slice(1).reduce<number>((sum, amount) => sum + (amount ?? 0), 0)) / 6;
    bar.setAttribute("aria-label", row.filename);
    bar.setAttribute("aria-valuenow", String(Math.round(all * 100)));
    bar.setAttribute("aria-valuetext", status.textContent);
    again.setAttribute("aria-label", `Try ${row.filename} again`);
    away.setAttribute("aria-label", `Remove ${row.filename} from the list`);
    // The same bytes would fail the same way.
    const hopeful = step === "cancelled" || (row.state.step === "failed" && row.state.error.retryable);
    const wanted = hopeful ? [again, away] : ended || step === "searchable" ? [away] : [];
    if (wanted.length !== actions.childElementCount) actions.replaceChildren(...wanted);
  }
  return { item, draw };
}

function button(words: string, part: string, act: () => void): HTMLButtonElement {
  const made = node("button", part, words);
  made.type = "button";
  made.onclick = act;
  return made;
}
