// Plays every case against an address: node client.js URL [CA-FILE]. It prints
// "ok NAME" or "not ok NAME: why", one line a case.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const { once } = require('node:events');
const WebSocket = require('ws');

const [base, caFile] = process.argv.slice(2);
const ca = caFile && fs.readFileSync(caFile);

async function open(path = '/', options = {}, protocols = []) {
  const ws = new WebSocket(base + path, protocols, { ca, servername: 'streams.example', ...options });
  await once(ws, 'open');
  return ws;
}

async function next(ws) {
  const [data, binary] = await once(ws, 'message');
  return binary ? data : data.toString();
}

async function echoes(ws, sent) {
  ws.send(sent);
  assert.deepStrictEqual(await next(ws), sent);
}

async function closes(ws, code, reason = '') {
  const [gotCode, gotReason] = await once(ws, 'close');
  assert.strictEqual(`${gotCode} ${gotReason}`, `${code} ${reason}`);
}

const cases = {
  'text': async (ws) => echoes(ws, 'hello'),
  'text of no bytes': async (ws) => echoes(ws, ''),
  'text beyond ASCII': async (ws) => echoes(ws, 'grüße 世界 🚪'),
  'binary of every byte': async (ws) => echoes(ws, Buffer.from([...Array(256).keys()])),
  'binary at the bounds of lengths': async (ws) => {
    for (const n of [125, 126, 127, 65535, 65536]) await echoes(ws, Buffer.alloc(n, n & 255));
  },
  'binary of 8 MiB': async (ws) => echoes(ws, Buffer.alloc(8 << 20, 'portico')),
  'fragments to the server': async (ws) => {
    ws.send('one ', { fin: false });
    ws.send('two ', { fin: false });
    ws.send('three', { fin: true });
    assert.strictEqual(await next(ws), 'one two three');
  },
  'fragments to the client': async (ws) => {
    ws.send('fragments');
    assert.strictEqual(await next(ws), 'abc');
  },
  'a ping between fragments': async (ws) => {
    ws.send('one ', { fin: false });
    ws.ping('between');
    ws.send('two', { fin: true });
    const [[payload]] = await Promise.all([once(ws, 'pong'), next(ws)]);
    assert.strictEqual(payload.toString(), 'between');
  },
  'a thousand messages in order': async (ws) => {
    const got = [];
    const all = new Promise((done) => ws.on('message', (d) => { if (got.push(d.toString()) === 1000) done(); }));
    for (let i = 0; i < 1000; i++) ws.send(String(i));
    await all;
    got.forEach((d, i) => assert.strictEqual(d, String(i)));
  },
  'ping of the client': async (ws) => {
    ws.ping('payload');
    const [payload] = await once(ws, 'pong');
    assert.strictEqual(payload.toString(), 'payload');
  },
  'ping of the server': async (ws) => {
    ws.send('ping me');
    assert.strictEqual(await next(ws), 'ponged are you there');
  },
  'close of the client': async (ws) => {
    ws.close(1000, 'done');
    await closes(ws, 1000, 'done');
  },
  'close with a code of its own': async (ws) => {
    ws.close(4321, 'a reason of some length, with ünicode');
    await closes(ws, 4321, 'a reason of some length, with ünicode');
  },
  'close without a code': async (ws) => {
    ws.close();
    await closes(ws, 1005);
  },
  'close of the server': async (ws) => {
    ws.send('close 1001 going away');
    await closes(ws, 1001, 'going away');
  },
  'close of the server with a code of its own': async (ws) => {
    ws.send('close 3999 why not');
    await closes(ws, 3999, 'why not');
  },
  'a server that breaks off': async (ws) => {
    ws.on('error', () => {});
    ws.send('break');
    await closes(ws, 1006);
  },
  'a client that breaks off': async () => {
    const gone = await open('/gone');
    await echoes(gone, 'here');
    gone.terminate();
    const ws = await open('/asks');
    for (let answer = ''; !answer.startsWith('1006'); ) {
      ws.send('how did /gone');
      answer = await next(ws);
    }
    ws.close();
  },
  'a greeting at once': async () => {
    const ws = new WebSocket(`${base}/greeting`, { ca, servername: 'streams.example' });
    assert.strictEqual(await next(ws), 'hello');
    ws.close();
  },
  'a subprotocol': async () => {
    const ws = await open('/', {}, ['first', 'second']);
    assert.strictEqual(ws.protocol, 'second');
    ws.close();
  },
  'permessage-deflate': async () => {
    const ws = await open('/', { perMessageDeflate: { threshold: 0 } });
    assert.match(ws.extensions, /permessage-deflate/);
    await echoes(ws, 'compressible '.repeat(100000));
    await echoes(ws, 'short');
    ws.close();
  },
  'no permessage-deflate': async () => {
    const ws = await open('/', { perMessageDeflate: false });
    assert.strictEqual(ws.extensions, '');
    await echoes(ws, 'compressible '.repeat(100000));
    ws.close();
  },
  'a refusal': async () => {
    const ws = new WebSocket(`${base}/refuse`, { ca, servername: 'streams.example' });
    const [, res] = await once(ws, 'unexpected-response');
    assert.strictEqual(res.statusCode, 401);
    res.resume();
  },
  'fifty at once': async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => open()));
    await Promise.all(all.map((ws, i) => echoes(ws, `number ${i}`)));
    await Promise.all(all.map((ws) => { ws.close(); return once(ws, 'close'); }));
  },
};

const bound = 10000;

async function play(name, one) {
  const ws = one.length > 0 ? await open() : null;
  let timer;
  try {
    await Promise.race([one(ws), new Promise((_, fail) => {
      timer = setTimeout(() => fail(new Error(`nothing within ${bound} ms`)), bound);
    })]);
  } finally {
    clearTimeout(timer);
    if (ws) ws.terminate();
  }
}

(async () => {
  for (const [name, one] of Object.entries(cases)) {
    try {
      await play(name, one);
      console.log(`ok ${name}`);
    } catch (err) {
      console.log(`not ok ${name}: ${String(err.message).split('\n')[0]}`);
    }
  }
  process.exit(0);
})();
