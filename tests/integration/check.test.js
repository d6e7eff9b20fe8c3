'use strict';
// fura check: whoever made many mistakes is told of all of them.
const { test, before, after, afterEach } = require('node:test');
const assert = require('node:assert/strict');
const { AppCopy } = require('../support/app_copy.js');
const { Fura } = require('../support/fura.js');
const { Postgres } = require('../support/postgres.js');

let app;
let fura;
before(() => {
  app = new AppCopy();
  fura = new Fura({ root: app.root });
});
after(() => app.close());
afterEach(() => app.restore());

test('what is wrong with settings, rules, templates, plugins and the rest of the sources is said at once', async () => {
  app.configure('{ cors = { orgins = "*" }, nosuch = {} }', '  wrokers = 2,\n  timezone = "Europe/Mosco",\n');
  app.edit('lua/rules/tariffs.lua', 'rub(499) },', 'rub(499) }');
  app.edit('lua/rules/flags.lua', 'promo_codes = true', 'promo_codes = "yes"');
  app.write('lua/web/views/broken.html', '<p>\n<% if x then %></p>\n');
  app.write('lua/commands/jobs.lua', 'local x = = 1\n');
  const end = await fura.command('check', '--json');
  assert.equal(end.code, 1, end.output);
  const { ok, problems } = JSON.parse(end.stdout);
  assert.equal(ok, false);
  for (const said of [/^conf\/default\.lua:\d+: wrokers: .*expected workers\?/, /^conf\/default\.lua:\d+: timezone: /, /^lua\/rules\/tariffs\.lua:\d+: /,
    /^lua\/rules\/flags\.lua:\d+: /, /^lua\/web\/views\/broken\.html:\d+: /, /^conf\/default\.lua:\d+: plugins\.cors\.orgins: /,
    /^conf\/default\.lua:\d+: plugins\.nosuch: /, /^lua\/commands\/jobs\.lua:1: /]) {
    assert.equal(problems.filter((line) => said.test(line)).length, 1, `${said} among\n${problems.join('\n')}`);
  }
});

test('what the database has not seen yet, and what changed since it saw it, is said with its file', async () => {
  const postgres = await Postgres.start();
  const server = new Fura({ root: app.root, env: { DATABASE_URL: postgres.url } });
  try {
    await server.migrate();
    app.write('migrations/0002_sessions.sql', `${app.read('migrations/0002_sessions.sql')}\n-- an afterthought\n`);
    const { stdout } = await server.command('migrate', 'new', 'late_one');
    const [late] = /\d+_late_one\.sql/.exec(stdout);
    const end = await server.command('check');
    app.remove(`migrations/${late}`);
    assert.equal(end.code, 1, end.output);
    assert.match(end.stdout, /^migrations\/0002_sessions\.sql:1: was changed after it was applied \(expected /m);
    assert.match(end.stdout, new RegExp(`^migrations/${late}:1: is pending \\(expected applied: run \`fura migrate up\`\\)$`, 'm'));
  } finally {
    await postgres.stop();
  }
});
