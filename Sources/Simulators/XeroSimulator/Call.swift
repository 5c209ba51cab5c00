internal import JSON

/// One request to the accounting API, freed of HTTP.
struct Call: Sendable {
    var method: String
    /// The path's parts after `/api.xro/2.0`.
    var path: [String]
    var query: Query
    var body: [UInt8] = []
    var idempotencyKey: String?
    /// Of a file to attach.
    var mediaType = "application/octet-stream"
    /// Milliseconds since 1970.
    var modifiedSince: Int64?
    var now: Int64
    /// A planned fault: only the first half of a batch is taken.
    var part = BatchPart.whole

    /// `PUT /Invoices`, `GET /Invoices/{id}`: what counters and idempotency keys are kept by.
    var endpoint: String {
        switch path.count {
        case 0: "\(method) /"
        case 1: "\(method) /\(path[0])"
        case 2: "\(method) /\(path[0])/{id}"
        default: "\(method) /\(path[0])/{id}/\(path[2])"
        }
    }
}

/// The query of a URL, or a form: names and values with their escapes undone.
struct Query: Sendable {
    private let pairs: [(name: String, value: String)]

    init(_ text: some StringProtocol) {
        pairs = text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.unescaped(parts[0]), parts.count > 1 ? Self.unescaped(parts[1]) : "")
        }
    }

    subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }

    func isTrue(_ name: String) -> Bool { self[name]?.lowercased() == "true" }

    /// The values of a comma-separated list; nil where there is none.
    func list(_ name: String) -> [String]? {
        guard let value = self[name], !value.isEmpty else { return nil }
        return value.split(separator: ",").map(String.init)
    }

    static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { result, byte in
            let isPlain = (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                || "-._~".utf8.contains(byte)
            if isPlain {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }

    static func unescaped(_ text: some StringProtocol) -> String {
        var output: [UInt8] = []
        var bytes = text.utf8.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%") else {
                output.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                continue
            }
            let digits = [bytes.next(), bytes.next()].compactMap { $0 }
            if let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) { output.append(value) }
        }
        return String(decoding: output, as: UTF8.self)
    }
}

/// One answer, freed of HTTP.
package struct Answer: Sendable {
    var status = 200
    /// Nil sends none, as the vendor does with 429.
    var contentType: String? = "application/json; charset=utf-8"
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    static let notFound = Answer(status: 404, contentType: "text/html; charset=utf-8")

    static func json(_ status: Int = 200, _ content: (inout JSONWriter) -> Void) -> Answer {
        var writer = JSONWriter(capacity: 1024)
        writer.object { content(&$0) }
        return Answer(status: status, body: writer.bytes)
    }

    static func text(_ status: Int, _ text: String) -> Answer {
        Answer(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    /// The shape of 401, 403 and 500.
    static func problem(_ status: Int, _ title: String, _ detail: String) -> Answer {
        json(status) { writer in
            writer.field("Type", number: "null")
            writer.field("Title", title)
            writer.field("Status", status)
            writer.field("Detail", detail)
            writer.field("Instance", XeroID(high: digest(detail.utf8), low: digest(title.utf8)).text)
            writer.key("Extensions")
            writer.object { _ in }
        }
    }

    /// 400 for a request that could not be read at all.
    static func invalid(_ message: String, number: Int = 14, type: String = "PostDataInvalidException") -> Answer {
        json(400) { writer in
            writer.field("ErrorNumber", number)
            writer.field("Type", type)
            writer.field("Message", message)
        }
    }

    static func badQuery(_ message: String) -> Answer {
        invalid(message, number: 16, type: "QueryParseException")
    }
}

/// Why a request or an element of it is refused: the vendor's sentence.
struct Refusal: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
