import AMQP
import Domain
import Messaging
import Store

/// Makes the message a replay sends. Pure.
///
/// A replay begins anew: no attempt is counted, no failure is carried, and the mark says which letter it is. It keeps
/// when the version was first seen, so that an old version never wins over one that came later.
enum ReplayMessage {
    /// - Throws: ``NotSendable`` where nobody would take it.
    static func message(
        _ replay: Replay, prefix: String, organisations: Set<OrganisationKey>
    ) throws(NotSendable) -> OutgoingMessage {
        var envelope = Envelope(firstSeen: replay.firstSeen)
        envelope.mark = replay.mark
        envelope.traceparent = HeaderText.headers(replay.headers)["traceparent"]?.stringValue
        switch replay.route {
        case .map(let company, let kind, let id):
            envelope.subject = Envelope.Subject(company: company, kind: kind, id: id)
            return OutgoingMessage(
                queue: .map, envelope: envelope, body: replay.body, messageID: "\(kind)/\(id)/\(replay.mark.name)")
        case .day(let company, let id, let document):
            let kind = SourceKind.day.rawValue
            envelope.subject = Envelope.Subject(company: company, kind: kind, id: id, document: document)
            return OutgoingMessage(
                queue: .map, envelope: envelope, body: Array("{\"document\":\(document)}".utf8),
                messageID: "\(kind)/\(id)/\(replay.mark.name)")
        case .write(let organisation, let document):
            guard organisations.contains(organisation) else {
                throw NotSendable("the organisation \(organisation) is not in the configuration")
            }
            envelope.subject = Envelope.Subject(
                organisation: organisation, venue: replay.venue, document: document)
            return OutgoingMessage(
                queue: .write(organisation), envelope: envelope, body: Array("{\"document\":\(document)}".utf8),
                messageID: "document/\(document)/\(replay.mark.name)")
        case .raw:
            let queue = try queue(replay, prefix, organisations)
            var message = OutgoingMessage(
                queue: queue, envelope: envelope, body: replay.body, messageID: "letter/\(replay.mark.name)")
            // What the desk or the broker added is no part of the message as it came.
            let added: Set<String> = ["tb-origin", "tb-class", "tb-cause", "tb-remedy", "tb-letter", "tb-replay"]
            var headers = HeaderText.headers(replay.headers).filter {
                !added.contains($0.key) && !$0.key.hasPrefix("x-")
                    && !OriginalHeaders.properties.contains($0.key) && !OriginalHeaders.isMark($0.key, $0.value)
            }
            headers.merge(replay.mark.headers) { $1 }
            message.rawHeaders = headers
            return message
        }
    }

    /// Back to the queue it was taken from: one of the fleet's own.
    private static func queue(
        _ replay: Replay, _ prefix: String, _ organisations: Set<OrganisationKey>
    ) throws(NotSendable) -> QueueName {
        let queues: [QueueName] = [.map] + organisations.map { .write($0) }
        guard let queue = queues.first(where: { $0.text(prefix: prefix) == replay.origin }) else {
            throw NotSendable("it came from \(replay.origin ?? "nowhere known"), which is no queue of the fleet's")
        }
        return queue
    }
}

struct NotSendable: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension LetterMark {
    fileprivate var name: String { "\(letter)/\(replay)" }
}
