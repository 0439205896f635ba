#include "server/sync/web_fetch.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REDIRECTS_MAX = 3 };

struct fetch {
    const struct sync_context *sync;
    struct buf *body;
    struct error why; /* of a refused address */
};

static size_t on_bytes(char *at, size_t size, size_t count, void *context)
{
    struct fetch *fetch = context;
    return buf_append(fetch->body, at, size * count) ? size * count : 0;
}

/* The one place where an address becomes a connection: names were resolved, redirects followed. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *fetch = context;
    if (purpose != CURLSOCKTYPE_IPCXN ||
        !egress_check_address(fetch->sync->egress, STR_EMPTY, &address->addr, &fetch->why))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Asked about once a second. */
static int must_end(void *context, curl_off_t total_down, curl_off_t down, curl_off_t total_up,
                    curl_off_t up)
{
    const struct fetch *fetch = context;
    (void)total_down;
    (void)down;
    (void)total_up;
    (void)up;
    return sync_is_stopping(fetch->sync);
}

static CURLcode add_authorities(CURL *curl, void *tls, void *ca_file)
{
    (void)curl;
    return SSL_CTX_load_verify_locations(tls, ca_file, NULL) == 1 ? CURLE_OK
                                                                  : CURLE_SSL_CACERT_BADFILE;
}

static void set_options(CURL *curl, struct fetch *fetch, const char *url, long timeout_ms)
{
    const char *ca_file = fetch->sync->ca_file;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, must_end);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, fetch);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "restante");
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, fetch);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
    if (ca_file) { /* besides the system's, not instead of them */
        curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, add_authorities);
        curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, (void *)(uintptr_t)ca_file);
    }
}

static bool perform(CURL *curl, const struct fetch *fetch, const char *url, struct error *err)
{
    CURLcode status = curl_easy_perform(curl);
    if (status == CURLE_OK)
        return true;
    if (fetch->why.kind != ERROR_NONE) {
        if (err)
            *err = fetch->why;
        return false;
    }
    if (fetch->body->is_full)
        return error_set(err, ERROR_LIMIT, "%s is larger than %zu bytes", url, fetch->body->limit);
    return error_set(err, status == CURLE_HTTP_RETURNED_ERROR ? ERROR_NOT_FOUND : ERROR_UNREACHABLE,
                     "%s: %s", url, curl_easy_strerror(status));
}

bool web_fetch(const struct sync_context *sync, const char *url, long timeout_ms, struct buf *body,
               struct error *err)
{
    struct fetch fetch = {.sync = sync, .body = body};
    CURL *curl = curl_easy_init();
    if (!curl)
        return error_set(err, ERROR_INTERNAL, "libcurl gives no handle");
    set_options(curl, &fetch, url, timeout_ms);
    bool is_good = perform(curl, &fetch, url, err);
    curl_easy_cleanup(curl);
    return is_good;
}

static size_t pass_over(char *at, size_t size, size_t count, void *context)
{
    (void)at;
    (void)context;
    return size * count;
}

bool web_post(const struct sync_context *sync, const char *url, const char *form, long timeout_ms,
              struct error *err)
{
    struct buf nothing = BUF_INIT(1);
    struct fetch fetch = {.sync = sync, .body = &nothing};
    CURL *curl = curl_easy_init();
    if (!curl)
        return error_set(err, ERROR_INTERNAL, "libcurl gives no handle");
    set_options(curl, &fetch, url, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, pass_over);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
    bool is_good = perform(curl, &fetch, url, err);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return is_good &&
           (status / 100 == 2 || error_set(err, ERROR_NOT_FOUND, "%s answered %ld", url, status));
}
