import CRabbitMQ
import Glibc

/// Calls that wait for the broker's answer. Each blocks the connection's thread for a round trip, at most for the
/// time-out given at connecting. Frames of other kinds that come meanwhile are queued by the library: read them after.
///
/// After `AMQPError` with a reply code only that channel is gone (its close is answered here); any other error means
/// the connection is.
extension Wire {
    typealias Channel = amqp_channel_t

    mutating func openChannel(_ channel: Channel) throws(AMQPError) {
        amqp_channel_open(state, channel)
        try check("open channel \(channel)", channel)
    }

    mutating func closeChannel(_ channel: Channel) throws(AMQPError) {
        let reply = amqp_channel_close(state, channel, AMQP_REPLY_SUCCESS)
        try check(reply, "close channel \(channel)", channel)
    }

    mutating func selectConfirms(_ channel: Channel) throws(AMQPError) {
        amqp_confirm_select(state, channel)
        try check("switch on confirms", channel)
    }

    mutating func declare(_ exchange: AMQPTopology.Exchange, _ channel: Channel) throws(AMQPError) {
        defer { arena.reset() }
        let name = try arena.shortBytes(of: exchange.name, "an exchange's name")
        amqp_exchange_declare(
            state, channel, name, arena.bytes(of: exchange.kind), 0, exchange.durable ? 1 : 0, 0, 0,
            try arena.table(exchange.arguments))
        try check("declare exchange \(exchange.name)", channel)
    }

    mutating func declare(_ queue: AMQPTopology.Queue, _ channel: Channel) throws(AMQPError) {
        defer { arena.reset() }
        let name = try arena.shortBytes(of: queue.name, "a queue's name")
        amqp_queue_declare(state, channel, name, 0, 1, 0, 0, try arena.table(queue.arguments))
        try check("declare queue \(queue.name)", channel)
    }

    mutating func bind(_ binding: AMQPTopology.Binding, _ channel: Channel) throws(AMQPError) {
        defer { arena.reset() }
        amqp_queue_bind(
            state, channel, try arena.shortBytes(of: binding.queue, "a queue's name"),
            try arena.shortBytes(of: binding.exchange, "an exchange's name"),
            try arena.shortBytes(of: binding.routingKey, "a routing key"), amqp_empty_table)
        try check("bind queue \(binding.queue) to exchange \(binding.exchange)", channel)
    }

    /// Ready messages and consumers of a queue that must exist.
    mutating func status(
        ofQueue name: String, _ channel: Channel
    ) throws(AMQPError) -> (messages: Int, consumers: Int) {
        defer { arena.reset() }
        let bytes = try arena.shortBytes(of: name, "a queue's name")
        let answer = amqp_queue_declare(state, channel, bytes, 1, 0, 0, 0, amqp_empty_table)
        let counts = answer.map { (Int($0.pointee.message_count), Int($0.pointee.consumer_count)) }
        try check("look at queue \(name)", channel)
        return counts ?? (0, 0)
    }

    /// How many ready messages were thrown away.
    mutating func purge(queue name: String, _ channel: Channel) throws(AMQPError) -> Int {
        defer { arena.reset() }
        let answer = amqp_queue_purge(state, channel, try arena.shortBytes(of: name, "a queue's name"))
        let count = answer.map { Int($0.pointee.message_count) }
        try check("purge queue \(name)", channel)
        return count ?? 0
    }

    mutating func delete(queue name: String, _ channel: Channel) throws(AMQPError) {
        defer { arena.reset() }
        amqp_queue_delete(state, channel, try arena.shortBytes(of: name, "a queue's name"), 0, 0)
        try check("delete queue \(name)", channel)
    }

    mutating func delete(exchange name: String, _ channel: Channel) throws(AMQPError) {
        defer { arena.reset() }
        amqp_exchange_delete(state, channel, try arena.shortBytes(of: name, "an exchange's name"), 0)
        try check("delete exchange \(name)", channel)
    }

    mutating func consume(queue: String, tag: String, prefetch: UInt16, _ channel: Channel) throws(AMQPError) {
        defer { arena.reset() }
        amqp_basic_qos(state, channel, 0, prefetch, 0)
        try check("set the prefetch", channel)
        amqp_basic_consume(
            state, channel, try arena.shortBytes(of: queue, "a queue's name"), arena.bytes(of: tag), 0, 0, 0,
            amqp_empty_table)
        try check("consume from queue \(queue)", channel)
    }

    mutating func cancel(tag: String, _ channel: Channel) throws(AMQPError) {
        defer { arena.reset() }
        amqp_basic_cancel(state, channel, arena.bytes(of: tag))
        try check("cancel consumer \(tag)", channel)
    }

    /// Says goodbye and waits for the answer; what is unread is lost, what is unacknowledged stays the broker's.
    mutating func sayGoodbye() {
        // Whether the broker answers does not matter: the socket is closed either way.
        _ = amqp_connection_close(state, AMQP_REPLY_SUCCESS)
    }

    private mutating func check(_ operation: String, _ channel: Channel) throws(AMQPError) {
        try check(amqp_get_rpc_reply(state), operation, channel)
    }

    private mutating func check(_ reply: amqp_rpc_reply_t, _ operation: String, _ channel: Channel) throws(AMQPError) {
        guard var error = Self.error(of: reply, operation, fallback: .channelClosedByBroker) else {
            amqp_maybe_release_buffers_on_channel(state, channel)
            return
        }
        if reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION {
            if reply.reply.id == tb_channel_close {
                try answerClose(channel)
            } else {
                // The connection is closed: no reply code, so that nobody takes it for a channel's end.
                try? answerConnectionClose()
                error = AMQPError(
                    .connectionClosedByBroker, operation: operation,
                    detail: "\(error.replyCode.map(String.init) ?? "") \(error.detail)")
            }
        }
        throw error
    }

    func answerClose(_ channel: Channel) throws(AMQPError) {
        var answer = amqp_channel_close_ok_t()
        let status = amqp_send_method(state, channel, tb_channel_close_ok, &answer)
        guard status == 0 else { throw Self.failure(status, "answer a channel's close") }
    }

    func answerConnectionClose() throws(AMQPError) {
        var answer = amqp_connection_close_ok_t()
        let status = amqp_send_method(state, 0, tb_connection_close_ok, &answer)
        guard status == 0 else { throw Self.failure(status, "answer the connection's close") }
    }
}
