internal import HTTPTypes
internal import Hummingbird

/// One HTTP request with its body, read.
struct Exchange: Sendable {
    let method: String
    let path: String
    let query: Query
    private let headers: HTTPFields
    let body: [UInt8]
    /// When it came, in milliseconds since 1970.
    let now: Int64

    init(method: String, path: String, query: Query, request: Request, body: [UInt8], now: Int64) {
        self.method = method
        self.path = path
        self.query = query
        headers = request.headers
        self.body = body
        self.now = now
    }

    func header(_ name: String) -> String? {
        guard let name = HTTPField.Name(name) else { return nil }
        return headers[name]
    }

    var bearer: String? {
        guard let text = headers[.authorization], text.hasPrefix("Bearer ") else { return nil }
        return String(text.dropFirst(7))
    }

    /// Client and secret of HTTP Basic.
    var basic: (id: String, secret: String)? {
        guard let text = headers[.authorization], text.hasPrefix("Basic "),
            let bytes = Self.base64(text.dropFirst(6))
        else { return nil }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: ":", maxSplits: 1)
        return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
    }

    private static func base64(_ text: Substring) -> [UInt8]? {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var bytes: [UInt8] = []
        var word = 0
        var bits = 0
        for byte in text.utf8 where byte != UInt8(ascii: "=") {
            guard let digit = alphabet.firstIndex(of: byte) else { return nil }
            word = (word << 6 | digit) & 0xFFFF
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: word >> bits))
            }
        }
        return bytes
    }

    /// Without `Accept: application/json` the vendor answers in XML.
    var acceptsJSON: Bool { headers[.accept]?.contains("application/json") ?? false }

    /// The call inside, for paths of the accounting API.
    var call: Call {
        let parts = path.split(separator: "/").dropFirst(2).map { Query.unescaped($0) }
        var call = Call(
            method: method, path: parts, query: query, body: body, idempotencyKey: header("Idempotency-Key"),
            modifiedSince: header("If-Modified-Since").flatMap { Moment.parse($0) }, now: now)
        if let type = header("Content-Type"), parts.count > 2 { call.mediaType = type }
        return call
    }
}
