// Why this exists: libcurl ships no module map, and its setopt/getinfo calls are variadic, which Swift cannot
// call: each type of argument gets one typed function here.
#ifndef TILLBRIDGE_CCURL_SHIM_H
#define TILLBRIDGE_CCURL_SHIM_H

#include <curl/curl.h>

static inline CURLcode tb_curl_set_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode tb_curl_set_offset(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode tb_curl_set_pointer(CURL *h, CURLoption o, const void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode tb_curl_get_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode tb_curl_get_offset(CURL *h, CURLINFO i, curl_off_t *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode tb_curl_get_pointer(CURL *h, CURLINFO i, void **v) { return curl_easy_getinfo(h, i, v); }
static inline CURLMcode tb_curl_multi_set_long(CURLM *m, CURLMoption o, long v) { return curl_multi_setopt(m, o, v); }

// Callbacks go in by their own types: a function cast to `const void *` in Swift would escape the compiler's check.
static inline CURLcode tb_curl_set_write(CURL *h, curl_write_callback f, void *context) {
    CURLcode code = curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, f);
    return code == CURLE_OK ? curl_easy_setopt(h, CURLOPT_WRITEDATA, context) : code;
}
static inline CURLcode tb_curl_set_read(CURL *h, curl_read_callback f, void *context) {
    CURLcode code = curl_easy_setopt(h, CURLOPT_READFUNCTION, f);
    return code == CURLE_OK ? curl_easy_setopt(h, CURLOPT_READDATA, context) : code;
}
static inline CURLcode tb_curl_set_header(CURL *h, curl_write_callback f, void *context) {
    CURLcode code = curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, f);
    return code == CURLE_OK ? curl_easy_setopt(h, CURLOPT_HEADERDATA, context) : code;
}
static inline CURLcode tb_curl_set_prereq(CURL *h, curl_prereq_callback f, void *context) {
    CURLcode code = curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, f);
    return code == CURLE_OK ? curl_easy_setopt(h, CURLOPT_PREREQDATA, context) : code;
}

#endif
