'use strict';
// The API's description of itself, judged by tools others wrote: it is valid OpenAPI, and every GET it documents
// answers what it promises.
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const Ajv = require('ajv/dist/2020.js').default;
const addFormats = require('ajv-formats').default;
const { Product } = require('../support/product.js');

let product;
let document;
let driver;

before(async () => {
  product = await Product.start({ env: { FURA_RATE_LIMITS: 'off' } });
  document = (await product.client.get('/api/openapi.json')).json;
  driver = await product.login({ id: 4101, first_name: 'Анна' });
});
after(() => product.stop());

/** Nothing undocumented either: objects with described members have no others. */
function sealed(schema) {
  if (Array.isArray(schema)) return schema.map(sealed);
  if (schema === null || typeof schema !== 'object') return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, sealed(value)]));
  return schema.properties && schema.type ? { ...copy, additionalProperties: false } : copy;
}

function checker(schema) {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  const check = ajv.compile({ ...sealed(schema), components: document.components });
  return (value) => (check(value) ? undefined : ajv.errorsText(check.errors));
}

/** What stands for the parameters of a documented path. */
const SAMPLES = {
  '/api/v1/cargos/{id}': async () => (await driver.get('/api/v1/cargos')).json.cards[0].id,
  '/api/v1/payments/{id}': async () => (await driver.post('/api/v1/payments', { tariff: '1_month' })).json.payment_id,
};
const QUERIES = {
  '/api/v1/dictionaries/points': async () => 'q=Моск',
  '/api/v1/cargos/prices': async () => `seen_ids=${(await driver.get('/api/v1/cargos')).json.cards[0].id},1`,
};
// Answered to those alone who have paid.
const NEEDS_ACCESS = new Set(['/api/v1/subscription/access-token']);

async function address(path) {
  const id = path.includes('{') ? await SAMPLES[path]() : '';
  const query = QUERIES[path] ? `?${encodeURI(await QUERIES[path]())}` : '';
  return path.replace(/\{\w+\}/, id) + query;
}

test('the description is valid OpenAPI 3.1 to a public validator', async () => {
  const { Validator } = await import('@seriousme/openapi-schema-validator');
  const validator = new Validator();
  const result = await validator.validate(structuredClone(document));
  assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
  assert.equal(validator.version, '3.1');
});

test('every route of the API is described, with one name each', async () => {
  const { stdout } = await product.fura.command('routes', '--json');
  const routes = JSON.parse(stdout);
  const list = (routes.routes ?? routes).filter(({ path }) => /^\/(api\/v1|webhooks)\//.test(path) && path !== '/api/v1/auth/dev');
  assert.ok(list.length > 10);
  for (const { method, path } of list) assert.ok(document.paths[path]?.[method.toLowerCase()], `${method} ${path}`);
  const names = Object.values(document.paths).flatMap((item) => Object.values(item).map((one) => one.operationId));
  assert.equal(new Set(names).size, names.length);
});

test('every documented GET answers as its schema says', async (context) => {
  for (const [path, { get }] of Object.entries(document.paths)) {
    if (!get) continue;
    await context.test(path, async () => {
      const answer = await driver.get(await address(path));
      const promised = get.responses[answer.status];
      assert.ok(promised, `${answer.status} is not documented: ${answer.text}`);
      if (!NEEDS_ACCESS.has(path)) assert.equal(answer.status, 200, answer.text);
      const type = answer.headers['content-type'].split(';')[0];
      assert.equal(checker(promised.content[type].schema)(answer.json), undefined);
    });
  }
});

test('a refusal is the documented problem, with a documented code', async () => {
  const { get } = document.paths['/api/v1/cargos'];
  const anonymous = await product.client.get('/api/v1/cargos');
  assert.equal(anonymous.status, 401);
  assert.equal(checker(get.responses[401].content['application/problem+json'].schema)(anonymous.json), undefined);
  assert.ok(get.responses[401].description.includes(anonymous.json.code));
  const wrong = await driver.get('/api/v1/cargos?limit=0&mode=both');
  assert.equal(checker(get.responses[400].content['application/problem+json'].schema)(wrong.json), undefined);
  assert.ok(get.responses[400].description.includes(wrong.json.code));
});

test('what is created answers with a documented status and body', async () => {
  const sent = {
    '/api/v1/payments': { tariff: '3_months' },
    '/api/v1/responses': { cargo_id: (await driver.get('/api/v1/cargos')).json.cards[0].id },
    '/api/v1/promocodes/apply': { code: 'NOSUCHCODE' },
  };
  for (const [path, body] of Object.entries(sent)) {
    for (let n = 0; n < 2; n++) {
      const answer = await driver.post(path, body);
      const promised = document.paths[path].post.responses[answer.status];
      assert.ok(promised, `${path}: ${answer.status} is not documented`);
      const type = answer.headers['content-type'].split(';')[0];
      assert.equal(checker(promised.content[type].schema)(answer.json), undefined, path);
      if (answer.status >= 400) assert.ok(promised.description.includes(answer.json.code), `${path}: ${answer.json.code}`);
    }
  }
});

test('the page of the API is served without anything from elsewhere', async () => {
  const { status, text, headers } = await product.client.get('/api/docs', { accept: 'text/html' });
  assert.equal(status, 200);
  assert.match(headers['content-type'], /text\/html/);
  assert.doesNotMatch(text, /<script|https?:\/\//);
  for (const path of Object.keys(document.paths)) assert.ok(text.includes(`<code>${path}</code>`), path);
  const [, style] = /href="(\/static\/api\.[0-9a-f]{8}\.css)"/.exec(text);
  assert.equal((await product.client.get(style)).status, 200);
});
