'use strict';
// Master and workers: starting, dying, draining.
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { run } = require('../support/child.js');
const { binary } = require('../support/fura.js');
const { Small, isAlive, load, until } = require('../support/process.js');

async function withServer(env, body) {
  const server = await new Small(env).serve();
  try {
    await body(server);
  } finally {
    await server.stop('SIGKILL');
  }
}

test('a stopped server ends with status 0 and leaves neither sockets nor processes', async () => {
  const server = await new Small().serve();
  const workers = await server.untilLive();
  assert.equal((await server.client.get('/hello')).text, 'hello');
  const end = await server.child.stop('SIGTERM');
  assert.equal(end.code, 0, server.child.tail());
  assert.ok(!fs.existsSync(server.control));
  assert.deepEqual(workers.map((worker) => isAlive(worker.pid)), [false, false]);
  await server.stop();
});

test('processes carry their names', async () => {
  await withServer({}, async (server) => {
    const [worker] = await server.untilLive();
    assert.equal(fs.readFileSync(`/proc/${server.pid}/comm`, 'utf8'), 'fura: master\n');
    assert.equal(fs.readFileSync(`/proc/${worker.pid}/comm`, 'utf8'), 'fura: worker 1\n');
  });
});

test('a second server with the same control socket is refused', async () => {
  await withServer({}, async (server) => {
    const end = await server.command('serve');
    assert.equal(end.code, 1);
    assert.match(end.stderr, /another server answers at .*control\.sock/);
    assert.equal((await server.client.get('/hello')).status, 200);
  });
});

test('a server whose sources are broken does not start and names file and line', async () => {
  const server = new Small();
  server.edit('lua/answers.lua', 'return {\n  greeting =\n}\n');
  const end = await server.command('serve');
  assert.equal(end.code, 1);
  assert.match(end.stderr, /lua\/answers\.lua:3: /);
  await server.stop();
});

test('kill -9 of a worker under load costs at most what it was answering', async () => {
  await withServer({}, async (server) => {
    const [victim] = await server.untilLive();
    const traffic = load(server.client, '/hello', 8);
    await until(() => traffic.seen.answers > 50, { what: 'traffic' });
    process.kill(victim.pid, 'SIGKILL');
    await server.untilLive((worker) => worker.pid !== victim.pid);
    const before = traffic.seen.answers;
    await until(() => traffic.seen.answers > before + 50, { what: 'traffic after the death' });
    const { errors } = await traffic.stop();
    assert.ok(errors.length <= 8, `lost ${errors.length}: ${errors.slice(0, 5)}`);
    const [death] = server.logged('worker died');
    assert.equal(death.reason, 'killed by signal 9 (SIGKILL)');
  });
});

test('a crash leaves its reason and place in the log', async () => {
  await withServer({}, async (server) => {
    const [victim] = await server.untilLive();
    process.kill(victim.pid, 'SIGABRT');
    await until(() => server.logged('worker died').length > 0, { what: 'the line about the death' });
    const [death] = server.logged('worker died');
    assert.match(death.reason, /signal 6 \(SIGABRT\)|status 1/);
    if (/signal/.test(death.reason)) assert.match(death.last_words, /^SIGABRT at address .*;/);
    await server.untilLive((worker) => worker.pid !== victim.pid);
  });
});

test('a worker that hangs is killed, said so, and replaced, while the other answers', async () => {
  await withServer({}, async (server) => {
    const [victim] = await server.untilLive();
    process.kill(victim.pid, 'SIGSTOP');
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.client.get('/hello')));
    assert.ok(answers.every((answer) => answer.status === 200));
    await server.untilLive((worker) => worker.pid !== victim.pid);
    assert.match(server.logged('worker died')[0].reason, /SIGKILL.*silent for 5 seconds/);
  });
});

test('workers end when the master is killed', async () => {
  const server = await new Small().serve();
  const workers = await server.untilLive();
  process.kill(server.pid, 'SIGKILL');
  await until(() => workers.every((worker) => !isAlive(worker.pid)), { what: 'the workers ended' });
  await assert.rejects(server.client.get('/hello'));
  await server.stop();
});

test('beyond as many requests as it may answer at once, a worker says when to come back', async () => {
  await withServer({ FURA_WORKERS: '1', TEST_MAX_REQUESTS: '1' }, async (server) => {
    const slow = server.client.get('/slow?ms=2000');
    await server.untilShown('/slow');
    const refused = await server.client.get('/hello');
    assert.deepEqual([refused.status, refused.json.code, refused.headers['retry-after']], [503, 'overloaded', '1']);
    assert.equal((await slow).text, 'slow');
  });
});

test('TERM lets a running request finish and refuses new connections', async () => {
  const server = await new Small().serve();
  const slow = server.client.get('/slow?ms=1500');
  await server.untilShown('/slow');
  process.kill(server.pid, 'SIGTERM');
  await until(() => server.logged('draining').length > 0, { what: 'draining' });
  await until(() => server.client.get('/hello').then(() => false, () => true), { what: 'no new connections' });
  assert.equal((await slow).text, 'slow');
  assert.equal((await server.child.ended).code, 0);
  await server.stop();
});

test('while balancers are given notice, new requests are still served', async () => {
  const server = await new Small({ TEST_DRAIN_NOTICE_S: '2' }).serve();
  await server.untilLive();
  process.kill(server.pid, 'SIGTERM');
  await until(() => server.logged('stopping').length > 0, { what: 'stopping' });
  assert.equal((await server.client.get('/hello')).status, 200);
  assert.equal((await server.status()).draining, true);
  assert.equal((await server.child.ended).code, 0);
  await server.stop();
});

test('a request that outlasts the shutdown limit is cut off', async () => {
  const server = await new Small({ TEST_SHUTDOWN_S: '1' }).serve();
  const slow = server.client.get('/slow?ms=30000').catch((error) => error);
  await server.untilShown('/slow');
  const begun = Date.now();
  process.kill(server.pid, 'SIGTERM');
  assert.equal((await server.child.ended).code, 0);
  assert.ok(Date.now() - begun < 10000);
  const answer = await slow;
  assert.ok(answer instanceof Error || answer.status >= 500, 'a cut request never looks answered');
  await server.stop();
});

for (const [name, second] of [['a second TERM', 'SIGTERM'], ['QUIT', 'SIGQUIT']]) {
  test(`${name} stops at once`, async () => {
    const server = await new Small().serve();
    const slow = server.client.get('/slow?ms=30000').catch(() => 'cut');
    await server.untilShown('/slow');
    process.kill(server.pid, 'SIGTERM');
    await until(() => server.logged('draining').length > 0, { what: 'draining' });
    process.kill(server.pid, second);
    assert.equal((await server.child.ended).code, 0);
    await slow;
    await server.stop();
  });
}

test('USR1 opens the log file again in all processes', async () => {
  const server = new Small();
  server.edit('conf/default.lua', `return { log_file = "${server.folder}/fura.log", development = { watch = false } }\n`);
  const file = `${server.folder}/fura.log`;
  const { Child } = require('../support/child.js');
  server.child = new Child(binary(), ['serve'], { env: server.env, cwd: server.root, deathSignal: 'TERM' });
  const read = () => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
  const [, url] = await until(() => /Listening on (http:\/\/[\w.:]+)/.exec(read()), { what: 'the log file' });
  fs.renameSync(file, `${file}.1`);
  process.kill(server.pid, 'SIGUSR1');
  await until(async () => {
    await fetch(`${url}/hello`).then((answer) => answer.text());
    return /"message":"request"/.test(read());
  }, { what: 'a request in the new file' });
  await server.stop();
});

test('the control socket is for its owner alone', async () => {
  await withServer({}, async (server) => {
    assert.equal(fs.statSync(server.control).mode & 0o777, 0o600);
    if (process.getuid() !== 0) return;
    fs.chmodSync(server.folder, 0o755);
    fs.chmodSync(server.control, 0o666); // the file's mode is not the only guard
    const env = { ...server.env };
    const end = await run(binary(), ['status'], { env, cwd: server.root, user: { uid: 65534, gid: 65534 } });
    assert.equal(end.code, 1);
    assert.match(end.stderr, /only its owner and root may ask/);
  });
});

test('commands explain that no server runs', async () => {
  const server = new Small();
  for (const command of ['status', 'reload', 'ps', 'stop']) {
    const end = await server.command(command);
    assert.equal(end.code, 1);
    assert.match(end.stderr, /no server is running here/);
    assert.deepEqual(JSON.parse((await server.command(command, '--json')).stdout), { ok: false, error: 'no_answer' });
  }
  await server.stop();
});

test('kill ends one running request by the id that ps shows', async () => {
  await withServer({}, async (server) => {
    const slow = server.client.get('/slow?ms=60000');
    const id = await until(async () => {
      const lines = (await server.command('ps', '--json')).stdout.trim().split('\n').map((line) => JSON.parse(line));
      return lines.flatMap((line) => line.tasks ?? []).find((task) => task.label.includes('/slow'))?.id;
    }, { what: 'the task in ps' });
    assert.equal((await server.command('kill', id)).code, 0);
    assert.ok((await slow).status >= 500);
    const again = await server.command('kill', id);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /no such task/);
  });
});

test('call asks a function of the running application', async () => {
  await withServer({}, async (server) => {
    assert.deepEqual(JSON.parse((await server.command('call', 'greet', '{"name":"Ann"}')).stdout), { text: 'hello, Ann' });
    const refused = await server.command('call', 'refuse');
    assert.equal(refused.code, 1);
    assert.equal(JSON.parse(refused.stdout).code, 'refused');
    assert.equal((await server.command('call', 'nothing')).code, 1);
    assert.equal((await server.command('call', 'greet', '{bad')).code, 2);
  });
});
