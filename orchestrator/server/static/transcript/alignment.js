/**
 * A segment's text as a user left it, brought back to words with times: words that stayed keep theirs.
 *
 * @typedef {import("./document.js").Word} Word
 * @typedef {{text: string, apart: boolean}} Token `apart`: a space comes before it
 */

const MOST_COMPARED = 4_000_000; // cells of the table of the longest common subsequence
const NEW_WORD_S = 0.4; // what a word is given that is added where nothing limits it
const CHUNK_GAP = /\s+/u;
const NOT_COMPARED = /[\p{M}\p{P}\p{S}]/gu;
const ONLY_MARKS = /^[\p{P}\p{S}]+$/u;
const WITHOUT_SPACES = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;

/**
 * Return words for `text`: those of `words` where it is unchanged, new ones with interpolated times elsewhere.
 *
 * @param {readonly Word[]} words of one segment, in order
 * @param {string} text
 * @param {{notBefore?: number, notAfter?: number}} room times (s) that words added at the edges must keep to
 * @returns {Word[]} none if the text is empty
 */
export function alignWords(words, text, { notBefore = 0, notAfter = Infinity } = {}) {
  const old = chunksOf(words);
  const fresh = text.split(CHUNK_GAP).filter(Boolean);
  const pairs = [...matches(old.map(chunkKey), fresh.map(comparable)), [old.length, fresh.length]];
  const aligned = [];
  let [i, j] = [0, 0];
  for (const [nextOld, nextFresh] of pairs) {
    const after = old[nextOld]?.[0].start;
    const around = { before: aligned.at(-1), after, notBefore, notAfter };
    aligned.push(...replaced(old.slice(i, nextOld), fresh.slice(j, nextFresh), around));
    if (nextOld < old.length) {
      aligned.push(...refined(old[nextOld], fresh[nextFresh]));
    }
    [i, j] = [nextOld + 1, nextFresh + 1];
  }
  return withFirstSpace(aligned, words);
}

/**
 * Return the tokens as words that fill [start, end) (s), each by its number of characters.
 *
 * @param {Token[]} tokens
 * @returns {Word[]}
 */
export function spread(tokens, start, end) {
  const total = tokens.reduce((sum, token) => sum + token.text.length, 0);
  let before = 0;
  return tokens.map((token) => {
    const first = milliseconds(start + ((end - start) * before) / total);
    before += token.text.length;
    const last = milliseconds(start + ((end - start) * before) / total);
    return newWord(token.text, first, Math.max(first, last), token.apart);
  });
}

/** Return `text` as it is compared: case, accents and punctuation make no other word. */
function comparable(text) {
  const key = text.normalize("NFD").replace(NOT_COMPARED, "").toLowerCase();
  return key || text;
}

function chunkKey(chunk) {
  return comparable(chunk.map((word) => word.word).join(""));
}

/** Return the words grouped by the spaces between them. */
function chunksOf(words) {
  const chunks = [];
  for (const word of words) {
    if (word.space_before === false && chunks.length) {
      chunks.at(-1).push(word);
    } else {
      chunks.push([word]);
    }
  }
  return chunks;
}

/** Return pairs [i, j] of a longest common subsequence of two lists of keys, in order. */
function matches(old, fresh) {
  let first = 0;
  while (first < old.length && first < fresh.length && old[first] === fresh[first]) {
    first += 1;
  }
  let same = 0;
  const most = Math.min(old.length, fresh.length) - first;
  while (same < most && old.at(-1 - same) === fresh.at(-1 - same)) {
    same += 1;
  }
  const inner = commonSubsequence(old.slice(first, old.length - same), fresh.slice(first, fresh.length - same));
  return [
    ...Array.from({ length: first }, (_, k) => [k, k]),
    ...inner.map(([i, j]) => [i + first, j + first]),
    ...Array.from({ length: same }, (_, k) => [old.length - same + k, fresh.length - same + k]),
  ];
}

function commonSubsequence(old, fresh) {
  if (old.length * fresh.length > MOST_COMPARED) {
    return [];
  }
  const width = fresh.length + 1;
  const lengths = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = old[i] === fresh[j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  return walked(old, fresh, lengths);
}

function walked(old, fresh, lengths) {
  const width = fresh.length + 1;
  const pairs = [];
  let [i, j] = [0, 0];
  while (i < old.length && j < fresh.length) {
    if (old[i] === fresh[j]) {
      pairs.push([i, j]);
      [i, j] = [i + 1, j + 1];
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) {
      i += 1;
    } else {
      j += 1;
    }
  }
  return pairs;
}

/** Return words for what stands where `old` chunks stood: one for one if there are as many, else spread out. */
function replaced(old, fresh, around) {
  if (fresh.length === 0) {
    return [];
  }
  if (old.some((chunk) => chunk.length > 1)) {
    return refined(old.flat(), fresh.join(" "));
  }
  if (old.length === fresh.length) {
    return old.flatMap((chunk, index) => refined(chunk, fresh[index]));
  }
  const tokens = fresh.map((text) => ({ text, apart: true }));
  if (old.length > 0) {
    return spread(tokens, old[0][0].start, latest(old.flat()));
  }
  return spread(tokens, ...gap(around, tokens.length));
}

/** Return the free time [start, end] for `count` words that nothing stood for before. */
function gap({ before, after, notBefore, notAfter }, count) {
  if (before === undefined && after === undefined) {
    return [notBefore, notBefore];
  }
  if (before === undefined) {
    return [Math.min(after, Math.max(notBefore, after - count * NEW_WORD_S)), after];
  }
  const free = after ?? Math.min(notAfter, before.end + count * NEW_WORD_S);
  const start = Math.max(before.start, Math.min(before.end, free));
  return [start, Math.max(start, free)];
}

/** Return words for `text` in place of `words`: those at its beginning and its end that are the same stay. */
function refined(words, text) {
  if (words.length === 1 && !WITHOUT_SPACES.test(text)) {
    const [{ word, start, end, space_before }] = words;
    return word === text ? words : [newWord(text, start, end, space_before !== false)];
  }
  const [head, afterHead] = sameHead(words, ` ${text}`);
  const [tail, middle] = sameTail(words.slice(head), afterHead);
  const [before, tokens] = withMarks(words.slice(0, head), tokensOf(middle));
  const changed = words.slice(head, words.length - tail);
  const kept = words.slice(words.length - tail);
  if (changed.length === tokens.length) {
    const same = changed.map(({ start, end }, k) => newWord(tokens[k].text, start, end, tokens[k].apart));
    return [...before, ...same, ...kept];
  }
  const start = changed[0]?.start ?? before.at(-1)?.end ?? words[0].start;
  const end = Math.max(start, changed.length ? latest(changed) : (kept[0]?.start ?? start));
  return [...before, ...spread(tokens, start, end), ...kept];
}

function sameHead(words, text) {
  let [count, rest] = [0, text];
  while (count < words.length && rest.startsWith(written(words[count], count === 0))) {
    rest = rest.slice(written(words[count], count === 0).length);
    count += 1;
  }
  return [count, rest];
}

function sameTail(words, text) {
  let [count, rest] = [0, text];
  while (count < words.length && rest.endsWith(written(words.at(-1 - count)))) {
    rest = rest.slice(0, rest.length - written(words.at(-1 - count)).length);
    count += 1;
  }
  return [count, rest];
}

function written(word, first = false) {
  return (first || word.space_before !== false ? " " : "") + word.word;
}

/** Give a mark that was added right after the last of `words` to that word. */
function withMarks(words, tokens) {
  const [mark, ...others] = tokens;
  if (words.length === 0 || mark === undefined || mark.apart || !ONLY_MARKS.test(mark.text)) {
    return [words, tokens];
  }
  const { word, start, end, space_before } = words.at(-1);
  return [[...words.slice(0, -1), newWord(word + mark.text, start, end, space_before !== false)], others];
}

/** @returns {Token[]} */
function tokensOf(text) {
  return [...text.matchAll(/(\s*)(\S+)/gu)].flatMap(([, space, chunk]) =>
    piecesOf(chunk).map((piece, index) => ({ text: piece, apart: index === 0 && space !== "" })),
  );
}

/** Return the words of a chunk without spaces, marks with the word before them. */
function piecesOf(chunk) {
  if (!WITHOUT_SPACES.test(chunk) || typeof Intl.Segmenter !== "function") {
    return [chunk];
  }
  const pieces = [];
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: "word" }).segment(chunk)) {
    if (pieces.length && ONLY_MARKS.test(segment)) {
      pieces.push(pieces.pop() + segment);
    } else {
      pieces.push(segment);
    }
  }
  return pieces;
}

function withFirstSpace(aligned, words) {
  if (aligned.length === 0 || words.length === 0) {
    return aligned;
  }
  const { space_before: _, ...first } = aligned[0];
  return [words[0].space_before === false ? { ...first, space_before: false } : first, ...aligned.slice(1)];
}

function newWord(word, start, end, apart) {
  return apart ? { word, start, end } : { word, start, end, space_before: false };
}

function latest(words) {
  return words.reduce((end, word) => Math.max(end, word.end), 0);
}

function milliseconds(seconds) {
  return Math.round(seconds * 1000) / 1000;
}
