import AMQP
import Crypto
import Domain
import Mapping
import Messaging
import Settings
import Store

/// Makes a letter of whatever arrived: of a message parked by a worker, of one the broker itself gave up on, and of one
/// nobody can read. Pure, and it never fails.
struct DeadLetterReading: Sendable {
    private let matter: MatterReading
    private let archived: ArchivedAccount

    init(books: [VenueKey: VenueBooks]) {
        matter = MatterReading(books: books)
        archived = ArchivedAccount(books: books)
    }

    func letter(from message: IncomingMessage, now: Instant) -> DeadLetter {
        let envelope = try? message.envelope.get()
        let failure = envelope?.failure ?? Self.defaultFailure(message)
        // Of a dead letter the headers of the message it was made of; of one the broker gave up on its own.
        var headers = OriginalHeaders.withProperties(of: message)
        if case .table(let original) = message.headers["tb-original"] { headers = original }
        let subject = Self.subject(envelope, headers)
        let mark = LetterMark(headers: message.headers)
        let origin = envelope?.origin ?? Self.queueItDiedIn(message.headers)
        let matter = matter.matter(of: subject, body: message.body)
        let own = [subject.id, matter.number].compactMap(\.self)
        var letter = DeadLetter(
            identity: Self.identity(message, subject, origin: origin), occurrence: Self.occurrence(message),
            queue: message.queue, deadLetterClass: failure.deadLetterClass, cause: failure.cause,
            remedy: failure.remedy, fingerprint: CauseFingerprint.of(failure.cause, own: own),
            attempts: envelope?.attempt ?? 0, headers: HeaderText.json(headers), body: message.body,
            firstSeen: Self.firstSeen(envelope, now))
        letter.mark = mark
        letter.origin = origin
        letter.organisation = subject.organisation ?? matter.organisation
        letter.remedy = archived.remedy(of: failure, organisation: letter.organisation)
        letter.company = subject.company
        letter.venue = subject.venue ?? matter.venue
        letter.sourceKind = subject.kind
        letter.sourceID = subject.id
        letter.document = subject.document
        letter.number = matter.number
        letter.amount = matter.amount
        letter.businessDate = matter.date
        letter.isTruncated = message.isTruncated
        return letter
    }

    /// Of a message nobody understands at least what a person searches by, where its headers tell it.
    private static func subject(_ envelope: Envelope?, _ headers: [String: AMQPField]) -> Envelope.Subject {
        if let subject = envelope?.subject, subject != Envelope.Subject() { return subject }
        return Envelope.Subject(
            company: headers["tb-company"]?.stringValue.map { CompanyKey($0) },
            kind: headers["tb-kind"]?.stringValue, id: headers["tb-id"]?.stringValue,
            document: headers["tb-document"]?.intValue)
    }

    /// Clocks differ by moments; what is older than any clock, or a day ahead, somebody made up.
    private static func firstSeen(_ envelope: Envelope?, _ now: Instant) -> Instant {
        guard let seen = envelope?.firstSeen, seen.microseconds >= 0, seen <= now.adding(.seconds(86_400)) else {
            return now
        }
        return seen
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

    /// Where the broker took it from, for people to read; where it goes back to is decided by what it is.
    private static func queueItDiedIn(_ headers: [String: AMQPField]) -> String? {
        headers["x-first-death-queue"]?.stringValue
    }

    /// The matter: one version of a record, or one document. What failed, and why, is not part of it: a record that is
    /// parked again for another reason is the same letter with a new cause.
    private static func identity(
        _ message: IncomingMessage, _ subject: Envelope.Subject, origin: String?
    ) -> ContentHash {
        var parts = [
            origin ?? message.queue, subject.company?.text ?? "", subject.kind ?? "", subject.id ?? "",
            subject.document.map { String($0) } ?? "",
        ]
        if subject.document != nil { parts[0] = "document" }
        return hash(parts, subject.document == nil ? message.body : [])
    }

    /// The message: the headers say when it was first seen, how often it was tried, and which replay it was.
    private static func occurrence(_ message: IncomingMessage) -> ContentHash {
        // What the broker adds when it passes a letter on may differ from one delivery to the next.
        let own = message.headers.filter { !$0.key.hasPrefix("x-") }
        return hash([message.messageID ?? "", String(decoding: HeaderText.json(own), as: UTF8.self)], message.body)
    }

    private static func hash(_ parts: [String], _ body: [UInt8]) -> ContentHash {
        var hasher = SHA256()
        for part in parts { hasher.update(data: Array((part + "\u{1F}").utf8)) }
        hasher.update(data: body)
        guard let hash = ContentHash(bytes: Array(hasher.finalize())) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return hash
    }
}
