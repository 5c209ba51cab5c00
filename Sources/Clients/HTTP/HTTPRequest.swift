/// The methods this room sends. Only `get` and `head` are safe to send twice.
package enum HTTPMethod: String, Sendable, CaseIterable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
    case patch = "PATCH"
    case head = "HEAD"

    /// Whether the peer's state stays as it is however often the request arrives (RFC 9110, 9.2.1). Only such a
    /// request may be sent a second time by libcurl itself when a kept connection turns out to be dead.
    package var isSafe: Bool { self == .get || self == .head }
}

/// One request, as it is to go out.
///
/// Nothing is checked here; ``HTTPClient/send(_:)`` refuses a malformed one before anything is sent.
package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// Absolute, `http` or `https`, percent-encoded. Query and user information never show up in errors.
    package var url: String
    /// Sent in this order. `Content-Length` and `Transfer-Encoding` are the client's own business and refused.
    package var headers: [(name: String, value: String)]
    /// Copied once into memory that libcurl reads from. `nil` sends no body (`Content-Length: 0` for post, put, patch).
    package var body: [UInt8]?
    /// For name look-up, TCP and TLS of a new connection together.
    package var connectTimeout: Duration
    /// From the call of `send` to the last byte of the answer: waiting for a slot and redirects included.
    package var timeout: Duration
    /// Counted after decompression.
    package var maxResponseBytes: Int
    /// How many redirects may be followed; they never leave scheme, host and port. `post`, `put`, `delete` and `patch`
    /// follow 307 and 308 as they are and 303 as a `get`; they do not follow 301 and 302, where servers disagree on
    /// the method. A redirect that is not followed is a plain answer.
    package var followRedirects: Int

    package init(
        method: HTTPMethod,
        url: String,
        headers: [(name: String, value: String)] = [],
        body: [UInt8]? = nil,
        connectTimeout: Duration = .seconds(5),
        timeout: Duration = .seconds(30),
        maxResponseBytes: Int = 16 << 20,
        followRedirects: Int = 0
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.connectTimeout = connectTimeout
        self.timeout = timeout
        self.maxResponseBytes = maxResponseBytes
        self.followRedirects = followRedirects
    }
}

extension HTTPRequest {
    /// What must not reach libcurl: it would cut a string at NUL and pass CR and LF on as a second header.
    /// - Returns: nil if the request may be sent.
    func refusal() -> HTTPError? {
        if url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) || url.isEmpty {
            return refused(.badURL, "the URL is empty or holds a space or a control character")
        }
        // The header's name is not said: a caller who swaps name and value must not find a secret in a log.
        for (index, header) in headers.enumerated() {
            if header.name.isEmpty || !header.name.utf8.allSatisfy(isTokenByte) {
                return refused(.badRequest, "the name of header \(index) is not a token")
            }
            if header.value.utf8.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) {
                return refused(.badRequest, "the value of header \(index) holds a control character")
            }
            if matches(header.name, "content-length") || matches(header.name, "transfer-encoding") {
                return refused(.badRequest, "header \(index) frames the body, which is the client's own business")
            }
        }
        if body != nil && method.isSafe { return refused(.badRequest, "a \(method.rawValue) carries no body") }
        if timeout <= .zero || connectTimeout <= .zero || maxResponseBytes < 0 || followRedirects < 0 {
            return refused(.badRequest, "a limit of the request is zero or negative")
        }
        return nil
    }

    private func refused(_ code: HTTPError.Code, _ detail: String) -> HTTPError {
        HTTPError(code: code, request: self, detail: detail)
    }
}

/// RFC 9110, 5.6.2: what a header's name is made of.
private func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
         UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default:
        "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
