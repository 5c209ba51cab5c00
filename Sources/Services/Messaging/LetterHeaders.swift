package import AMQP
package import Domain

extension LetterMark {
    private static let letterName = "tb-letter"
    private static let replayName = "tb-replay"

    /// Read without the rest of the envelope, because a replayed message may be one that nobody understands. Nil where
    /// the message was not sent from the desk.
    package init?(headers: [String: AMQPField]) {
        guard let letter = headers[Self.letterName]?.intValue, letter > 0,
            let replay = headers[Self.replayName]?.intValue, (1...1_000_000_000).contains(replay)
        else { return nil }
        self.init(letter: letter, replay: Int(replay))
    }

    package var headers: [String: AMQPField] {
        [Self.letterName: .int(letter), Self.replayName: .int(Int64(replay))]
    }
}

/// The headers a message came with, kept inside its dead letter: the desk shows them, and a message nobody understood
/// is sent again with just these.
package enum OriginalHeaders {
    /// A header frame has 128 kB at most, and the letter's own headers need room beside the original's.
    private static let bytesMax = 64_000

    private static let messageID = "amqp-message-id"
    private static let contentType = "amqp-content-type"
    /// Under these names a message's own properties stand among its headers.
    package static let properties: Set<String> = [messageID, contentType]

    /// The headers, with the message's id and content type beside them: those are lost where it is sent on.
    package static func withProperties(of message: IncomingMessage) -> [String: AMQPField] {
        var headers = message.headers
        if let id = message.messageID { headers[messageID] = .string(id) }
        if let type = message.contentType { headers[contentType] = .string(type) }
        return headers
    }

    /// What is too large is named, with its size, in place of its value.
    package static func bounded(_ headers: [String: AMQPField]) -> [String: AMQPField] {
        var left = bytesMax
        var result: [String: AMQPField] = [:]
        for (name, field) in headers.sorted(by: { size($0.value) < size($1.value) }) where name != "tb-original" {
            let size = size(field) + name.utf8.count
            guard left > 0 else { break }
            result[name] = size <= left ? field : .string("left out: \(size) bytes")
            left -= min(size, left)
        }
        return result
    }

    private static func size(_ field: AMQPField) -> Int {
        switch field {
        case .string(let text): text.utf8.count + 5
        case .bytes(let bytes): bytes.count + 5
        case .table(let fields): fields.reduce(5) { $0 + $1.key.utf8.count + 1 + size($1.value) }
        case .array(let fields): fields.reduce(5) { $0 + size($1) }
        case .int, .bool, .timestamp, .decimal, .double, .null: 9
        }
    }
}
