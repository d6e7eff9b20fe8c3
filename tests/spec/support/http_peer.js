// The server http_spec.lua talks to. Prints its port once it listens and ends with its stdin.
const http = require("http");

const routes = {
  "/echo": (request, response, body) =>
    response.end(`${request.method} ${request.url} ${request.headers["x-test"] || "-"} ${body}`),
  "/headers": (request, response) => {
    response.setHeader("X-Twice", ["one", "two"]);
    response.writeHead(418).end("short and stout");
  },
  "/pieces": (request, response) => {
    response.write("one");
    setTimeout(() => response.write("two"), 20);
    setTimeout(() => response.end("three"), 40);
  },
  "/never": () => {},
  "/open": (request, response) => response.end(String(open)),
};
let open = 0;

const server = http.createServer((request, response) => {
  let body = "";
  open++;
  response.on("close", () => open--);
  request.on("data", (data) => (body += data));
  request.on("end", () => routes[request.url.split("?")[0]](request, response, body));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
