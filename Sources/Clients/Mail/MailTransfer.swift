import CCurl

/// One message on its way: libcurl reads it piece by piece. Used by the client's thread only, for one `perform`.
final class MailTransfer {
    private let bytes: [UInt8]
    private var position = 0
    private var errorText = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Returns: libcurl's code, and what it and the server said.
    func perform(_ server: MailServer, from: String, to: [String]) -> (code: CURLcode, text: String) {
        let easy = MailHandle()
        var options = MailOptions(easy: easy.raw)
        options.setServer(server)
        var recipients = AddressList()
        for address in to { recipients.append("<\(address)>") }
        options.set(CURLOPT_MAIL_FROM, "<\(from)>")
        options.keep(tb_curl_set_pointer(easy.raw, CURLOPT_MAIL_RCPT, recipients.raw))
        options.set(CURLOPT_UPLOAD, 1)
        options.keep(tb_curl_set_offset(easy.raw, CURLOPT_INFILESIZE_LARGE, curl_off_t(bytes.count)))
        // Unretained: this object outlives `curl_easy_perform`, after which libcurl calls no more.
        let context = Unmanaged.passUnretained(self).toOpaque()
        options.keep(tb_curl_set_read(easy.raw, { buffer, size, count, context in
            guard let buffer, let context else { return 0 }
            let transfer = Unmanaged<MailTransfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.fill(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
        }, context))
        // What the server says is not for standard output, where libcurl would write it.
        options.keep(tb_curl_set_write(easy.raw, { _, size, count, _ in size * count }, nil))
        guard options.firstFailure == CURLE_OK else {
            return (options.firstFailure, "libcurl refuses an option")
        }
        let code = errorText.withUnsafeMutableBufferPointer { text in
            _ = tb_curl_set_pointer(easy.raw, CURLOPT_ERRORBUFFER, text.baseAddress)
            let code = curl_easy_perform(easy.raw)
            _ = tb_curl_set_pointer(easy.raw, CURLOPT_ERRORBUFFER, nil)
            return code
        }
        let said = String(decoding: errorText.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // The list is read until here.
        withExtendedLifetime(self) {}
        return (code, said.isEmpty ? String(cString: curl_easy_strerror(code)) : Self.oneLine(said))
    }

    private func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, bytes.count - position)
        buffer.copyBytes(from: bytes[position..<(position + count)])
        position += count
        return count
    }

    private static func oneLine(_ text: String) -> String {
        String(decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
    }
}

/// One `CURL`, freed with this.
struct MailHandle: ~Copyable {
    let raw: UnsafeMutableRawPointer

    init() {
        guard let easy = curl_easy_init() else { preconditionFailure("curl_easy_init had no memory") }
        raw = easy
    }

    deinit { curl_easy_cleanup(raw) }
}

/// The addresses a message goes to. libcurl reads the list until the transfer is over.
struct AddressList: ~Copyable {
    private(set) var raw: UnsafeMutablePointer<curl_slist>?

    init() { raw = nil }

    mutating func append(_ line: String) {
        guard let longer = curl_slist_append(raw, line) else { preconditionFailure("curl_slist_append had no memory") }
        raw = longer
    }

    deinit { curl_slist_free_all(raw) }
}

/// Sets options and remembers the first that was refused.
struct MailOptions {
    let easy: UnsafeMutableRawPointer
    private(set) var firstFailure = CURLE_OK

    init(easy: UnsafeMutableRawPointer) { self.easy = easy }

    mutating func setServer(_ server: MailServer) {
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        set(CURLOPT_PROXY, "")
        // The path is what we call ourselves in EHLO.
        set(CURLOPT_URL, "\(server.isImplicitTLS ? "smtps" : "smtp")://\(server.host):\(server.port)/tillbridge")
        // Without TLS, nothing is sent at all: a server that does not offer STARTTLS is an error.
        set(CURLOPT_USE_SSL, Int(CURLUSESSL_ALL.rawValue))
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let file = server.trustedCertificates {
            set(CURLOPT_CAINFO, file)
            // Or the system's folder of certificates would be trusted beside the file.
            keep(tb_curl_set_pointer(easy, CURLOPT_CAPATH, nil))
        }
        if let user = server.user { set(CURLOPT_USERNAME, user) }
        if let password = server.password { set(CURLOPT_PASSWORD, password) }
        let (seconds, attoseconds) = server.timeout.components
        let milliseconds = max(1, min(600_000, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)))
        set(CURLOPT_TIMEOUT_MS, milliseconds)
        set(CURLOPT_CONNECTTIMEOUT_MS, min(milliseconds, 10_000))
    }

    mutating func set(_ option: CURLoption, _ value: Int) { keep(tb_curl_set_long(easy, option, value)) }

    /// libcurl copies strings.
    mutating func set(_ option: CURLoption, _ value: String) {
        keep(value.withCString { tb_curl_set_pointer(easy, option, $0) })
    }

    mutating func keep(_ code: CURLcode) {
        if firstFailure == CURLE_OK { firstFailure = code }
    }
}
