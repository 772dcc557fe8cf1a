/* A load generator: a fixed number of callers, each with one connection, each sending its next request when it has its
 * answer (closed loop). One thread, epoll. Every answer is checked; the latency of every one is kept.
 *
 *     cc -O2 -o load load.c
 *     load --port N --body FILE [--host H] [--path P] [--headers FILE] [--callers N]
 *          [--seconds S | --requests N] [--mode plain|stream] [--patience S] [--progress S]
 *
 * The headers come from a file, one a line, because a process list would show a key given as an argument.
 *
 * Prints one JSON object. A plain answer is right if it is HTTP 200, complete, and holds "choices"; a stream if it is
 * HTTP 200, complete, its last event is `data: [DONE]` and no event is an error. With --seconds the rate counts the
 * answers that came within that time, and those still out at its end are waited for and checked.
 * --progress writes the number of right answers so far to standard error, every S seconds.
 * Errors by kind: connect, reset (closed before the answer was complete), status, garbage (not HTTP as we know it),
 * content (complete, but not the answer asked for), timeout (nothing for --patience seconds, 60 by default).
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
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18, HEAD_BYTES = 32768, LINE_BYTES = 48, KEPT_BYTES = 65536, GIVE_UP_AFTER = 200 };
enum { CONNECT, RESET, STATUS, GARBAGE, CONTENT, TIMEOUT, KINDS };
static const char *kind_names[KINDS] = {"connect", "reset", "status", "garbage", "content", "timeout"};

enum Part { HEAD, LENGTH_BODY, UNTIL_CLOSE, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };
enum Outcome { MORE, COMPLETE, BROKEN };

typedef struct {
    int fd, connected, busy, close_after;
    size_t sent;                        /* bytes of the request written so far */
    int64_t started_ns, first_event_ns, heard_ns;
    enum Part part;
    char head[HEAD_BYTES];
    size_t head_length;
    int status;
    uint64_t left;                      /* bytes still to come of the body or chunk */
    char size_line[64];
    size_t size_line_length;
    char line[LINE_BYTES];              /* the start of the current line of a stream */
    size_t line_length;
    int events, done, failed_event;
    char *kept;                         /* a plain answer's body */
    size_t kept_length;
} Caller;

typedef struct {
    double *values;
    size_t count, capacity;
} Series;

static struct sockaddr_in target;
static char *request;
static size_t request_length;
static int is_stream, epoll, consecutive_errors;
static double seconds = 0, patience_s = 60, progress_s = 0;
static uint64_t wanted, begun, finished, finished_in_time, errors[KINDS], events_seen, events_least = UINT64_MAX;
static char last_error[400];
static Series latencies_us, first_events_us;
static int64_t begin_ns, end_ns;

static int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static void add(Series *series, double value) {
    if (series->count == series->capacity) {
        series->capacity = series->capacity ? series->capacity * 2 : 65536;
        series->values = realloc(series->values, series->capacity * sizeof *series->values);
    }
    series->values[series->count++] = value;
}

static void stop_caller(Caller *it) {
    if (it->fd >= 0) close(it->fd);
    it->fd = -1;
    it->connected = it->busy = 0;
}

static void failed(Caller *it, int kind, const char *detail) {
    errors[kind]++;
    consecutive_errors++;
    snprintf(last_error, sizeof last_error, "%s: %s", kind_names[kind], detail);
    stop_caller(it);
}

static int may_begin(int64_t now) {
    if (consecutive_errors >= GIVE_UP_AFTER) return 0;
    return wanted ? begun < wanted : now < end_ns;
}

static void watch(Caller *it, uint32_t events) {
    struct epoll_event change = {.events = events, .data.ptr = it};
    epoll_ctl(epoll, EPOLL_CTL_MOD, it->fd, &change);
}

static void write_request(Caller *it) {
    while (it->sent < request_length) {
        ssize_t sent = send(it->fd, request + it->sent, request_length - it->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) { watch(it, EPOLLIN | EPOLLOUT); return; }
        if (sent < 0) { failed(it, RESET, strerror(errno)); return; }
        it->sent += (size_t)sent;
    }
}

static void begin(Caller *it, int64_t now) {
    begun++;
    it->busy = 1;
    it->sent = it->head_length = it->size_line_length = it->line_length = it->kept_length = 0;
    it->part = HEAD;
    it->events = it->done = it->failed_event = it->close_after = 0;
    it->started_ns = it->heard_ns = now;
    it->first_event_ns = 0;
    if (it->connected) { write_request(it); return; }
    int on = 1;
    it->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(it->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event added = {.events = EPOLLIN | EPOLLOUT, .data.ptr = it};
    epoll_ctl(epoll, EPOLL_CTL_ADD, it->fd, &added);
    if (connect(it->fd, (struct sockaddr *)&target, sizeof target) && errno != EINPROGRESS) failed(it, CONNECT, strerror(errno));
}

static void finish(Caller *it, int64_t now) {
    if (it->status != 200) {
        errors[STATUS]++;
    } else if (is_stream ? !it->done || it->failed_event : !memmem(it->kept, it->kept_length, "\"choices\"", 9)) {
        errors[CONTENT]++;
    } else {
        consecutive_errors = 0;
        finished++;
        if (wanted || now <= end_ns) finished_in_time++;
        add(&latencies_us, (double)(now - it->started_ns) / 1e3);
        if (is_stream) {
            add(&first_events_us, (double)(it->first_event_ns - it->started_ns) / 1e3);
            events_seen += (uint64_t)it->events;
            if ((uint64_t)it->events < events_least) events_least = (uint64_t)it->events;
        }
        it->busy = 0;
        if (it->close_after) stop_caller(it);
        return;
    }
    consecutive_errors++;
    if (is_stream && it->status == 200)
        snprintf(last_error, sizeof last_error, "a stream of %d events %s", it->events,
                 it->failed_event ? "with an error among them" : "that did not end with [DONE]");
    else
        snprintf(last_error, sizeof last_error, "status %d: %.*s", it->status, (int)(it->kept_length > 300 ? 300 : it->kept_length), it->kept);
    stop_caller(it);
}

/* Looks at a stream's lines as they come: only the start of each is kept, which is enough to know it. */
static void read_lines(Caller *it, const char *bytes, size_t length, int64_t now) {
    while (length) {
        const char *newline = memchr(bytes, '\n', length);
        size_t here = newline ? (size_t)(newline - bytes) : length;
        size_t room = LINE_BYTES - it->line_length, taken = here < room ? here : room;
        memcpy(it->line + it->line_length, bytes, taken);
        it->line_length += taken;
        if (!it->first_event_ns && it->line_length >= 5 && !memcmp(it->line, "data:", 5)) it->first_event_ns = now;
        if (!newline) return;
        if (it->line_length >= 5 && !memcmp(it->line, "data:", 5)) {
            it->events++;
            it->done = memmem(it->line, it->line_length, "[DONE]", 6) != NULL && it->line_length <= 13;
            if (memmem(it->line, it->line_length, "\"error\"", 7)) it->failed_event = 1;
        }
        it->line_length = 0;
        bytes = newline + 1;
        length -= here + 1;
    }
}

static void take_body(Caller *it, const char *bytes, size_t length, int64_t now) {
    if (is_stream && it->status == 200) { read_lines(it, bytes, length, now); return; }
    size_t room = KEPT_BYTES - it->kept_length, taken = length < room ? length : room;
    memcpy(it->kept + it->kept_length, bytes, taken);
    it->kept_length += taken;
}

static enum Outcome read_head(Caller *it) {
    it->head[it->head_length] = 0;
    if (strncmp(it->head, "HTTP/1.", 7) || it->head_length < 13) return BROKEN;
    it->status = atoi(it->head + 9);
    if (it->status == 100) { it->head_length = 0; return MORE; }
    char *length = strcasestr(it->head, "\r\ncontent-length:"), *coding = strcasestr(it->head, "\r\ntransfer-encoding:");
    it->close_after = it->head[7] == '0' || strcasestr(it->head, "\r\nconnection: close") != NULL;
    if (coding && strncasecmp(coding + 20 + strspn(coding + 20, " "), "chunked", 7) == 0) {
        it->part = CHUNK_SIZE;
    } else if (length) {
        it->left = strtoull(length + 17, NULL, 10);
        it->part = LENGTH_BODY;
        if (!it->left) return COMPLETE;
    } else {
        it->part = UNTIL_CLOSE;
        it->close_after = 1;
    }
    return MORE;
}

/* Takes one line up to and with "\r\n" into size_line. Returns the bytes used; *whole says whether it ended. */
static size_t take_line(Caller *it, const char *bytes, size_t length, int *whole) {
    size_t used = 0;
    *whole = 0;
    while (used < length && !*whole) {
        char byte = bytes[used++];
        if (byte == '\n') *whole = 1;
        else if (byte != '\r' && it->size_line_length < sizeof it->size_line - 1) it->size_line[it->size_line_length++] = byte;
    }
    it->size_line[it->size_line_length] = 0;
    if (*whole) it->size_line_length = 0;
    return used;
}

static enum Outcome parse(Caller *it, const char *bytes, size_t length, int64_t now) {
    while (length) {
        size_t used = 0;
        int whole;
        switch (it->part) {
        case HEAD: {
            size_t before = it->head_length, room = HEAD_BYTES - 1 - before, taken = length < room ? length : room;
            memcpy(it->head + before, bytes, taken);
            char *end = memmem(it->head, before + taken, "\r\n\r\n", 4);
            if (!end && taken < length) return BROKEN;
            it->head_length = end ? (size_t)(end - it->head) + 4 : before + taken;
            used = it->head_length - before;
            enum Outcome outcome = end ? read_head(it) : MORE;
            if (outcome != MORE) return outcome;
            break;
        }
        case LENGTH_BODY:
        case CHUNK_DATA:
            used = length < it->left ? length : it->left;
            take_body(it, bytes, used, now);
            it->left -= used;
            if (!it->left && it->part == LENGTH_BODY) return used == length ? COMPLETE : BROKEN;
            if (!it->left) it->part = CHUNK_END;
            break;
        case UNTIL_CLOSE:
            take_body(it, bytes, length, now);
            return MORE;
        case CHUNK_SIZE:
            used = take_line(it, bytes, length, &whole);
            if (whole) {
                char *end;
                it->left = strtoull(it->size_line, &end, 16);
                if (end == it->size_line) return BROKEN;
                it->part = it->left ? CHUNK_DATA : TRAILER;
            }
            break;
        case CHUNK_END:
            used = take_line(it, bytes, length, &whole);
            if (whole && it->size_line[0]) return BROKEN;
            if (whole) it->part = CHUNK_SIZE;
            break;
        case TRAILER:
            used = take_line(it, bytes, length, &whole);
            if (whole && !it->size_line[0]) return used == length ? COMPLETE : BROKEN;
            break;
        }
        bytes += used;
        length -= used;
    }
    return MORE;
}

static void receive(Caller *it) {
    static char bytes[READ_BYTES];
    while (it->fd >= 0) {
        ssize_t got = recv(it->fd, bytes, sizeof bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        int64_t now = now_ns();
        if (got <= 0 && !it->busy) { stop_caller(it); return; }
        if (got == 0 && it->part == UNTIL_CLOSE) { finish(it, now); return; }
        if (got <= 0) { failed(it, RESET, got ? strerror(errno) : "closed before the answer was complete"); return; }
        it->heard_ns = now;
        enum Outcome outcome = it->busy ? parse(it, bytes, (size_t)got, now) : BROKEN;
        if (outcome == BROKEN) { failed(it, GARBAGE, "not an HTTP answer I can read"); return; }
        if (outcome == COMPLETE) finish(it, now);
        if (outcome == COMPLETE || (size_t)got < sizeof bytes) return;
    }
}

static void serve(Caller *it, uint32_t events) {
    if (it->fd < 0) return;
    if (!it->connected && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        int problem = 0;
        socklen_t size = sizeof problem;
        getsockopt(it->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
        if (problem) { failed(it, CONNECT, strerror(problem)); return; }
        it->connected = 1;
        watch(it, EPOLLIN);
        write_request(it);
    } else if (events & EPOLLOUT && it->busy) {
        watch(it, EPOLLIN);
        write_request(it);
    }
    if (it->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(it);
}

static void run(Caller *callers, int count) {
    struct epoll_event events[1024];
    int64_t looked_ns = now_ns(), told_ns = looked_ns;
    begin_ns = looked_ns;
    end_ns = wanted ? INT64_MAX : begin_ns + (int64_t)(seconds * 1e9);
    for (int index = 0; index < count && may_begin(looked_ns); index++) begin(&callers[index], looked_ns);
    for (int idle = 0; !idle;) {
        int ready = epoll_wait(epoll, events, 1024, 50);
        for (int index = 0; index < ready; index++) {
            Caller *it = events[index].data.ptr;
            serve(it, events[index].events);
            int64_t now = now_ns();
            if (!it->busy && may_begin(now)) begin(it, now);
        }
        int64_t now = now_ns();
        if (ready > 0 && now - looked_ns < 50000000) continue;
        looked_ns = now;
        if (progress_s > 0 && now - told_ns >= (int64_t)(progress_s * 1e9)) {
            fprintf(stderr, "%lu\n", finished);
            told_ns = now;
        }
        idle = 1;
        for (int index = 0; index < count; index++) {
            Caller *it = &callers[index];
            if (it->busy && now - it->heard_ns > (int64_t)(patience_s * 1e9)) failed(it, TIMEOUT, "nothing came");
            if (!it->busy && may_begin(now)) begin(it, now);
            if (it->busy) idle = 0;
        }
    }
}

static int ascending(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print_series(const char *name, Series *series) {
    if (!series->count) { printf(",\"%s\":null", name); return; }
    qsort(series->values, series->count, sizeof *series->values, ascending);
    static const double levels[] = {0.5, 0.9, 0.99, 1.0};
    static const char *names[] = {"p50", "p90", "p99", "max"};
    printf(",\"%s\":{", name);
    for (int index = 0; index < 4; index++) {
        size_t rank = (size_t)(levels[index] * (double)series->count + 0.999999);     /* nearest rank */
        printf("%s\"%s\":%.1f", index ? "," : "", names[index], series->values[rank ? rank - 1 : 0]);
    }
    printf("}");
}

static void print_text(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        putchar((unsigned char)*text < 32 ? ' ' : *text);
    }
    putchar('"');
}

static void print_report(int64_t ended_ns) {
    double took_s = wanted ? (double)(ended_ns - begin_ns) / 1e9 : seconds;
    uint64_t all = 0;
    for (int kind = 0; kind < KINDS; kind++) all += errors[kind];
    printf("{\"requests\":%lu,\"seconds\":%.3f,\"%s\":%.2f,\"errors\":%lu,\"error_kinds\":{", finished, took_s,
           is_stream ? "streams_per_s" : "req_per_s", (double)finished_in_time / took_s, all);
    for (int kind = 0, first = 1; kind < KINDS; kind++)
        if (errors[kind]) { printf("%s\"%s\":%lu", first ? "" : ",", kind_names[kind], errors[kind]); first = 0; }
    printf("},\"last_error\":");
    print_text(last_error);
    print_series("latency_us", &latencies_us);
    if (is_stream) {
        print_series("first_event_us", &first_events_us);
        printf(",\"events_per_stream\":{\"mean\":%.2f,\"least\":%lu}", finished ? (double)events_seen / (double)finished : 0.0,
               finished ? events_least : 0);
    }
    printf(",\"gave_up\":%s}\n", consecutive_errors >= GIVE_UP_AFTER ? "true" : "false");
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(4 << 20);
    if (!file) { perror(path); exit(2); }
    *length = fread(bytes, 1, 4 << 20, file);
    fclose(file);
    return bytes;
}

int main(int count, char **arguments) {
    const char *host = "127.0.0.1", *path = "/v1/chat/completions", *body_path = NULL;
    const char *headers_path = NULL;
    int port = 0, callers = 1;
    for (int index = 1; index < count; index += 2) {
        const char *name = arguments[index], *value = index + 1 < count ? arguments[index + 1] : "";
        if (!strcmp(name, "--host")) host = value;
        else if (!strcmp(name, "--port")) port = atoi(value);
        else if (!strcmp(name, "--path")) path = value;
        else if (!strcmp(name, "--body")) body_path = value;
        else if (!strcmp(name, "--headers")) headers_path = value;
        else if (!strcmp(name, "--callers")) callers = atoi(value);
        else if (!strcmp(name, "--seconds")) seconds = atof(value);
        else if (!strcmp(name, "--requests")) wanted = strtoull(value, NULL, 10);
        else if (!strcmp(name, "--mode")) is_stream = !strcmp(value, "stream");
        else if (!strcmp(name, "--patience")) patience_s = atof(value);
        else if (!strcmp(name, "--progress")) progress_s = atof(value);
        else { fprintf(stderr, "load: I do not know %s\n", name); return 2; }
    }
    if (!port || !body_path || callers < 1 || (!wanted && seconds <= 0)) { fprintf(stderr, "load: needs --port, --body, and --seconds or --requests\n"); return 2; }
    size_t body_length, headers_length = 0;
    char *body = read_file(body_path, &body_length), *headers = headers_path ? read_file(headers_path, &headers_length) : "";
    int head = asprintf(&request, "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n%.*sContent-Length: %zu\r\n\r\n",
                        path, host, port, (int)headers_length, headers, body_length);
    if (head < 0) return 1;
    request = realloc(request, (size_t)head + body_length);
    memcpy(request + head, body, body_length);
    request_length = (size_t)head + body_length;
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &target.sin_addr) != 1) { fprintf(stderr, "load: --host takes an IPv4 address\n"); return 2; }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll = epoll_create1(0);
    Caller *all = calloc((size_t)callers, sizeof *all);
    for (int index = 0; index < callers; index++) {
        all[index].fd = -1;
        all[index].kept = malloc(KEPT_BYTES);
    }
    run(all, callers);
    print_report(now_ns());
    return 0;
}
