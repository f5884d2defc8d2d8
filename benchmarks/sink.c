/* A server that is never the bottleneck: answers every POST with 201 and a fixed JSON body, one epoll loop.
 *
 *   sink PORT [HANG_AT_S HANG_FOR_S]
 *
 * It counts requests by their Content-Length framing and prints the count when its standard input ends. While it
 * hangs it reads nothing, accepts nothing and answers nothing, as a process that is stopped. HANG_AT_S counts from
 * the first request. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 65536
#define ROOM (256 * 1024)

struct peer { char *data; size_t have; };
static struct peer peers[MOST];
static const char ANSWER[] =
    "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"status\":\"created\"}";
static char answers[64 * sizeof ANSWER];
static unsigned long long count;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* Returns the length of the first request in the data, 0 if it is not whole. */
static size_t whole(const char *data, size_t have) {
    const char *end = memmem(data, have, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = end - data + 4, body = 0;
    for (const char *at = data; at < end;) {
        const char *eol = memmem(at, end + 2 - at, "\r\n", 2);
        if (eol - at > 15 && !strncasecmp(at, "content-length:", 15)) body = strtoul(at + 15, NULL, 10);
        at = eol + 2;
    }
    return have >= head + body ? head + body : 0;
}

static int serve(int fd) {
    struct peer *p = &peers[fd];
    ssize_t got = recv(fd, p->data + p->have, ROOM - p->have, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    p->have += got;
    size_t at = 0, len, n = 0;
    while ((len = whole(p->data + at, p->have - at))) { at += len; n++; }
    memmove(p->data, p->data + at, p->have -= at);
    count += n;
    for (; n; ) {
        size_t some = n > 64 ? 64 : n;
        if (send(fd, answers, some * (sizeof ANSWER - 1), MSG_NOSIGNAL) < 0) return 0;
        n -= some;
    }
    return 1;
}

int main(int argc, char **argv) {
    double hang_at = argc > 3 ? atof(argv[2]) : -1, hang_for = argc > 3 ? atof(argv[3]) : 0, first = 0;
    for (int i = 0; i < 64; i++) memcpy(answers + i * (sizeof ANSWER - 1), ANSWER, sizeof ANSWER - 1);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (void *)&addr, sizeof addr) || listen(listener, 16384)) { perror("sink"); return 1; }
    socklen_t size = sizeof addr;
    getsockname(listener, (void *)&addr, &size);
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener}, got[256];
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
    ev.data.fd = 0;
    epoll_ctl(ep, EPOLL_CTL_ADD, 0, &ev);
    for (;;) {
        if (hang_for > 0 && first > 0 && now_s() >= first + hang_at) {
            usleep((useconds_t)(hang_for * 1e6));
            hang_for = 0;
        }
        int n = epoll_wait(ep, got, 256, hang_for > 0 ? 5 : -1);
        for (int i = 0; i < n; i++) {
            int fd = got[i].data.fd;
            if (fd == 0) {
                char drop[64];
                if (read(0, drop, sizeof drop) <= 0) { printf("%llu\n", count); return 0; }
            } else if (fd == listener) {
                int peer;
                while ((peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    if (peer >= MOST) { close(peer); continue; }
                    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                    if (!peers[peer].data) peers[peer].data = malloc(ROOM);
                    peers[peer].have = 0;
                    ev.data.fd = peer;
                    epoll_ctl(ep, EPOLL_CTL_ADD, peer, &ev);
                }
            } else {
                if (!first) first = now_s();
                if (!serve(fd)) close(fd);
            }
        }
    }
}
