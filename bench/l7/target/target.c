// The target of the benches: answers every request on the ports it is given with
// 1 KiB, or 64 KiB where the path begins with /6, 1 MiB with /m, and 1 KiB with the end
// of the connection with /c, as cheaply as a server can. It shares a core with the loader, so whatever it costs is missing where the proxies
// are to be kept busy; that is why it is C. Of a request it reads one byte of the
// path and the empty line that ends the head, so requests must be GETs without a
// body, and those of one pipeline alike. Level-triggered epoll, one thread, no
// timeouts.
//
// Whoever connects to the first port is told, in one line, how many connections the
// other ports took and how many answers they began.
//
// Usage: target PORT PORT...
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SMALL = 1 << 10, LARGE = 1 << 16, HUGE = 1 << 20, FILES = 1 << 16, EVENTS = 256, READ = 1 << 16 };
// Where the path of a GET begins, without its slash.
enum { PATH = 5 };

// What is known of a connection, by its file descriptor.
struct conn {
	bool listens, tells;
	unsigned char at;      // bytes read of a head, up to PATH
	unsigned char asked;   // the kind of answer that the last head asked for
	unsigned char matched; // how much of CRLF CRLF the last bytes were
	unsigned owed;         // answers that were asked for and not begun
	unsigned sent;         // bytes of the answer under way
	bool waits;            // for room to write
};

static struct conn conns[FILES];

enum kind { OF_1K, OF_64K, OF_1M, ENDING, KINDS };

static struct {
	char bytes[HUGE + 256];
	unsigned len;
} answers[KINDS];
static unsigned long accepted, answered;

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void watch(int ep, int op, int fd, unsigned events) {
	struct epoll_event e = {.events = events, .data.fd = fd};
	if (epoll_ctl(ep, op, fd, &e) < 0)
		die("epoll_ctl");
}

static void listen_on(int ep, int port, bool tells) {
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		die("bind");
	if (listen(fd, 4096) < 0)
		die("listen");
	conns[fd] = (struct conn){.listens = true, .tells = tells};
	watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
}

static void take(int ep, int listener) {
	int on = 1, fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (conns[listener].tells) {
			dprintf(fd, "accepted %lu answered %lu\n", accepted, answered);
			close(fd);
			continue;
		}
		if (fd >= FILES) {
			close(fd);
			continue;
		}
		accepted++;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		conns[fd] = (struct conn){0};
		watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
	}
}

// kind_of is what a path that begins with this byte asks for.
static enum kind kind_of(char path) {
	switch (path) {
	case '6':
		return OF_64K;
	case 'm':
		return OF_1M;
	case 'c':
		return ENDING;
	}
	return OF_1K;
}

// count adds the heads that end in these bytes to what is owed.
static void count(struct conn *c, const char *b, ssize_t n) {
	static const char end[] = "\r\n\r\n";
	// Nearly always one whole head, and nothing else.
	if (c->matched == 0 && c->at == 0 && n > PATH && memmem(b, n, end, 4) == b + n - 4) {
		c->asked = kind_of(b[PATH]);
		c->owed++;
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (c->at <= PATH && c->at++ == PATH)
			c->asked = kind_of(b[i]);
		if (b[i] == end[c->matched])
			c->matched++;
		else
			c->matched = b[i] == '\r';
		if (c->matched == 4) {
			c->owed++;
			c->matched = c->at = 0;
		}
	}
}

// pay sends what is owed, as far as there is room; false means that the connection is
// to be closed.
static bool pay(int ep, int fd, struct conn *c) {
	while (c->owed > 0) {
		unsigned len = answers[c->asked].len;
		ssize_t n = send(fd, answers[c->asked].bytes + c->sent, len - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return false;
		if (c->sent == 0)
			answered++;
		c->sent += n;
		if (c->sent == len) {
			c->sent = 0;
			c->owed--;
			if (c->asked == ENDING)
				return false;
		}
	}
	bool waits = c->owed > 0;
	if (waits != c->waits) {
		c->waits = waits;
		watch(ep, EPOLL_CTL_MOD, fd, waits ? EPOLLOUT : EPOLLIN);
	}
	return true;
}

static void serve(int ep, int fd, struct conn *c) {
	static char buf[READ];
	if (!c->waits) {
		ssize_t n = recv(fd, buf, sizeof buf, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close(fd);
			return;
		}
		count(c, buf, n);
	}
	if (!pay(ep, fd, c))
		close(fd);
}

static void prepare(enum kind k, unsigned body) {
	unsigned head = snprintf(answers[k].bytes, sizeof answers[k].bytes,
		"HTTP/1.1 200 OK\r\nServer: target\r\nDate: Sun, 22 Nov 2026 22:32:14 GMT\r\n"
		"Content-Type: text/plain\r\nContent-Length: %u\r\n%s\r\n", body,
		k == ENDING ? "Connection: close\r\n" : "");
	memset(answers[k].bytes + head, 'x', body);
	answers[k].len = head + body;
}

int main(int argc, char **argv) {
	if (argc < 3) {
		fprintf(stderr, "usage: target PORT PORT...\n");
		return 2;
	}
	prepare(OF_1K, SMALL);
	prepare(OF_64K, LARGE);
	prepare(OF_1M, HUGE);
	prepare(ENDING, SMALL);

	int ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		die("epoll_create1");
	for (int i = 1; i < argc; i++)
		listen_on(ep, atoi(argv[i]), i == 1);
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(ep, events, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (conns[fd].listens)
				take(ep, fd);
			else
				serve(ep, fd, &conns[fd]);
		}
	}
}
