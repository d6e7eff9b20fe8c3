'use strict';
// Replacing the binary, sockets from systemd, and what the service manager is told.
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const { spawn } = require('node:child_process');
const { Child } = require('../support/child.js');
const { Client } = require('../support/client.js');
const { binary } = require('../support/fura.js');
const { Small, isAlive, load, until } = require('../support/process.js');

/** What sd_notify sends, datagram by datagram. Node has no datagram sockets on paths: perl listens. */
async function listenForNotices(folder) {
  const file = `${folder}/notify.sock`;
  const script = 'use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); bind($s, sockaddr_un($ARGV[0])) or die; print "bound\\n";'
    + ' while (1) { recv($s, my $m, 4096, 0); print "<$m>\\n" }';
  const child = new Child('perl', ['-e', script, file], { env: process.env });
  await child.waitFor(/bound/);
  return { file, child };
}

/** A test with a server of its own. A successor is no child of ours: what a failed test leaves is ended here. */
function testWith(name, body) {
  test(name, async () => {
    const server = new Small();
    try {
      await body(server);
    } finally {
      const pid = (await server.status())?.pid;
      if (pid) process.kill(pid, 'SIGKILL');
      await server.stop('SIGKILL');
    }
  });
}

async function endAll(pids) {
  for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGTERM');
  await until(() => pids.every((pid) => !isAlive(pid)), { what: 'the end of all', timeoutMs: 30000 });
}

testWith('USR2 starts the new binary on the same sockets without losing a request', async (server) => {
  const notices = await listenForNotices(server.folder);
  server.env.NOTIFY_SOCKET = notices.file;
  await server.serve();
  const old = await server.untilLive();
  const slow = server.client.get('/slow?ms=2000');
  await server.untilShown('/slow');
  server.edit('lua/answers.lua', 'return { greeting = "from the new process" }\n');
  const traffic = load(server.client, '/hello', 4);

  process.kill(server.pid, 'SIGUSR2');
  const status = await until(async () => {
    const now = await server.status();
    return now && now.pid !== server.pid && now;
  }, { what: 'the new process owns the control socket' });
  assert.equal((await slow).text, 'slow', 'the old process finishes what it began');
  // Its output stays open in the new process, so only the exit itself can be waited for.
  await until(() => server.child.process.exitCode !== null, { what: 'the old process ended' });
  assert.equal(server.child.process.exitCode, 0);
  assert.deepEqual((await traffic.stop()).errors, []);
  assert.ok(old.every((worker) => !isAlive(worker.pid)));
  assert.equal((await server.client.get('/hello')).text, 'from the new process');
  assert.match(notices.child.output, new RegExp(`<MAINPID=${status.pid}>`));
  assert.match(notices.child.output, new RegExp(`<READY=1\\nMAINPID=${status.pid}\\n`));

  await endAll([status.pid]);
  assert.ok(!fs.existsSync(server.control));
  await notices.child.stop('SIGKILL');
});

testWith('a canary is withdrawn when a new binary takes over, which builds what lies on the disk', async (server) => {
  await server.serve();
  server.edit('lua/answers.lua', 'return { greeting = "canary" }\n');
  assert.equal((await server.command('reload', '--canary', '100%')).code, 0);
  assert.equal((await server.client.get('/hello')).text, 'canary');
  server.edit('lua/answers.lua', 'return { greeting = "from the disk" }\n');
  process.kill(server.pid, 'SIGUSR2');
  const status = await until(async () => {
    const now = await server.status();
    return now && now.pid !== server.pid && now;
  }, { what: 'the new process owns the control socket' });
  assert.match(server.logged('canary withdrawn')[0].reason, /a new process takes over/);
  await until(() => server.child.process.exitCode !== null, { what: 'the old process ended' });
  assert.equal((await server.client.get('/hello')).text, 'from the disk');
  assert.equal(status.canary, null);
  await endAll([status.pid]);
});

testWith('a new binary that cannot build its generation leaves the old one serving', async (server) => {
  await server.serve();
  server.edit('lua/answers.lua', 'return {{{\n');
  process.kill(server.pid, 'SIGUSR2');
  await until(() => server.logged('the new process failed, this one goes on').length > 0, { what: 'the failure in the log' });
  assert.equal((await server.client.get('/hello')).text, 'hello');
  assert.equal((await server.status()).pid, server.pid);
  server.edit('lua/answers.lua', 'return { greeting = "mended" }\n');
  assert.equal((await server.command('reload')).code, 0);
  assert.equal((await server.client.get('/hello')).text, 'mended');
  assert.equal((await server.child.stop()).code, 0);
});

testWith('TERM during an upgrade ends both', async (server) => {
  await server.serve();
  server.edit('lua/init.lua', 'host.task.sleep(30000)\nreturn { routes = {}, dispatch = function() end }\n');
  process.kill(server.pid, 'SIGUSR2');
  await until(() => server.logged('starting the new process').length > 0, { what: 'the upgrade' });
  const children = () => fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim().split(' ').map(Number);
  const successor = await until(() => children().find((pid) => fs.readFileSync(`/proc/${pid}/comm`, 'utf8') === 'fura: master\n'),
    { what: 'the new master' });
  assert.equal((await server.child.stop()).code, 0);
  await until(() => !isAlive(successor), { what: 'the new process is gone' });
});

testWith('the service manager hears of readiness, reloads and the end', async (server) => {
  const notices = await listenForNotices(server.folder);
  server.env.NOTIFY_SOCKET = notices.file;
  server.env.WATCHDOG_USEC = '400000';
  await server.serve();
  await notices.child.waitFor(/<READY=1\nMAINPID=\d+\nSTATUS=generation 1>/);
  await notices.child.waitFor(/<WATCHDOG=1>[^]*<WATCHDOG=1>/);
  assert.equal((await server.command('reload')).code, 0);
  await notices.child.waitFor(/<RELOADING=1\nMONOTONIC_USEC=\d+>[^]*<READY=1\nSTATUS=generation 2>/);
  assert.equal((await server.command('stop')).code, 0);
  await notices.child.waitFor(/<STOPPING=1/);
  await notices.child.stop('SIGKILL');
});

/** Start the server as systemd would, with a listening socket of ours as descriptor 3. */
async function activate(server) {
  const listener = net.createServer();
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address();
  const child = spawn('sh', ['-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve', binary()],
    { env: server.env, cwd: server.root, stdio: ['ignore', 'pipe', 'pipe', listener._handle.fd] });
  const started = { child, port, output: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { started.output += text; });
  await until(() => started.output.includes(`Listening on http://127.0.0.1:${port}`), { what: 'the given socket' });
  listener.close(); // ours; the server keeps its own
  started.client = new Client(`http://127.0.0.1:${port}`);
  return started;
}

testWith('sockets given by systemd are served instead of FURA_LISTEN, also after an upgrade', async (server) => {
  const { child, client, port } = await activate(server);
  assert.deepEqual((await server.status()).listeners.map((one) => one.url), [`http://127.0.0.1:${port}`]);
  assert.equal((await client.get('/hello')).text, 'hello');

  child.kill('SIGUSR2');
  const status = await until(async () => {
    const now = await server.status();
    return now && now.pid !== child.pid && now;
  }, { what: 'the new process' });
  await until(() => child.exitCode !== null, { what: 'the old process ended' });
  assert.deepEqual(status.listeners.map((one) => one.url), [`http://127.0.0.1:${port}`]);
  assert.equal((await client.get('/hello')).text, 'hello');
  await endAll([status.pid]);
});
