import CCurl

/// Sets an easy handle's options and remembers the first that was refused.
struct EasyOptions {
    let easy: UnsafeMutableRawPointer
    private(set) var firstFailure = CURLE_OK

    init(easy: UnsafeMutableRawPointer) { self.easy = easy }

    /// What is the same for every request. Forgets what the handle was told before; its memory of connections is the
    /// multi handle's and stays.
    mutating func setHabits(
        _ configuration: HTTPConfiguration,
        context: UnsafeMutableRawPointer,
        errorText: UnsafeMutableBufferPointer<UInt8>
    ) {
        curl_easy_reset(easy)
        set(CURLOPT_NOSIGNAL, 1)
        // A look-up that hangs must not hold the thread when its request is cancelled: it ends in its own thread.
        set(CURLOPT_QUICK_EXIT, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_PROXY, "")
        set(CURLOPT_USERAGENT, configuration.userAgent)
        set(CURLOPT_ACCEPT_ENCODING, "gzip")
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let file = configuration.trustedCertificates {
            set(CURLOPT_CAINFO, file)
            // Or the system's folder of certificates would be trusted beside the file.
            keep(tb_curl_set_pointer(easy, CURLOPT_CAPATH, nil))
        }
        let version = configuration.allowHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
        set(CURLOPT_HTTP_VERSION, Int(version))
        set(CURLOPT_MAXAGE_CONN, max(1, Int(configuration.idleConnectionLifetime.components.seconds)))
        set(CURLOPT_TCP_KEEPALIVE, 1)
        keep(tb_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText.baseAddress))
        keep(tb_curl_set_pointer(easy, CURLOPT_PRIVATE, context))
        keep(tb_curl_set_header(easy, { line, _, count, context in
            // libcurl hands back the transfer it was given; a missing one means nothing was taken.
            guard let line, let context else { return 0 }
            let bytes = UnsafeRawBufferPointer(start: line, count: count)
            return Transfer.at(context).takeHeaderLine(bytes) ? count : 0
        }, context))
        keep(tb_curl_set_write(easy, { chunk, _, count, context in
            guard let chunk, let context else { return 0 }
            let bytes = UnsafeRawBufferPointer(start: chunk, count: count)
            // An empty chunk cannot be told from a refusal by its count, and cannot be too large either.
            return Transfer.at(context).takeBody(bytes) ? count : count + 1
        }, context))
        keep(tb_curl_set_prereq(easy, { context, _, _, _, _ in
            guard let context, Transfer.at(context).aboutToSend() else { return CURL_PREREQFUNC_ABORT }
            return CURL_PREREQFUNC_OK
        }, context))
    }

    /// What belongs to this request. `headers` and `body` must stay where they are until the transfer is over.
    mutating func setRequest(
        url: String,
        method: HTTPMethod,
        headers: UnsafeMutablePointer<curl_slist>?,
        body: UnsafeMutableBufferPointer<UInt8>?,
        connectTimeout: Duration,
        allowHTTP2: Bool
    ) {
        set(CURLOPT_URL, url)
        // A burst waits for the first handshake to say whether it multiplexes, instead of opening a connection each.
        // Not without TLS: there only the first *answer* would say so, and one slow request would hold up the rest.
        set(CURLOPT_PIPEWAIT, allowHTTP2 && url.lowercased().hasPrefix("https:") ? 1 : 0)
        keep(tb_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headers))
        let (seconds, attoseconds) = connectTimeout.components
        // 0 would mean libcurl's own 300 s.
        let milliseconds = min(Int64(Int32.max), seconds) * 1_000 + attoseconds / 1_000_000_000_000_000
        set(CURLOPT_CONNECTTIMEOUT_MS, max(1, min(Int(milliseconds), Int(Int32.max))))
        switch method {
        case .get: set(CURLOPT_HTTPGET, 1)
        case .head: set(CURLOPT_NOBODY, 1)
        case .delete where body == nil: set(CURLOPT_CUSTOMREQUEST, method.rawValue)
        case .post, .put, .patch, .delete:
            set(CURLOPT_POST, 1)
            if method != .post { set(CURLOPT_CUSTOMREQUEST, method.rawValue) }
            keep(tb_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body?.count ?? 0)))
            if let start = body?.baseAddress, body?.isEmpty == false {
                keep(tb_curl_set_pointer(easy, CURLOPT_POSTFIELDS, start))
            } else {
                set(CURLOPT_COPYPOSTFIELDS, "")
            }
        }
    }

    private mutating func set(_ option: CURLoption, _ value: Int) { keep(tb_curl_set_long(easy, option, value)) }

    /// libcurl copies strings. The bytes were checked for NUL where they could hold one.
    private mutating func set(_ option: CURLoption, _ value: String) {
        keep(value.withCString { tb_curl_set_pointer(easy, option, $0) })
    }

    private mutating func keep(_ code: CURLcode) {
        if firstFailure == CURLE_OK { firstFailure = code }
    }
}
