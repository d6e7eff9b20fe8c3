'use strict';
// Company for the load: connections that ask eight at a time, and long answers that are read to their end. Each answer is checked.
const http = require('node:http');
const net = require('node:net');
const { once } = require('node:events');

const AT_A_TIME = 8;

class Lanes {
  /** url: the server. pipelined: {path} answered with 200. streamed: {path, text: the whole of it}. */
  constructor(url, { pipelined, streamed }) {
    Object.assign(this, { url: new URL(url), going: true, answers: 0, streams: 0, wrong: [] });
    this.running = [this.ask(pipelined.path), this.ask(pipelined.path), this.listen(streamed), this.listen(streamed)];
  }

  async ask(path) {
    const socket = net.connect(Number(this.url.port), this.url.hostname).setEncoding('latin1');
    const lost = once(socket, 'close').catch((error) => error);
    for (let next = 0; this.going; next += AT_A_TIME) {
      const ids = Array.from({ length: AT_A_TIME }, (_, i) => `lane-${next + i}`);
      socket.write(ids.map((id) => `GET ${path} HTTP/1.1\r\nHost: bench\r\nX-Request-Id: ${id}\r\n\r\n`).join(''));
      if (!(await this.compare(socket, lost, ids))) break;
    }
    socket.destroy();
  }

  /** All answers of these questions, in their order and each with its status; false when the connection was lost. */
  async compare(socket, lost, ids) {
    let text = '';
    const heads = () => [...text.matchAll(/HTTP\/1\.1 (\d+)[\s\S]*?\r\nx-request-id: ([\w-]+)/gi)].map(([, status, id]) => `${status} ${id}`);
    while (heads().length < ids.length) {
      const piece = await Promise.race([once(socket, 'data').then(([data]) => data), lost.then(() => null)]);
      if (piece === null) return !this.wrong.push('a pipelining connection was closed');
      text += piece;
    }
    const wanted = ids.map((id) => `200 ${id}`);
    if (String(heads()) !== String(wanted)) this.wrong.push(`${heads()} instead of ${wanted}`);
    this.answers += ids.length;
    return true;
  }

  async listen({ path, text }) {
    while (this.going) {
      const got = await this.read(path).catch((error) => error.message);
      if (got === text) this.streams += 1;
      else this.wrong.push(`a stream gave ${got}`);
    }
  }

  async read(path) {
    const [answer] = await once(http.get(new URL(path, this.url), { agent: false }), 'response');
    let text = '';
    for await (const piece of answer.setEncoding('utf8')) text += piece;
    return text;
  }

  async stop() {
    this.going = false;
    await Promise.all(this.running);
    return this;
  }
}

module.exports = { Lanes };
