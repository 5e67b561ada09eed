// An echo server: node server.js HOST PORT. It sends back every message as it
// came, closes when told to, and refuses at /refuse.
'use strict';
const http = require('node:http');
const { WebSocketServer } = require('ws');

const [host, port] = process.argv.slice(2);
const server = http.createServer((req, res) => res.writeHead(404).end());
const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => (offered.has('second') ? 'second' : false),
});
const left = new Map(); // by path: how the last client went

server.on('upgrade', (req, socket, head) => {
  socket.on('error', () => {});
  if (req.url === '/refuse') {
    socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n');
    return;
  }
  sockets.handleUpgrade(req, socket, head, (ws) => {
    ws.on('close', (code, reason) => left.set(req.url, `${code} ${reason}`));
    ws.on('error', () => {});
    ws.on('message', (data, binary) => {
      const text = binary ? '' : data.toString();
      const close = /^close (\d+) (.*)$/.exec(text);
      if (close) ws.close(Number(close[1]), close[2]);
      else if (text === 'ping me') ws.once('pong', (p) => ws.send(`ponged ${p}`)).ping('are you there');
      else if (text.startsWith('how did ')) ws.send(left.get(text.slice('how did '.length)) ?? 'still here');
      else if (text === 'fragments') ['a', 'b', 'c'].forEach((part, i) => ws.send(part, { fin: i === 2 }));
      else if (text === 'break') ws.terminate();
      else ws.send(data, { binary });
    });
    if (req.url === '/greeting') ws.send('hello');
  });
});
server.listen(Number(port), host);
