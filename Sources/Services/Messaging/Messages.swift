package import AMQP

/// A message as a worker sees it. A class, since it is large, never changes, and is handed from step to step with each
/// decision about it.
package final class IncomingMessage: Sendable {
    package let body: [UInt8]
    /// Nil-able parts are the sender's; a failure to read them is a value, because the message must be kept all the
    /// same.
    package let envelope: Result<Envelope, Unreadable>
    /// All headers as they came, for the desk.
    package let headers: [String: AMQPField]
    package let queue: String
    package let messageID: String?
    package let contentType: String?
    package let isRedelivered: Bool
    /// The body was larger than the client keeps; only its beginning is in `body`.
    package let isTruncated: Bool
    /// The whole body's size on the wire.
    package let bodyBytes: UInt64
    /// What the broker needs to have it acknowledged.
    let delivery: AMQPDelivery?

    init(_ delivery: AMQPDelivery, queue: String) {
        body = delivery.body
        headers = delivery.headers
        envelope = Result { () throws(Unreadable) in try Envelope(headers: delivery.headers) }
        self.queue = queue
        messageID = delivery.messageID
        contentType = delivery.contentType
        isRedelivered = delivery.redelivered
        isTruncated = delivery.isTruncated
        bodyBytes = delivery.bodyBytes
        self.delivery = delivery
    }

    /// A message made by hand, for tests of a worker without a broker.
    ///
    /// - Parameter foreign: headers that are not the fleet's.
    package init(
        body: [UInt8], envelope: Result<Envelope, Unreadable>, queue: String, messageID: String? = nil,
        contentType: String? = nil, isRedelivered: Bool = false, foreign: [String: AMQPField] = [:]
    ) {
        self.body = body
        self.envelope = envelope
        headers = ((try? envelope.get())?.headers ?? [:]).merging(foreign) { $1 }
        self.queue = queue
        self.messageID = messageID
        self.contentType = contentType
        self.isRedelivered = isRedelivered
        isTruncated = false
        bodyBytes = UInt64(body.count)
        delivery = nil
    }
}

package struct OutgoingMessage: Sendable {
    package var queue: QueueName
    package var envelope: Envelope
    package var body: [UInt8]
    package var messageID: String?
    /// Sent in place of the envelope's: for a message of the desk's that this version does not understand.
    package var rawHeaders: [String: AMQPField]?
    /// The queue to go back to: by way of a delay queue, or at once by that of all work (``QueueName/map``).
    package var returnTo: String?
    /// In a delay queue: goes back after so long, where that is less than the queue's own wait.
    package var wait: Duration?

    package init(queue: QueueName, envelope: Envelope, body: [UInt8], messageID: String? = nil) {
        self.queue = queue
        self.envelope = envelope
        self.body = body
        self.messageID = messageID
    }
}

/// Where a worker's messages go.
package protocol Outbox: Sendable {
    /// Returns when **every** message is confirmed by the broker; throws when one may not have arrived. Publishing all
    /// of them again is then right: every effect is idempotent.
    ///
    /// - Throws: ``Unsendable`` where one of them would be refused each time.
    func publish(_ messages: [OutgoingMessage]) async throws
}

/// A message that no frame carries, too large or with a name too long: trying again changes nothing.
package struct Unsendable: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// How many messages wait in a queue, not counting those in a worker's hand.
package protocol QueueDepth: Sendable {
    func waiting(in queue: QueueName) async throws -> Int
}

/// Where a worker's messages come from.
package protocol Inbox: Sendable {
    /// The next messages: waits for the first without limit, then at most `linger` for up to `max`. Empty when the
    /// inbox was stopped: no more will come.
    ///
    /// - Parameter linger: asked when the first message is there.
    func nextBatch(max: Int, linger: @escaping @Sendable () -> Duration) async throws -> [IncomingMessage]
    /// Their effects are committed and what follows is confirmed: the broker may forget them.
    func acknowledge(_ messages: [IncomingMessage]) async
    /// Takes no more from the queue. What has arrived is still handed out and can be acknowledged; then `nextBatch`
    /// returns nothing.
    func stop() async
}

extension Inbox {
    package func nextBatch(max: Int, linger: Duration) async throws -> [IncomingMessage] {
        try await nextBatch(max: max) { linger }
    }
}

/// An inbox whose worker may rest with nothing in hand.
package protocol PausingInbox: Inbox {
    /// As `stop`, until ``resume()``. A broker ends the channel of a consumer that keeps a message for too long (half
    /// an hour, unless set otherwise), and delivers everything in hand again.
    func pause() async
    /// Takes from the queue again. Everything handed out before must be settled. Does nothing where it was stopped.
    func resume() async
}
