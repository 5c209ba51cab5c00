package import Domain

/// Carries out verdicts: publishes what must go to a delay queue or the desk, waits for the confirms, and only then
/// acknowledges. A crash in between gives a second copy, never a loss; effects and the desk are idempotent.
package struct Postbox: Sendable {
    private let inbox: any Inbox
    private let outbox: any Outbox
    private let now: @Sendable () -> Instant

    package init(inbox: any Inbox, outbox: any Outbox, now: @escaping @Sendable () -> Instant) {
        self.inbox = inbox
        self.outbox = outbox
        self.now = now
    }

    /// - Parameters:
    ///   - following: messages that the committed effects ask for; confirmed before anything is acknowledged.
    ///   - confirmed: called between the confirms and the acknowledgements.
    package func settle(
        _ verdicts: [(message: IncomingMessage, verdict: Verdict)], following: [OutgoingMessage] = [],
        confirmed: () -> Void = {}
    ) async throws {
        let outgoing = following + verdicts.compactMap { followUp($0.message, $0.verdict) }
        if !outgoing.isEmpty { try await outbox.publish(outgoing) }
        confirmed()
        await inbox.acknowledge(verdicts.map(\.message))
    }

    private func followUp(_ message: IncomingMessage, _ verdict: Verdict) -> OutgoingMessage? {
        var envelope = (try? message.envelope.get()) ?? Envelope(firstSeen: now())
        envelope.origin = message.queue
        switch verdict {
        case .done: return nil
        case .handBack:
            envelope.origin = nil
            var back = OutgoingMessage(
                queue: .map, envelope: envelope, body: message.body, messageID: message.messageID)
            back.returnTo = message.queue
            return back
        case .unreadable(let reason):
            envelope.mark = LetterMark(headers: message.headers)
            envelope.failure = .init(
                .parse, cause: "The message cannot be understood: \(reason).",
                remedy: "If a newer version of the fleet sent it, update this one and replay; else discard it.")
            return dead(message, envelope, to: .unreadable)
        case .park(let park, let subject):
            envelope.failure = .init(park.deadLetterClass, cause: park.cause, remedy: park.remedy)
            envelope.subject = subject
            return dead(message, envelope, to: .dead)
        case .retry(let after, let counted, let cause):
            if counted { envelope.attempt += 1 }
            envelope.lastError = cause
            guard !counted || envelope.attempt <= attemptsMax else {
                envelope.failure = .init(
                    .unknown, cause: "It failed \(envelope.attempt) times, the last time so: \(cause)",
                    remedy: "Mend what the sentence names, then replay.")
                return dead(message, envelope, to: .dead)
            }
            let delay = RetryDelay.atLeast(after)
            var retry = OutgoingMessage(
                queue: .retry(delay), envelope: envelope, body: message.body, messageID: message.messageID)
            retry.returnTo = message.queue
            retry.wait = min(after, delay.duration)
            return retry
        }
    }

    private func dead(_ message: IncomingMessage, _ envelope: Envelope, to queue: QueueName) -> OutgoingMessage {
        var envelope = envelope
        envelope.original = OriginalHeaders.bounded(
            OriginalHeaders.withProperties(of: message), beside: envelope.headers)
        return OutgoingMessage(queue: queue, envelope: envelope, body: message.body, messageID: message.messageID)
    }
}
