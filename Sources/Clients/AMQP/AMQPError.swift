/// What went wrong between this process and the broker. Carries no password and no message body.
package struct AMQPError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The address cannot be read as `amqp://` or `amqps://`.
        case badURL
        /// No TCP connection, or the broker did not finish the handshake in time.
        case cannotConnect
        case loginRefused
        /// The handshake failed, the certificate is not trusted, or it names another host.
        case tlsFailed
        /// The socket broke, or the peer was silent for two heartbeats.
        case connectionLost
        case connectionClosedByBroker
        case channelClosedByBroker
        /// Something exists already with other arguments; `detail` is the broker's sentence naming both.
        case preconditionFailed
        case notFound
        case accessRefused
        /// No queue is bound for this message: a fault of the topology.
        case returned
        /// The broker refused the message (`basic.nack`): as a rule a full queue.
        case rejected
        /// The broker has a memory or disk alarm and took nothing until the time was up.
        case blocked
        /// No answer in time. After sending this means *uncertain*: the message may have arrived.
        case timedOut
        /// This side was closed.
        case closed
        case messageTooLarge
        /// A name or property that AMQP cannot carry (a short string over 255 bytes).
        case invalidMessage
    }

    package let code: Code
    /// AMQP's own number (404, 406 …) where the broker gave one.
    package let replyCode: Int?
    /// What was being done, e.g. `declare queue tillbridge.map`.
    package let operation: String
    package let detail: String

    package init(_ code: Code, replyCode: Int? = nil, operation: String, detail: String) {
        self.code = code
        self.replyCode = replyCode
        self.operation = operation
        self.detail = detail
    }

    /// Whether the same call may succeed later without anybody changing a setting.
    package var isRetriable: Bool {
        switch code {
        case .cannotConnect, .connectionLost, .connectionClosedByBroker, .channelClosedByBroker, .rejected, .blocked,
            .timedOut:
            true
        case .badURL, .loginRefused, .tlsFailed, .preconditionFailed, .notFound, .accessRefused, .returned, .closed,
            .messageTooLarge, .invalidMessage:
            false
        }
    }

    package var description: String {
        let number = replyCode.map { " \($0)" } ?? ""
        return "AMQP \(code)\(number) while doing: \(operation): \(detail)"
    }

    /// The error for a reply code of a closed channel (`fallback` for codes without a meaning of their own).
    static func closure(replyCode: Int, text: String, operation: String, fallback: Code) -> AMQPError {
        let code: Code =
            switch replyCode {
            case 403, 405: .accessRefused
            case 404: .notFound
            case 406: .preconditionFailed
            default: fallback
            }
        return AMQPError(code, replyCode: replyCode, operation: operation, detail: text)
    }
}
