/// A message to publish, or the message inside a delivery.
///
/// AMQP's remaining properties (content-encoding, priority, reply-to, user-id, app-id) are neither read nor written.
package struct AMQPMessage: Sendable, Hashable {
    package var exchange: String
    package var routingKey: String
    package var headers: [String: AMQPField]
    package var contentType: String?
    /// Unique per message if an unroutable one shall be named without doubt: a return is matched to its message by
    /// exchange, routing key and this.
    package var messageID: String?
    package var type: String?
    package var correlationID: String?
    /// Seconds since 1970.
    package var timestamp: Int64?
    /// How long the message may wait in its queue; whole milliseconds on the wire.
    package var expiration: Duration?
    package var isPersistent: Bool
    package var body: [UInt8]

    /// 16 MiB: the largest body this room sends, and keeps of what it receives.
    package static let bodyBytesMax = 16 << 20

    package init(
        exchange: String, routingKey: String, headers: [String: AMQPField] = [:], contentType: String? = nil,
        messageID: String? = nil, type: String? = nil, correlationID: String? = nil, timestamp: Int64? = nil,
        expiration: Duration? = nil, isPersistent: Bool = true, body: [UInt8]
    ) {
        self.exchange = exchange
        self.routingKey = routingKey
        self.headers = headers
        self.contentType = contentType
        self.messageID = messageID
        self.type = type
        self.correlationID = correlationID
        self.timestamp = timestamp
        self.expiration = expiration
        self.isPersistent = isPersistent
        self.body = body
    }
}

/// A message as the broker handed it out. It stays the broker's until acknowledged or rejected.
package struct AMQPDelivery: Sendable {
    package let message: AMQPMessage
    /// The broker's number for it, counted per channel.
    package let tag: UInt64
    package let redelivered: Bool
    /// The body was larger than ``AMQPMessage/bodyBytesMax`` and is missing (`body` is empty): whoever reads it cannot
    /// understand it and must set it aside. `bodyBytes` still says how large it was.
    package let isTruncated: Bool
    package let bodyBytes: UInt64
    /// Which channel of which connection it came by; tags of another one mean nothing.
    let epoch: UInt64

    package var exchange: String { message.exchange }
    package var routingKey: String { message.routingKey }
    package var headers: [String: AMQPField] { message.headers }
    package var contentType: String? { message.contentType }
    package var messageID: String? { message.messageID }
    package var type: String? { message.type }
    package var correlationID: String? { message.correlationID }
    package var timestamp: Int64? { message.timestamp }
    package var expiration: Duration? { message.expiration }
    package var isPersistent: Bool { message.isPersistent }
    package var body: [UInt8] { message.body }
}
