// The servers test_fetch.c talks to: a well-behaved one, one that breaks every rule, and three with TLS.
// Usage: node fetch_peer.js FOLDER  (good.key, good.crt: localhost; other.key, other.crt: other.example)
// Prints the ports as one line once all listen, and ends with its stdin.
const fs = require("fs");
const http = require("http");
const http2 = require("http2");
const https = require("https");
const net = require("net");
const path = require("path");
const zlib = require("zlib");

const folder = process.argv[2];
const read = (name) => fs.readFileSync(path.join(folder, name));
const seen = { connections: 0, stale: 0, parallel: 0, most_parallel: 0 };

function echo(request, response) {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const lines = [`${request.method} ${request.url}`];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      lines.push(`${request.rawHeaders[i].toLowerCase()}=${request.rawHeaders[i + 1]}`);
    response.end(lines.join("\n") + "\n\n" + Buffer.concat(chunks).toString());
  });
}

function flood(response) {
  const block = Buffer.alloc(65536, "x");
  const more = () => {
    while (!response.destroyed && response.write(block));
  };
  response.on("drain", more);
  more();
}

const routes = {
  "/hello": (request, response) => {
    response.setHeader("X-Twice", ["one", "two"]);
    response.end("hello");
  },
  "/echo": echo,
  "/none": (request, response) => response.writeHead(204).end(),
  "/missing": (request, response) => response.writeHead(404).end("no such thing"),
  "/gzip": (request, response) => {
    response.setHeader("Content-Encoding", "gzip");
    response.end(zlib.gzipSync("squeezed ".repeat(1000)));
  },
  "/bomb": (request, response) => {
    response.setHeader("Content-Encoding", "gzip");
    response.end(zlib.gzipSync(Buffer.alloc(20 << 20)));
  },
  "/bad-gzip": (request, response) => {
    response.setHeader("Content-Encoding", "gzip");
    response.end("this was never compressed");
  },
  "/huge": (request, response) => flood(response),
  "/chunked": (request, response) => {
    response.writeHead(200, { Trailer: "X-Late" });
    response.write("one,");
    setImmediate(() => {
      response.write("two,");
      response.addTrailers({ "X-Late": "yes" });
      response.end("three");
    });
  },
  "/never": () => {},
  "/stuck": (request, response) => response.write("the beginning"),
  "/connections": (request, response) => response.end(String(seen.connections)),
  "/parallel": (request, response) => {
    seen.parallel++;
    seen.most_parallel = Math.max(seen.most_parallel, seen.parallel);
    setTimeout(() => {
      seen.parallel--;
      response.end(String(seen.most_parallel));
    }, 20);
  },
  "/loop": (request, response) => response.writeHead(302, { Location: "/loop" }).end("again"),
  "/stale-count": (request, response) => response.end(String(seen.stale)),
};

function answer(request, response) {
  const url = new URL(request.url, "http://x");
  const redirect = url.pathname.match(/^\/redirect\/(\d+)$/);
  if (redirect)
    response
      .writeHead(Number(redirect[1]), { Location: url.searchParams.get("to"), "X-Hop": "first" })
      .end("a body that nobody wants");
  else (routes[url.pathname] || routes["/missing"])(request, response);
}

// ---- the one that breaks the rules ----

const misdeeds = {
  "/half": (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes."),
  "/half-chunk": (socket) =>
    socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nten bytes."),
  "/garbage": (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
  "/close": (socket) => socket.end(),
  "/brief": (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbrief"),
  "/reset": (socket) => socket.resetAndDestroy(),
  "/hints": (socket) =>
    socket.end(
      "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Late: 2\r\nContent-Length: 2\r\n\r\nok",
    ),
  "/folded": (socket) =>
    socket.end("HTTP/1.1 200 OK\r\nX-Long: first\r\n second\r\nContent-Length: 2\r\n\r\nok"),
  "/endless-head": (socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    const more = () => {
      while (!socket.destroyed && socket.write("X-More: " + "y".repeat(4000) + "\r\n"));
    };
    socket.on("drain", more);
    more();
  },
  "/long-line": (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nX-Long: ");
    const more = () => {
      while (!socket.destroyed && socket.write("y".repeat(4000)));
    };
    socket.on("drain", more);
    more();
  },
};

// Answers the first request of a connection; reads the second whole, counts it, and hangs up.
function serve_stale(socket, count) {
  if (count === 1) return socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
  seen.stale++;
  socket.end();
}

const rude = net.createServer((socket) => {
  let text = "";
  let count = 0;
  socket.on("error", () => {});
  socket.on("data", (data) => {
    text += data;
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number((text.match(/content-length: (\d+)/i) || [0, 0])[1]);
    if (text.length < end + 4 + length) return;
    const target = text.split(" ")[1];
    text = "";
    count++;
    if (target === "/stale") serve_stale(socket, count);
    else misdeeds[target](socket);
  });
});

// ---- start ----

const plain = http.createServer({ keepAliveTimeout: 60000 }, answer);
plain.on("connection", () => seen.connections++);

function answer_with_version(request, response) {
  if (request.url !== "/version") return answer(request, response);
  setTimeout(() => response.end(`${request.httpVersion} ${modern.sessions}`), 20);
}
const good = { key: read("good.key"), cert: read("good.crt") };
const modern = http2.createSecureServer({ ...good, allowHTTP1: true }, answer_with_version);
modern.sessions = 0;
modern.on("session", () => modern.sessions++);
const other_host = https.createServer({ key: read("other.key"), cert: read("other.crt") }, answer);
for (const server of [modern, other_host]) server.on("tlsClientError", () => {});

const servers = [plain, rude, modern, other_host];
let left = servers.length;
for (const server of servers)
  server.listen(0, "127.0.0.1", () => {
    if (--left === 0) console.log(servers.map((each) => each.address().port).join(" "));
  });
process.stdin.on("end", () => process.exit(0)).resume();
