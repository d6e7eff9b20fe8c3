'use strict';
// A guide of docs/ as something to be done: its edits, the answers it foretells, its pictures.
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./fura.js');

/** {language, body, line} of every fenced block. */
function blocks(file) {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, body, offset], index, all) => ({
    language, body, line: text.slice(0, all[index].index).split('\n').length,
  }));
}

/** {file, from, to} of every `@@ FILE @@` of a diff block. */
function hunks(body) {
  return body.split(/^(?=@@ )/m).map((hunk) => {
    const [head, ...lines] = hunk.trimEnd().split('\n');
    const side = (sign) => lines.filter((line) => line.startsWith(sign)).map((line) => line.slice(1)).join('\n');
    return { file: /^@@ (\S+) @@$/.exec(head)[1], from: side('-'), to: side('+') };
  });
}

/** What a guide asks to type into files, in order: {line, hunks, refusal: the text foretold, or undefined}. */
function edits(file) {
  const all = blocks(file);
  return all.flatMap(({ language, body, line }, index) => {
    if (language !== 'diff') return [];
    const next = all[index + 1];
    const refusal = next?.language === '' && /^(lua|plugins|conf)\//.test(next.body) ? next.body.trimEnd() : undefined;
    return [{ line, hunks: hunks(body), refusal }];
  });
}

function pictures(file) {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, target]) => path.join(path.dirname(file), target));
}

/** {command, output} of every line of a block that begins with `$ `. */
function commands(body) {
  return body.split(/^(?=\$ )/m).filter((part) => part.startsWith('$ ')).map((part) => {
    const [command, ...output] = part.trimEnd().split('\n');
    return { command: command.slice(2), output: output.join('\n') };
  });
}

/** What a guide asks to do, in order: {line, file, text}, {line, hunks} or {line, command, output}. A block of Lua whose
 *  first line is a comment with a path is that file. */
function steps(file) {
  return blocks(file).flatMap(({ language, body, line }) => {
    if (language === 'diff') return [{ line, hunks: hunks(body) }];
    const named = language === 'lua' && /^-- (\S+\/\S+\.lua)\n/.exec(body);
    if (named) return [{ line, file: named[1], text: body }];
    return commands(body).map((one) => ({ line, ...one }));
  });
}

/** The same text whatever took how long and which sum came out. */
function timeless(text) {
  return text.replace(/ *\d+\.\d ms/g, ' N ms').replace(/in \d+ ms/g, 'in N ms').replace(/\b[0-9a-f]{64}\b/g, 'SUM')
    .replace(/generation \d+/g, 'generation N').replace(/\r/g, '').trimEnd();
}

/** Do one edit in a copy of the application (tests/support/app_copy.js). */
function apply(app, { hunks: parts }) {
  for (const { file, from, to } of parts) app.edit(file, from, to);
}

module.exports = { apply, edits, pictures, steps, timeless };
