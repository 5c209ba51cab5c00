import CRabbitMQ
import Glibc

/// Sends that wait for nothing but room in the socket.
extension Wire {
    /// Throws `.invalidMessage` and `.messageTooLarge` before a byte is sent; any other error means the connection is
    /// gone. Blocks while the kernel's buffer is full, until the heartbeat's time is up: ask ``isWritable`` first.
    mutating func publish(_ message: AMQPMessage, _ channel: Channel) throws(AMQPError) {
        defer { arena.reset() }
        guard message.body.count <= AMQPMessage.bodyBytesMax else {
            throw AMQPError(
                .messageTooLarge, operation: "publish to \(message.routingKey)",
                detail: "the body has \(message.body.count) bytes, the most is \(AMQPMessage.bodyBytesMax)")
        }
        let exchange = try arena.shortBytes(of: message.exchange, "the exchange's name")
        let routingKey = try arena.shortBytes(of: message.routingKey, "the routing key")
        var properties = try arena.properties(of: message)
        // All properties must fit one frame; found out half way by the library, it would break the connection.
        guard arena.encodedBytes + 512 < frameBytesMax else {
            throw AMQPError(
                .messageTooLarge, operation: "publish to \(message.routingKey)",
                detail: "the headers have about \(arena.encodedBytes) bytes, the most is \(frameBytesMax - 512)")
        }
        let status = message.body.withUnsafeBytes { body in
            // The library reads the body only during the call; its type is mutable because C's is.
            let bytes = amqp_bytes_t(len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress))
            return amqp_basic_publish(state, channel, exchange, routingKey, 1, 0, &properties, bytes)
        }
        guard status == 0 else { throw Self.failure(status, "publish to \(message.routingKey)") }
    }

    func acknowledge(_ tag: UInt64, multiple: Bool, _ channel: Channel) throws(AMQPError) {
        let status = amqp_basic_ack(state, channel, tag, multiple ? 1 : 0)
        guard status == 0 else { throw Self.failure(status, "acknowledge") }
    }

    /// A reject counts against the queue's delivery limit on every broker line.
    func reject(_ tag: UInt64, requeue: Bool, _ channel: Channel) throws(AMQPError) {
        let status = amqp_basic_reject(state, channel, tag, requeue ? 1 : 0)
        guard status == 0 else { throw Self.failure(status, "reject") }
    }

    /// Back to the queue, unread: a nack, which newer brokers do not count as an attempt.
    func giveBack(_ tag: UInt64, _ channel: Channel) throws(AMQPError) {
        let status = amqp_basic_nack(state, channel, tag, 0, 1)
        guard status == 0 else { throw Self.failure(status, "give back") }
    }

    /// While corked, the kernel gathers small frames into full packets. Ends with `cork(false)`, which sends the rest.
    func cork(_ isOn: Bool) {
        var value: Int32 = isOn ? 1 : 0
        // Only an economy: a socket that refuses it still works.
        _ = setsockopt(socket, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}

extension Wire {
    /// Cuts the socket, so that the broker notices at once; the memory goes with this value.
    func shutDown() {
        if socket >= 0 { _ = shutdown(socket, Int32(SHUT_RDWR)) }
    }
}
