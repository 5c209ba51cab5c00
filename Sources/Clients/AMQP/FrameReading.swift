import CLinux
import CRabbitMQ
import Glibc

/// What the broker said, once it is complete.
enum Incoming {
    case delivered(channel: UInt16, AMQPMessage, tag: UInt64, redelivered: Bool, bodyBytes: UInt64)
    case returned(channel: UInt16, AMQPMessage, replyCode: Int, text: String)
    case confirmed(channel: UInt16, tag: UInt64, multiple: Bool, isRefused: Bool)
    case consumerCancelled(channel: UInt16)
    case channelClosed(channel: UInt16, replyCode: Int, text: String)
    case connectionClosed(replyCode: Int, text: String)
    case blocked(reason: String)
    case unblocked
    /// A frame came that completes nothing.
    case incomplete
    /// Nothing is left to read.
    case nothing
}

/// Puts frames together. A delivery or return comes as method, header and any number of body frames; frames of
/// different channels may be mixed.
struct FrameReading {
    private enum Head {
        case delivered(tag: UInt64, redelivered: Bool)
        case returned(replyCode: Int, text: String)
    }

    /// A content of which something is still missing.
    private struct Partial {
        let head: Head
        let exchange: String
        let routingKey: String
        var message: AMQPMessage?
        var expected: UInt64 = 0
        var received: UInt64 = 0
    }

    private var partials: [UInt16: Partial] = [:]
    private var fields = FieldReading()

    /// Forget what is half read on a channel that is closed.
    mutating func forget(_ channel: UInt16) { partials[channel] = nil }

    mutating func read(_ frame: borrowing amqp_frame_t) -> Incoming {
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD: method(frame.payload.method, frame.channel)
        case AMQP_FRAME_HEADER: header(frame)
        case AMQP_FRAME_BODY: body(frame.payload.body_fragment, frame.channel)
        default: .incomplete
        }
    }

    private mutating func method(_ method: amqp_method_t, _ channel: UInt16) -> Incoming {
        guard let decoded = method.decoded else { return .incomplete }
        switch method.id {
        case tb_basic_deliver:
            let deliver = decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self)
            partials[channel] = Partial(
                head: .delivered(tag: deliver.pointee.delivery_tag, redelivered: deliver.pointee.redelivered != 0),
                exchange: fields.familiar.string(deliver.pointee.exchange),
                routingKey: fields.familiar.string(deliver.pointee.routing_key))
            return .incomplete
        case tb_basic_return:
            let returned = decoded.assumingMemoryBound(to: amqp_basic_return_t.self)
            let text = FieldReading.string(returned.pointee.reply_text)
            partials[channel] = Partial(
                head: .returned(replyCode: Int(returned.pointee.reply_code), text: text),
                exchange: FieldReading.string(returned.pointee.exchange),
                routingKey: FieldReading.string(returned.pointee.routing_key))
            return .incomplete
        case tb_basic_ack:
            let ack = decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return .confirmed(
                channel: channel, tag: ack.delivery_tag, multiple: ack.multiple != 0, isRefused: false)
        case tb_basic_nack:
            let nack = decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return .confirmed(
                channel: channel, tag: nack.delivery_tag, multiple: nack.multiple != 0, isRefused: true)
        case tb_basic_cancel: return .consumerCancelled(channel: channel)
        case tb_connection_blocked:
            let blocked = decoded.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            return .blocked(reason: FieldReading.string(blocked.reason))
        case tb_connection_unblocked: return .unblocked
        case tb_channel_close:
            let (code, text) = Wire.closure(method)
            return .channelClosed(channel: channel, replyCode: code, text: text)
        case tb_connection_close:
            let (code, text) = Wire.closure(method)
            return .connectionClosed(replyCode: code, text: text)
        default: return .incomplete
        }
    }

    private mutating func header(_ frame: borrowing amqp_frame_t) -> Incoming {
        let channel = frame.channel
        guard var partial = partials.removeValue(forKey: channel), let decoded = frame.payload.properties.decoded else {
            return .incomplete
        }
        let properties = decoded.assumingMemoryBound(to: amqp_basic_properties_t.self)
        partial.expected = frame.payload.properties.body_size
        var message = fields.message(
            exchange: partial.exchange, routingKey: partial.routingKey, properties: properties.pointee)
        if partial.expected == 0 { return complete(partial, message, channel) }
        if partial.expected <= UInt64(AMQPMessage.bodyBytesMax) { message.body.reserveCapacity(Int(partial.expected)) }
        partial.message = message
        partials[channel] = partial
        return .incomplete
    }

    private mutating func body(_ fragment: amqp_bytes_t, _ channel: UInt16) -> Incoming {
        // Taken out of the dictionary while it grows: a body held twice would be copied for each frame.
        guard var partial = partials.removeValue(forKey: channel), var message = partial.message.take() else {
            return .incomplete
        }
        partial.received += UInt64(fragment.len)
        if partial.expected <= UInt64(AMQPMessage.bodyBytesMax) {
            message.body.append(contentsOf: UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
        }
        if partial.received >= partial.expected { return complete(partial, message, channel) }
        partial.message = message
        partials[channel] = partial
        return .incomplete
    }

    private func complete(_ partial: Partial, _ message: AMQPMessage, _ channel: UInt16) -> Incoming {
        switch partial.head {
        case .delivered(let tag, let redelivered):
            .delivered(
                channel: channel, message, tag: tag, redelivered: redelivered, bodyBytes: partial.expected)
        case .returned(let code, let text): .returned(channel: channel, message, replyCode: code, text: text)
        }
    }
}

extension Wire {
    /// Reads one frame without waiting. Also the place where the library sends and checks heartbeats: to be called at
    /// least every half interval, and until it says `.nothing`, since the library reads ahead of what it hands out.
    mutating func read() throws(AMQPError) -> Incoming {
        var frame = amqp_frame_t()
        var now = timeval()
        let status = amqp_simple_wait_frame_noblock(state, &frame, &now)
        if status == AMQP_STATUS_TIMEOUT.rawValue { return .nothing }
        guard status == 0 else { throw Self.failure(status, "read from the broker") }
        return reading.read(frame)
    }

    /// Gives the memory of decoded frames back to the pools. Only what was copied may be held on to.
    func releaseBuffers() { amqp_maybe_release_buffers(state) }
}
