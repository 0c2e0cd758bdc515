// A WebSocket without any client library on it, for tests of exact frames and close codes.
import assert from "node:assert/strict";
import http from "node:http";
import WebSocket from "ws";

/** Raw is one WebSocket whose frames are taken one by one. It ends with the test t. */
export class Raw {
  static async open(t, edge, { vsn = "2.0.0", path = `/socket/websocket?vsn=${vsn}`, headers } = {}) {
    const raw = new Raw(new WebSocket(edge.ws + path, { headers, perMessageDeflate: true }));
    t.after(() => raw.socket.terminate());
    await new Promise((resolve, reject) => {
      raw.socket.once("open", resolve);
      raw.socket.once("error", reject);
    });
    return raw;
  }

  constructor(socket) {
    this.socket = socket;
    this.queue = [];
    this.takers = [];
    socket.on("message", (data, binary) => {
      const frame = binary ? data : `${data}`;
      const taker = this.takers.shift();
      if (taker) taker(frame);
      else this.queue.push(frame);
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: `${reason}` }));
    });
  }

  /** send sends text or bytes as they are, and anything else as JSON. */
  send(frame) {
    this.socket.send(typeof frame === "string" || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** text gives the next frame as it came, within ms. */
  text(ms = 10_000) {
    if (this.queue.length > 0) return Promise.resolve(this.queue.shift());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.takers = this.takers.filter((other) => other !== taker);
        reject(new Error(`no frame within ${ms} ms`));
      }, ms);
      const taker = (frame) => { clearTimeout(timer); resolve(frame); };
      this.takers.push(taker);
      this.closed.then(({ code }) => { clearTimeout(timer); reject(new Error(`closed with ${code} instead of a frame`)); });
    });
  }

  /** next gives the next frame, decoded. */
  async next(ms) { return JSON.parse(await this.text(ms)); }

  /** skipTo takes frames until one of the event (of 2.0.0) and gives that. */
  async skipTo(event) {
    for (;;) {
      const frame = await this.next();
      if (frame[3] === event) return frame;
    }
  }

  /** closeCode waits for the server to close, and gives the code. */
  async closeCode(ms = 10_000) {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not closed within ${ms} ms`)), ms); });
    const { code } = await Promise.race([this.closed, late]);
    clearTimeout(timer);
    return code;
  }
}

/** upgrade asks for a WebSocket by plain HTTP and gives {status, headers, body}; status 101 when it was granted. */
export function upgrade(edge, path, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(edge.http + path, {
      headers: {
        Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", ...headers,
      },
    });
    request.once("upgrade", ({ statusCode, headers: got }, connection) => {
      connection.destroy();
      resolve({ status: statusCode, headers: got, body: "" });
    });
    request.once("response", async (response) => {
      let body = "";
      for await (const part of response) body += part;
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
    request.once("error", reject);
    request.end();
  });
}

/** like asserts that got has exactly the shape of want. A function in want judges the value in its
 * place; a key that ends with "?" may be missing. */
export function like(got, want, where = "frame") {
  if (typeof want === "function") {
    assert.ok(want(got), `${where} is ${JSON.stringify(got)}, not ${want.name}`);
  } else if (Array.isArray(want)) {
    assert.ok(Array.isArray(got) && got.length === want.length, `${where} is ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
    want.forEach((value, i) => like(got[i], value, `${where}[${i}]`));
  } else if (typeof want === "object" && want !== null) {
    assert.ok(typeof got === "object" && got !== null && !Array.isArray(got), `${where} is ${JSON.stringify(got)}, not an object`);
    const known = new Set();
    for (const [key, value] of Object.entries(want)) {
      const name = key.replace(/\?$/, "");
      known.add(name);
      if (name !== key && !(name in got)) continue;
      assert.ok(name in got, `${where}.${name} is missing in ${JSON.stringify(got)}`);
      like(got[name], value, `${where}.${name}`);
    }
    for (const key of Object.keys(got)) assert.ok(known.has(key), `${where}.${key} was not expected in ${JSON.stringify(got)}`);
  } else {
    assert.strictEqual(got, want, `${where} is ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
  }
}

/** Judges of values that no test can know. */
export const aText = function aText(value) { return typeof value === "string" && value.length > 0; };
export const aUnixSecond = function aUnixSecond(value) { return Number.isInteger(value) && Math.abs(value - Date.now() / 1000) < 60; };
export const aCount = function aCount(value) { return Number.isInteger(value) && value >= 0; };
