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
    /// A header frame has 131,072 bytes at most; the rest is for the message's id and what the broker adds.
    private static let bytesMax = 129_000
    /// Of these so much is for the names of what does not fit.
    private static let namesMax = 8_000
    private static let leftOut = "tb-left-out"
    private static let mark = "left out: "
    /// Of a header's name, a message's id: AMQP's short string.
    private static let nameMax = 255

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

    /// All of them as a rule. Where they do not fit beside the letter's own, the largest are named, each with its size
    /// in place of its value; and where there is no room for that either, they are counted under `tb-left-out`.
    ///
    /// - Parameter own: the letter's own headers, without these.
    package static func bounded(
        _ headers: [String: AMQPField], beside own: [String: AMQPField]
    ) -> [String: AMQPField] {
        var left = bytesMax - size(.table(own))
        var named = namesMax
        var result: [String: AMQPField] = [:]
        var (uncounted, uncountedBytes) = (0, 0)
        if headers.reduce(5, { $0 + room($1) }) > left { left -= namesMax }
        for (name, field) in headers.sorted(by: { size($0.value) < size($1.value) }) where name != "tb-original" {
            let size = room((name, field))
            let mark = AMQPField.string("\(mark)\(size) bytes")
            let isName = name.utf8.count <= nameMax
            if isName, size <= left, areNamesShort(field) {
                result[name] = field
                left -= size
            } else if isName, room((name, mark)) <= named {
                result[name] = mark
                named -= room((name, mark))
            } else {
                uncounted += 1
                uncountedBytes += size
            }
        }
        if uncounted > 0 { result[leftOut] = .string("\(uncounted) more headers, \(uncountedBytes) bytes") }
        return result
    }

    /// A name that is no UTF-8 is longer when it has been read than it was.
    private static func areNamesShort(_ field: AMQPField) -> Bool {
        switch field {
        case .table(let fields): fields.allSatisfy { $0.key.utf8.count <= nameMax && areNamesShort($0.value) }
        case .array(let fields): fields.allSatisfy(areNamesShort)
        default: true
        }
    }

    /// What is not a header's own value, but stands in place of one that was too large.
    package static func isMark(_ name: String, _ field: AMQPField) -> Bool {
        name == leftOut || field.stringValue?.hasPrefix(mark) == true
    }

    /// A name, its length and a value.
    private static func room(_ header: (key: String, value: AMQPField)) -> Int {
        header.key.utf8.count + 1 + size(header.value)
    }

    /// No less than what the client takes it for when it sends it (nine bytes a value beside its text).
    private static func size(_ field: AMQPField) -> Int {
        switch field {
        case .string(let text): text.utf8.count + 9
        case .bytes(let bytes): bytes.count + 9
        case .table(let fields): fields.reduce(10) { $0 + room($1) }
        case .array(let fields): fields.reduce(10) { $0 + 1 + size($1) }
        case .int, .bool, .timestamp, .decimal, .double, .null: 9
        }
    }
}
