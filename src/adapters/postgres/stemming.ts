/**
 * SQL that takes English words' endings off, by the dictionary that every PostgreSQL has. Words of other languages are
 * what it makes of them on both sides, and so match themselves; stop words, for which it has nothing, stay as they are.
 */

export const stemOf = (word: string): string =>
  `coalesce((ts_lexize('pg_catalog.english_stem', ${word}))[1], ${word})`;

/** A lexeme as tsvector and tsquery read it. */
export const quoteLexeme = (lexeme: string): string =>
  `'''' || replace(replace(${lexeme}, '\\', '\\\\'), '''', '''''') || ''''`;

/** A query: the same tsvector with every word stemmed but the tenant, which begins with a sign that no word has. */
export const stemmed = (words: string): string => `
  SELECT coalesce(string_agg(${quoteLexeme(`CASE WHEN lexeme LIKE '=%' THEN lexeme ELSE ${stemOf("lexeme")} END`)}
    || coalesce(':' || (SELECT string_agg(place.position || place.weight, ',')
      FROM unnest(positions, weights) AS place (position, weight)), ''), ' '), '')::tsvector
  FROM unnest(${words}) AS word (lexeme, positions, weights)`;
