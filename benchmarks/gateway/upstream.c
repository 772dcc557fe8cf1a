/* A stand-in model provider: one thread, epoll, HTTP/1.1 with keep-alive. It answers at once, so that what is
 * measured is the gateway in front of it.
 *
 *     cc -O2 -o upstream upstream.c && ./upstream PORT
 *
 * POST /v1/chat/completions (or any path that ends so) answers
 *   - a fixed chat completion of about 1.1 KB with OpenRouter's usage and cost,
 *   - if the body holds "stream":true (a space after the colon or not): 50 SSE chunks, one with the usage and
 *     `data: [DONE]`, each its own HTTP chunk, all in one write ("burst"),
 *   - if the body also holds the text [paced]: the same events one every 5 ms. The mark is in the message because
 *     every gateway passes messages on, while few pass on a path or a header.
 * GET /v1/models lists the model `stand-in`; /health and the like answer 200.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CHUNKS = 50, EVENTS = CHUNKS + 2, PACE_NS = 5000000, HEAD_BYTES = 16384, BODY_BYTES = 4 << 20 };

#define CREATED "\"created\":1795305600,\"model\":\"stand-in\""
#define USAGE                                                                                                        \
    "\"usage\":{\"prompt_tokens\":182,\"completion_tokens\":50,\"total_tokens\":232,\"cost\":0.0000573,"             \
    "\"is_byok\":false,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"                          \
    "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"image_tokens\":0}}"
#define ANSWER                                                                                                       \
    "Your parcel left our warehouse in Leeds on Monday and reached the sorting centre near you this morning. The "   \
    "driver tried to deliver it at noon, found nobody at home, and took it back to the depot. You can choose a new " \
    "day in your account under Orders, or ask for it to be left with a neighbour; either way there is no charge. "   \
    "If it has not come by Friday evening, write to us again with the number of the order and we will send the "     \
    "kettle a second time or return the money, whichever you prefer. We are sorry for the trouble it has caused."

typedef struct Connection Connection;
struct Connection {
    int fd, event, paced, close_after;
    char *in;                       /* request bytes not yet answered */
    size_t in_length, in_capacity;
    const char *out;                /* what is still to be written; points into a fixed answer */
    size_t out_length;
    int64_t due_ns;                 /* when the next paced event is to go out */
    Connection *next, *previous;    /* the queue of paced streams, the earliest first */
    Connection *next_dead;
};

static char *completion, *models, *health, *not_found, *bad_request, *stream_head, *burst, *paced_event[EVENTS];
static size_t paced_length[EVENTS];
static Connection *queue_head, *queue_tail, *dead;
static int epoll, timer;

static int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static char *answer(const char *status, const char *body) {
    char *text;
    if (asprintf(&text, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
                 strlen(body), body) < 0) abort();
    return text;
}

static char *event(int index) {
    static const char *words[] = {" the", " parcel", " left", " on", " Monday", " and", " is", " with", " our", " driver"};
    char *data, *chunk;
    const char *head = "{\"id\":\"chatcmpl-stand-in\",\"object\":\"chat.completion.chunk\"," CREATED ",\"choices\":[";
    int size;
    if (index == 0)
        size = asprintf(&data, "data: %s{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Yes,\"},"
                               "\"finish_reason\":null}]}\n\n", head);
    else if (index < CHUNKS - 1)
        size = asprintf(&data, "data: %s{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}\n\n", head,
                        words[index % 10]);
    else if (index == CHUNKS - 1)
        size = asprintf(&data, "data: %s{\"index\":0,\"delta\":{\"content\":\".\"},\"finish_reason\":\"stop\"}]}\n\n", head);
    else if (index == CHUNKS)
        size = asprintf(&data, "data: %s]," USAGE "}\n\n", head);
    else
        size = asprintf(&data, "data: [DONE]\n\n");
    if (size < 0 || asprintf(&chunk, "%x\r\n%s\r\n%s", size, data, index == EVENTS - 1 ? "0\r\n\r\n" : "") < 0) abort();
    free(data);
    return chunk;
}

static void prepare_answers(void) {
    completion = answer("200 OK",
        "{\"id\":\"chatcmpl-stand-in\",\"object\":\"chat.completion\"," CREATED ",\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":\"" ANSWER "\",\"refusal\":null},\"logprobs\":null,"
        "\"finish_reason\":\"stop\"}]," USAGE ",\"system_fingerprint\":\"fp_stand_in\"}");
    models = answer("200 OK", "{\"object\":\"list\",\"data\":[{\"id\":\"stand-in\",\"object\":\"model\","
                              "\"created\":1795305600,\"owned_by\":\"vllm\"}]}");
    health = answer("200 OK", "{\"status\":\"ok\"}");
    not_found = answer("404 Not Found", "{\"error\":{\"message\":\"No such path.\",\"code\":404}}");
    bad_request = answer("400 Bad Request", "{\"error\":{\"message\":\"Not a request I can read.\",\"code\":400}}");
    stream_head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n";
    burst = calloc(1, 65536);
    strcpy(burst, stream_head);
    for (int index = 0; index < EVENTS; index++) {
        paced_event[index] = event(index);
        strcat(burst, paced_event[index]);
        if (index == 0) {           /* the headers travel with the first event */
            char *first;
            if (asprintf(&first, "%s%s", stream_head, paced_event[0]) < 0) abort();
            paced_event[0] = first;
        }
        paced_length[index] = strlen(paced_event[index]);
    }
}

static void set_timer(void) {
    struct itimerspec at = {0};
    if (queue_head) {
        int64_t due = queue_head->due_ns > 0 ? queue_head->due_ns : 1;
        at.it_value.tv_sec = due / 1000000000;
        at.it_value.tv_nsec = due % 1000000000;
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void enqueue(Connection *it, int64_t due_ns) {
    it->due_ns = due_ns;
    it->next = NULL;
    it->previous = queue_tail;
    if (queue_tail) queue_tail->next = it;
    else queue_head = it;
    queue_tail = it;
}

static void dequeue(Connection *it) {
    if (it->previous) it->previous->next = it->next;
    else if (queue_head == it) queue_head = it->next;
    if (it->next) it->next->previous = it->previous;
    else if (queue_tail == it) queue_tail = it->previous;
    it->next = it->previous = NULL;
}

/* Freed only after the whole batch of epoll events is done: a later event of the batch may still name it. */
static void hang_up(Connection *it) {
    if (it->fd < 0) return;
    if (it->paced) dequeue(it);
    close(it->fd);
    it->fd = -1;
    it->next_dead = dead;
    dead = it;
}

static void watch(Connection *it) {
    struct epoll_event change = {.events = EPOLLIN | (it->out_length ? (uint32_t)EPOLLOUT : 0), .data.ptr = it};
    epoll_ctl(epoll, EPOLL_CTL_MOD, it->fd, &change);
}

/* Writes what it can; the rest waits for the socket. */
static void send_out(Connection *it, const char *bytes, size_t length) {
    int waited = it->out_length > 0;
    it->out = bytes;
    it->out_length = length;
    while (it->out_length) {
        ssize_t sent = send(it->fd, it->out, it->out_length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) { hang_up(it); return; }
        it->out += sent;
        it->out_length -= (size_t)sent;
    }
    if (waited != (it->out_length > 0)) watch(it);
    if (!it->out_length && it->close_after && !it->paced) hang_up(it);
}

static void start_stream(Connection *it, int paced) {
    if (!paced) { send_out(it, burst, strlen(burst)); return; }
    int64_t now = now_ns();
    it->paced = 1;
    it->event = 1;
    enqueue(it, now + PACE_NS);
    if (queue_head == it) set_timer();
    send_out(it, paced_event[0], paced_length[0]);
}

static void send_due_events(void) {
    uint64_t expirations;
    if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) abort();
    int64_t now = now_ns();
    while (queue_head && queue_head->due_ns <= now) {
        Connection *it = queue_head;
        int64_t due = it->due_ns;
        dequeue(it);
        if (it->out_length) { enqueue(it, now + PACE_NS); continue; }   /* a slow reader: wait for it */
        int index = it->event++;
        if (index < EVENTS - 1) enqueue(it, due + PACE_NS);
        else it->paced = 0;
        send_out(it, paced_event[index], paced_length[index]);
    }
    set_timer();
}

static void reply(Connection *it, const char *head, const char *body) {
    char *path = strchr(head, ' ');
    size_t length = path ? strcspn(path + 1, " ?\r") : 0;
    const char *end = path ? path + 1 + length : head;
    static const char chat[] = "/chat/completions", list[] = "/models";
    if (!strncmp(head, "POST ", 5) && length >= sizeof chat - 1 && !memcmp(end - (sizeof chat - 1), chat, sizeof chat - 1)) {
        if (strstr(body, "\"stream\":true") || strstr(body, "\"stream\": true")) start_stream(it, strstr(body, "[paced]") != NULL);
        else send_out(it, completion, strlen(completion));
    } else if (!strncmp(head, "GET ", 4)) {
        const char *text = not_found;
        if (length >= sizeof list - 1 && !memcmp(end - (sizeof list - 1), list, sizeof list - 1)) text = models;
        else if (!strncmp(path + 1, "/health", 7) || !strncmp(path + 1, "/v1/health", 10)) text = health;
        send_out(it, text, strlen(text));
    } else {
        send_out(it, not_found, strlen(not_found));
    }
}

/* How many bytes of `in` the chunked body starting at `from` takes, moving its data to the front of itself; 0: more to
 * come, -1: not chunks. */
static ssize_t unchunk(char *from, size_t length, size_t *data_length) {
    char *at = from, *to = from, *end = from + length;
    /* Two passes, because the bytes may be moved only when all of them are here. */
    for (int moving = 0; moving < 2; moving++) {
        for (at = from, to = from;;) {
            char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
            if (!line) return 0;
            size_t size = strtoul(at, NULL, 16);
            if (size > BODY_BYTES) return -1;
            at = line + 2;
            if ((size_t)(end - at) < size + 2) return 0;
            if (moving) memmove(to, at, size);
            to += size;
            at += size + 2;
            if (!size) break;
        }
    }
    *data_length = (size_t)(to - from);
    return at - from;
}

/* Answers the request at the front of `in` if it is complete. Returns 0 when more bytes are needed. */
static int answer_one(Connection *it) {
    it->in[it->in_length] = 0;
    char *end = memmem(it->in, it->in_length, "\r\n\r\n", 4);
    if (!end) {
        if (it->in_length > HEAD_BYTES) { it->close_after = 1; send_out(it, bad_request, strlen(bad_request)); }
        return 0;
    }
    char *body = end + 4;
    size_t here = it->in_length - (size_t)(body - it->in), size = 0, data = 0;
    end[2] = 0;
    char *length = strcasestr(it->in, "\r\ncontent-length:");
    char *chunked = strcasestr(it->in, "\r\ntransfer-encoding:");
    it->close_after = strcasestr(it->in, "\r\nconnection: close") != NULL;
    if (strcasestr(it->in, "\r\nexpect: 100-continue") && !here) send(it->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
    end[2] = '\r';
    if (chunked) {
        ssize_t used = unchunk(body, here, &data);
        if (used < 0) { hang_up(it); return 0; }
        if (used == 0) return 0;
        size = (size_t)used;
    } else {
        size = data = length ? strtoul(length + 17, NULL, 10) : 0;
        if (size > BODY_BYTES) { hang_up(it); return 0; }
        if (here < size) return 0;
    }
    char after = body[data];
    body[data] = 0;
    reply(it, it->in, body);
    body[data] = after;
    if (it->fd < 0) return 0;
    size_t used = (size_t)(body - it->in) + size;
    memmove(it->in, it->in + used, it->in_length - used);
    it->in_length -= used;
    return it->in_length > 0;
}

static void receive(Connection *it) {
    for (;;) {
        if (it->in_length + 4096 > it->in_capacity) {
            if (it->in_capacity > BODY_BYTES + HEAD_BYTES) { hang_up(it); return; }
            it->in_capacity = it->in_capacity ? it->in_capacity * 2 : 16384;
            it->in = realloc(it->in, it->in_capacity);
        }
        ssize_t got = recv(it->fd, it->in + it->in_length, it->in_capacity - it->in_length - 1, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) { hang_up(it); return; }
        it->in_length += (size_t)got;
        while (it->fd >= 0 && !it->paced && !it->out_length && answer_one(it)) {}
        if (it->fd < 0) return;
    }
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096)) { perror("upstream: listen"); exit(1); }
    return fd;
}

static void welcome(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection *it = calloc(1, sizeof *it);
        it->fd = fd;
        struct epoll_event added = {.events = EPOLLIN, .data.ptr = it};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &added);
    }
}

int main(int count, char **arguments) {
    if (count != 2) { fprintf(stderr, "usage: upstream PORT\n"); return 2; }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    prepare_answers();
    int listener = listen_on(atoi(arguments[1]));
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    static int is_listener, is_timer;
    struct epoll_event added = {.events = EPOLLIN, .data.ptr = &is_listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &added);
    added.data.ptr = &is_timer;
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &added);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int index = 0; index < ready; index++) {
            Connection *it = events[index].data.ptr;
            if ((void *)it == &is_listener) { welcome(listener); continue; }
            if ((void *)it == &is_timer) { send_due_events(); continue; }
            if (it->fd >= 0 && events[index].events & EPOLLOUT) {
                send_out(it, it->out, it->out_length);
                while (it->fd >= 0 && !it->paced && !it->out_length && it->in_length && answer_one(it)) {}
            }
            if (it->fd >= 0 && events[index].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(it);
        }
        while (dead) {
            Connection *it = dead;
            dead = it->next_dead;
            free(it->in);
            free(it);
        }
    }
}
