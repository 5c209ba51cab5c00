package enum HTTPVersion: Sendable, Equatable {
    case http1_0
    case http1_1
    case http2
    case unrecognised
}

/// A complete answer, whatever its status.
package struct HTTPResponse: Sendable {
    package let status: Int
    package let headers: HTTPHeaders
    /// Decompressed.
    package let body: [UInt8]
    package let httpVersion: HTTPVersion

    package init(status: Int, headers: HTTPHeaders, body: [UInt8], httpVersion: HTTPVersion) {
        self.status = status
        self.headers = headers
        self.body = body
        self.httpVersion = httpVersion
    }
}

/// What became of a request. The difference between the last two decides whether it may simply be sent again.
package enum HTTPOutcome: Sendable {
    /// Status, headers and the whole body arrived.
    case answered(HTTPResponse)
    /// libcurl never began to write the request: the peer's application cannot have seen a byte of it.
    case neverSent(HTTPError)
    /// A byte may have gone out and no complete answer came back: the peer may have acted, or not.
    case unknown(HTTPError)
}
