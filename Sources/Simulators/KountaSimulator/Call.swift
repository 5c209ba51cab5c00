import JSON

/// One request, taken apart.
package struct Call: Sendable {
    package var method: String
    /// The path as sent, without the query.
    package var path: String
    package var query: [(name: String, value: String)] = []
    /// Names in lower case.
    package var headers: [String: String] = [:]
    package var body: [UInt8] = []
    /// Where the caller believes the service is: `http://127.0.0.1:8080`.
    package var origin = ""

    package init(method: String, path: String) {
        (self.method, self.path) = (method, path)
    }

    func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// What is sent back, and how.
package struct Answer: Sendable {
    package enum Delivery: Sendable { case send, drop }

    package var status: Int
    package var headers: [(name: String, value: String)] = []
    package var body: [UInt8]
    /// `drop`: close the connection instead of answering.
    package var delivery = Delivery.send
    package var delayMilliseconds = 0

    package init(_ status: Int, body: [UInt8] = []) {
        self.status = status
        self.body = body
        if !body.isEmpty { headers.append(("Content-Type", "application/json")) }
    }

    static func error(_ status: Int, _ error: String, _ description: String) -> Answer {
        Answer(status, body: json { writer in
            writer.field("error", error)
            writer.field("error_description", description)
        })
    }

    static let notFound = error(404, "not_found", "The requested resource was not found")

    static func json(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { members(&$0) }
        return writer.bytes
    }
}
