import AMQP
import Crypto
import Domain
import JSON
import Messaging
import Store

/// Makes a letter of whatever arrived: of a message parked by a worker, of one the broker itself gave up on, and of one
/// nobody can read. Pure, and it never fails.
enum DeadLetterReading {
    static func letter(from message: IncomingMessage, now: Instant) -> DeadLetter {
        let envelope = try? message.envelope.get()
        let failure = envelope?.failure ?? defaultFailure(message)
        let subject = envelope?.subject ?? Envelope.Subject()
        var letter = DeadLetter(
            identity: identity(message, failure, subject, origin: envelope?.origin), queue: message.queue,
            deadLetterClass: failure.deadLetterClass, cause: failure.cause, remedy: failure.remedy,
            attempts: envelope?.attempt ?? 0, headers: HeaderText.json(message.headers), body: message.body,
            firstSeen: envelope?.firstSeen ?? now)
        letter.origin = envelope?.origin
        letter.organisation = subject.organisation
        letter.company = subject.company
        letter.venue = subject.venue
        letter.sourceKind = subject.kind
        letter.sourceID = subject.id
        letter.document = subject.document
        return letter
    }

    private static func defaultFailure(_ message: IncomingMessage) -> Envelope.Failure {
        if case .failure(let unreadable) = message.envelope {
            return Envelope.Failure(
                .parse, cause: "The message cannot be understood: \(unreadable.reason).",
                remedy: "If a newer version of the fleet sent it, update this one and replay; else discard it.")
        }
        // No worker wrote a reason: the broker delivered it too often, each time to a worker that died.
        return Envelope.Failure(
            .unknown, cause: "The broker gave up on the message: every worker that took it ended without an answer.",
            remedy: "Look at the workers' logs for this record, then replay it.")
    }

    /// Equal for two deliveries of one letter, different for two letters: a replayed record that fails for another
    /// reason is a new one.
    private static func identity(
        _ message: IncomingMessage, _ failure: Envelope.Failure, _ subject: Envelope.Subject, origin: String?
    ) -> ContentHash {
        var hasher = SHA256()
        let parts = [
            origin ?? message.queue, failure.deadLetterClass.rawValue, subject.company?.text ?? "", subject.id ?? "",
            subject.document.map { String($0) } ?? "", failure.cause,
        ]
        for part in parts { hasher.update(data: Array((part + "\u{1F}").utf8)) }
        hasher.update(data: message.body)
        guard let hash = ContentHash(bytes: Array(hasher.finalize())) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return hash
    }
}

/// Headers as a JSON object, for the desk to show.
enum HeaderText {
    static func json(_ headers: [String: AMQPField]) -> [UInt8] {
        var writer = JSONWriter()
        write(headers, to: &writer)
        return writer.bytes
    }

    private static func write(_ table: [String: AMQPField], to writer: inout JSONWriter) {
        writer.object { writer in
            for (name, field) in table.sorted(by: { $0.key < $1.key }) {
                writer.key(dynamic: name)
                write(field, to: &writer)
            }
        }
    }

    private static func write(_ field: AMQPField, to writer: inout JSONWriter) {
        switch field {
        case .string(let text): writer.string(text)
        case .int(let value), .timestamp(let value): writer.number(value)
        case .bool(let value): writer.bool(value)
        case .table(let table): write(table, to: &writer)
        case .array(let fields): writer.array { writer in for field in fields { write(field, to: &writer) } }
        case .null: writer.null()
        // Foreign types only; shown as they print.
        case .bytes, .decimal, .double: writer.string("\(field)")
        }
    }
}
