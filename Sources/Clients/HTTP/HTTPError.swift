/// Why there is no complete answer. Holds no header value, no body, no query and no user information.
package struct HTTPError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Equatable, CaseIterable {
        /// The request is malformed: a header with a line break, a body on a `get`.
        case badRequest
        case badURL
        case dns
        /// No TCP connection.
        case connect
        /// The handshake failed or the peer's certificate is not trusted.
        case tls
        /// `connectTimeout` or `timeout` passed.
        case timedOut
        /// The connection ended, or broke the protocol, before the answer was complete.
        case connectionLost
        /// Body, number of headers or size of headers beyond the bound.
        case responseTooLarge
        case tooManyRedirects
        /// The awaiting task was cancelled.
        case cancelled
        /// The client was closed.
        case closed
        /// As many requests wait already as the configuration allows.
        case overloaded
        case other
    }

    package let code: Code
    /// libcurl's `CURLcode`, 0 where it had no say.
    package let curlCode: Int
    /// Method and URL, without query, fragment and user information.
    package let operation: String
    package let detail: String

    /// Whether the same request may fare better later. It says nothing about whether sending it again is *safe*:
    /// that is what ``HTTPOutcome`` tells.
    package var isRetriable: Bool {
        switch code {
        case .dns, .connect, .timedOut, .connectionLost, .overloaded: true
        // 60 and 77: a certificate that is not trusted will not be trusted in a minute. A handshake cut off may pass.
        case .tls: curlCode == 35
        case .badRequest, .badURL, .responseTooLarge, .tooManyRedirects, .cancelled, .closed, .other: false
        }
    }

    package var description: String {
        "\(operation): \(code): \(detail)" + (curlCode == 0 ? "" : " (curl \(curlCode))")
    }

    package init(code: Code, curlCode: Int = 0, operation: String, detail: String) {
        self.code = code
        self.curlCode = curlCode
        self.operation = operation
        self.detail = detail
    }

    init(code: Code, curlCode: Int = 0, request: HTTPRequest, detail: String) {
        let operation = "\(request.method.rawValue) \(withoutSecrets(request.url))"
        self.init(code: code, curlCode: curlCode, operation: operation, detail: detail)
    }
}

/// Cuts query, fragment and user information off, by bytes: it must hold for URLs that no parser accepts too.
///
/// Everything up to the last `@` ahead of `?` and `#` goes, even where that `@` stands in a path: a password may hold
/// a slash, and a path cut short in a log harms nobody. Control characters become `_`, so that no log line is broken.
func withoutSecrets(_ url: String) -> String {
    let visible = url.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
    var bytes = Array(visible.prefix(2_048))
    if let at = bytes.lastIndex(of: UInt8(ascii: "@")) {
        let scheme = Array("://".utf8)
        let start = bytes.indices.first { bytes[$0...].starts(with: scheme) }.map { $0 + scheme.count }
        bytes = (start.map { $0 <= at ? Array(bytes[..<$0]) : [] } ?? []) + bytes[(at + 1)...]
    }
    return String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
}
