/** What the documents must be like: the form of the conditions, and the conditions as they stand. */
import { useId, useState } from "preact/hooks";
import { navigate } from "../router.tsx";
import { sluice } from "../session.ts";
import { Icon } from "../ui/icons.tsx";
import { useLoad } from "../ui/load.ts";
import { languageName } from "../words.ts";
import { type Asked, addressOf, chipsOf, FIRST_HITS, isDate, whereOf } from "./query.ts";

/** Languages offered to choose from; any other tag can be typed. */
const offered = "ar cs da de el en es fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh".split(" ");

export function Chips({ asked }: { asked: Asked }) {
  const chips = chipsOf(asked, languageName);
  if (chips.length === 0) return null;
  return (
    <ul class="search-chips" aria-label="Conditions">
      {chips.map(({ name, text, without }) => (
        <li key={`${name} ${text}`}>
          <span class="hint">{name}</span> <span class="cut">{text}</span>
          <button
            type="button"
            class="quiet"
            aria-label={`Take away: ${name} ${text}`}
            onClick={() => navigate(addressOf(without), { replace: true })}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
      {chips.length > 1 && (
        <li class="all">
          <button type="button" class="link" onClick={() => navigate(addressOf(withoutAll(asked)), { replace: true })}>
            Take all away
          </button>
        </li>
      )}
    </ul>
  );
}

/** The same search without its conditions. */
export function withoutAll({ q, mode, expand, top_k }: Asked): Asked {
  return {
    q,
    mode,
    expand,
    top_k,
    collection: "",
    language: "",
    author: "",
    from: "",
    to: "",
    pages_min: "",
    pages_max: "",
    where: [],
  };
}

interface FiltersProps {
  asked: Asked;
  /** Authors of what is shown: they have to be named exactly. */
  authors: readonly string[];
}

export function Filters({ asked, authors }: FiltersProps) {
  const { value } = useLoad((signal) => sluice().listCollections({ limit: 200 }, { signal }), []);
  const collections = value?.collections.map(({ collection }) => collection) ?? [];
  const change = (part: Partial<Asked>) =>
    navigate(addressOf({ ...asked, top_k: FIRST_HITS, ...part }), { replace: true });
  return (
    <fieldset class="search-filters panel">
      <legend class="unseen">Conditions on the documents</legend>
      <Choice
        name="Collection"
        value={asked.collection}
        options={collections.map((collection) => [collection, collection])}
        onChange={(collection) => change({ collection })}
      />
      <Choice
        name="Language"
        value={asked.language}
        options={offered.map((tag) => [tag, languageName(tag)])}
        onChange={(language) => change({ language })}
      />
      <Text
        name="Author"
        value={asked.author}
        placeholder="The whole name"
        suggestions={authors}
        onChange={(author) => change({ author })}
      />
      <Text
        name="Written from"
        value={asked.from}
        placeholder="2019 or 2019-03-05"
        wrong={(text) => (isDate(text) ? undefined : "A year, a month (2019-03) or a day (2019-03-05)")}
        onChange={(from) => change({ from })}
      />
      <Text
        name="Written to"
        value={asked.to}
        placeholder="2021"
        wrong={(text) => (isDate(text) ? undefined : "A year, a month (2019-03) or a day (2019-03-05)")}
        onChange={(to) => change({ to })}
      />
      <Text
        name="Pages, at least"
        value={asked.pages_min}
        numeric
        wrong={(text) => (/^\d{1,9}$/.test(text) ? undefined : "A whole number")}
        onChange={(pages_min) => change({ pages_min })}
      />
      <Text
        name="Pages, at most"
        value={asked.pages_max}
        numeric
        wrong={(text) => (/^\d{1,9}$/.test(text) ? undefined : "A whole number")}
        onChange={(pages_max) => change({ pages_max })}
      />
      <Text
        name="Metadata"
        value=""
        placeholder="field=value"
        wrong={(text) => (whereOf(text) ? undefined : "As field=value, such as department=legal")}
        onChange={(text) => {
          if (text !== "" && !asked.where.includes(text)) change({ where: [...asked.where, text] });
        }}
      />
    </fieldset>
  );
}

interface ChoiceProps {
  name: string;
  value: string;
  options: (readonly [value: string, text: string])[];
  onChange: (value: string) => void;
}

function Choice({ name, value, options, onChange }: ChoiceProps) {
  const id = useId();
  const known = value === "" || options.some(([option]) => option === value);
  return (
    <div class="field">
      <label for={id}>{name}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">Any</option>
        {!known && <option value={value}>{value}</option>}
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

interface TextProps {
  name: string;
  value: string;
  placeholder?: string;
  suggestions?: readonly string[];
  numeric?: boolean;
  /** What a text that can't be asked for should be. */
  wrong?: (text: string) => string | undefined;
  onChange: (value: string) => void;
}

/** Taken when it is left, or with Enter. */
function Text({ name, value, placeholder, suggestions, numeric, wrong, onChange }: TextProps) {
  const id = useId();
  const [problem, setProblem] = useState<string | undefined>();
  return (
    <div class="field">
      <label for={id}>{name}</label>
      <input
        // What the address says anew takes the place of what was typed.
        key={value}
        id={id}
        type="text"
        inputMode={numeric ? "numeric" : "text"}
        defaultValue={value}
        placeholder={placeholder}
        list={suggestions && suggestions.length > 0 ? `${id}-list` : undefined}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={problem !== undefined}
        aria-describedby={problem === undefined ? undefined : `${id}-problem`}
        onChange={(event) => {
          const text = event.currentTarget.value.trim();
          const told = text === "" ? undefined : wrong?.(text);
          setProblem(told);
          if (told !== undefined || text === value) return;
          onChange(text);
          if (value === "") event.currentTarget.value = "";
        }}
      />
      {suggestions && suggestions.length > 0 && (
        <datalist id={`${id}-list`}>
          {suggestions.map((text) => (
            <option key={text} value={text} />
          ))}
        </datalist>
      )}
      {problem !== undefined && (
        <p class="error" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </div>
  );
}
