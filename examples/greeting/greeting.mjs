#!/usr/bin/env node
// The same service as greeting.py, in JavaScript: Node's own modules only.
//
//   fairlead run --service greeting --port 5001 --health /health -- node greeting.mjs
//
// It listens on the port in FAIRLEAD_PORT or PORT.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";

const instance = process.env.FAIRLEAD_INSTANCE ?? "";
const incarnation = randomBytes(8).toString("hex"); // tells this process from the one before it
const port = Number(process.env.FAIRLEAD_PORT || process.env.PORT || 0);
const byMethod = {};

const total = () => Object.values(byMethod).reduce((sum, n) => sum + n, 0);
const report = () => ({ instance, incarnation, served: total(), by_method: byMethod });
const log = (msg, fields) => console.error(JSON.stringify({ msg, ...fields }));

function answer(request, response, status, value, type = "application/json") {
  const body = JSON.stringify(value) + "\n";
  response.statusCode = status;
  response.setHeader("Content-Type", type);
  response.setHeader("Content-Length", Buffer.byteLength(body));
  const id = request.headers["x-request-id"];
  if (id) response.setHeader("X-Request-Id", id);
  response.end(request.method === "HEAD" ? undefined : body);
}

function problem(request, response, status, detail) {
  answer(request, response, status, { type: "about:blank", status, detail }, "application/problem+json");
}

function greet(request, response, name) {
  byMethod[request.method] = (byMethod[request.method] ?? 0) + 1;
  const greeting = { greeting: `Hello, ${name}!` };
  const request_id = request.headers["x-request-id"];
  if (request_id) Object.assign(greeting, { request_id, instance, incarnation, served: total() });
  answer(request, response, 200, greeting);
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

const server = createServer((request, response) => {
  request.resume(); // what is not read would hold the connection up
  if (request.method !== "GET" && request.method !== "HEAD") {
    return problem(request, response, 405, "only GET and HEAD are answered");
  }
  const path = request.url.split("?", 1)[0];
  if (path === "/health") return answer(request, response, 200, { status: "pass" }, "application/health+json");
  if (path === "/count") return answer(request, response, 200, report());
  const name = decode(/^\/greetings\/([^/]+)$/.exec(path)?.[1] ?? "");
  if (name) return greet(request, response, name);
  problem(request, response, 404, "there is no such path");
});

server.keepAliveTimeout = 120_000; // longer than callers keep an idle connection
server.listen({ host: "127.0.0.1", port, backlog: 512 }, () => {
  log("serving", { addr: `127.0.0.1:${server.address().port}` });
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  // close ends idle connections and lets requests in flight finish.
  process.once(signal, () => server.close(() => log("requests served", report())));
}
