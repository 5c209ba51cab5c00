package import AMQP
package import Domain

/// What a message says about itself, in headers of the fleet's own. The broker's `x-death` is never read: versions
/// differ on it, and it is lost when a message is published again.
package struct Envelope: Sendable, Hashable {
    package static let version: Int64 = 1

    /// Failed attempts so far that counted.
    package var attempt: Int = 0
    package var firstSeen: Instant
    /// The queue it was taken from when it failed.
    package var origin: String?
    package var failure: Failure?
    /// What the last attempt failed with, on its way through a delay queue: travels as `tb-cause` without `tb-class`.
    package var lastError: String?
    package var subject: Subject
    /// W3C trace context, passed on as it came.
    package var traceparent: String?
    /// Of a message that was sent from the desk: which letter it is. Every worker passes it on.
    package var mark: LetterMark?
    /// Of a dead letter: the headers its message came with.
    package var original: [String: AMQPField]?

    package init(firstSeen: Instant, subject: Subject = Subject()) {
        self.firstSeen = firstSeen
        self.subject = subject
    }

    package struct Failure: Sendable, Hashable {
        package var deadLetterClass: DeadLetterClass
        package var cause: String
        package var remedy: String

        package init(_ deadLetterClass: DeadLetterClass, cause: String, remedy: String) {
            self.deadLetterClass = deadLetterClass
            self.cause = cause
            self.remedy = remedy
        }
    }

    /// What the message is about, as far as its sender knew.
    package struct Subject: Sendable, Hashable {
        package var organisation: OrganisationKey?
        package var company: CompanyKey?
        package var venue: String?
        package var kind: String?
        package var id: String?
        package var hash: String?
        package var document: Int64?

        package init(
            organisation: OrganisationKey? = nil, company: CompanyKey? = nil, venue: String? = nil, kind: String? = nil,
            id: String? = nil, hash: String? = nil, document: Int64? = nil
        ) {
            self.organisation = organisation
            self.company = company
            self.venue = venue
            self.kind = kind
            self.id = id
            self.hash = hash
            self.document = document
        }
    }
}

/// Why no version of the fleet understands a message.
package struct Unreadable: Error, Sendable, Hashable, CustomStringConvertible {
    package let reason: String
    package init(_ reason: String) { self.reason = reason }
    package var description: String { reason }
}

extension Envelope {
    private enum Header {
        static let version = "tb-version"
        static let attempt = "tb-attempt"
        static let firstSeen = "tb-first-seen"
        static let origin = "tb-origin"
        static let deadLetterClass = "tb-class"
        static let cause = "tb-cause"
        static let remedy = "tb-remedy"
        static let organisation = "tb-organisation"
        static let company = "tb-company"
        static let venue = "tb-venue"
        static let kind = "tb-kind"
        static let id = "tb-id"
        static let hash = "tb-hash"
        static let document = "tb-document"
        static let traceparent = "traceparent"
        static let letter = "tb-letter"
        static let replay = "tb-replay"
        static let original = "tb-original"
        static let all: Set<String> = [
            version, attempt, firstSeen, origin, deadLetterClass, cause, remedy, organisation, company, venue, kind, id,
            hash, document, letter, replay, original,
        ]
    }

    /// Headers are bounded by the broker's frame; a cause quotes at most this much of somebody else's text.
    private static let textMax = 4000

    package var headers: [String: AMQPField] {
        var headers: [String: AMQPField] = [
            Header.version: .int(Self.version), Header.attempt: .int(Int64(attempt)),
            Header.firstSeen: .int(firstSeen.microseconds),
        ]
        func set(_ name: String, _ value: String?) {
            guard let value else { return }
            // Cut by bytes, at a scalar's border: a single character may be thousands of bytes.
            headers[name] = .string(
                value.utf8.count <= Self.textMax
                    ? value : String(decoding: value.utf8.prefix(Self.textMax - 8), as: UTF8.self))
        }
        set(Header.origin, origin)
        set(Header.deadLetterClass, failure?.deadLetterClass.rawValue)
        set(Header.cause, failure?.cause ?? lastError)
        set(Header.remedy, failure?.remedy)
        set(Header.organisation, subject.organisation?.text)
        set(Header.company, subject.company?.text)
        set(Header.venue, subject.venue)
        set(Header.kind, subject.kind)
        set(Header.id, subject.id)
        set(Header.hash, subject.hash)
        set(Header.traceparent, traceparent)
        if let document = subject.document { headers[Header.document] = .int(document) }
        headers.merge(mark?.headers ?? [:]) { $1 }
        if let original { headers[Header.original] = .table(original) }
        return headers
    }

    /// - Throws: ``Unreadable`` for another version, a header of the fleet's that this version does not know, or a
    ///   value of the wrong type. Headers of others (`x-death`, tracing) are left alone.
    package init(headers: [String: AMQPField]) throws(Unreadable) {
        guard let version = headers[Header.version]?.intValue else {
            throw Unreadable("the header tb-version is missing")
        }
        guard version == Self.version else {
            throw Unreadable("tb-version is \(version), and this fleet understands \(Self.version)")
        }
        for name in headers.keys where name.hasPrefix("tb-") && !Header.all.contains(name) {
            throw Unreadable("the header \(name.prefix(60)) is not known to this version")
        }
        func text(_ name: String) throws(Unreadable) -> String? {
            guard let field = headers[name] else { return nil }
            guard let text = field.stringValue else { throw Unreadable("the header \(name) is no text") }
            return text
        }
        func number(_ name: String) throws(Unreadable) -> Int64? {
            guard let field = headers[name] else { return nil }
            guard let number = field.intValue else { throw Unreadable("the header \(name) is no number") }
            return number
        }
        guard let seen = headers[Header.firstSeen]?.intValue else {
            throw Unreadable("the header tb-first-seen is missing or no number")
        }
        guard let attempts = headers[Header.attempt]?.intValue, (0...1_000_000).contains(attempts) else {
            throw Unreadable("the header tb-attempt is missing or no sensible number")
        }
        firstSeen = Instant(microseconds: seen)
        attempt = Int(attempts)
        origin = try text(Header.origin)
        traceparent = headers[Header.traceparent]?.stringValue
        mark = LetterMark(headers: headers)
        if case .table(let fields) = headers[Header.original] { original = fields }
        if let name = try text(Header.deadLetterClass) {
            failure = Failure(
                DeadLetterClass(rawValue: name) ?? .unknown, cause: try text(Header.cause) ?? "no cause was given",
                remedy: try text(Header.remedy) ?? "")
        } else {
            lastError = try text(Header.cause)
        }
        subject = Subject(
            organisation: try text(Header.organisation).map { OrganisationKey($0) },
            company: try text(Header.company).map { CompanyKey($0) }, venue: try text(Header.venue),
            kind: try text(Header.kind), id: try text(Header.id), hash: try text(Header.hash),
            document: try number(Header.document))
    }
}
