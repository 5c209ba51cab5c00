import CRabbitMQ

extension EncodingArena {
    /// The properties of a message in C's form, valid until `reset()`.
    mutating func properties(of message: AMQPMessage) throws(AMQPError) -> amqp_basic_properties_t {
        var result = amqp_basic_properties_t()
        var flags = AMQP_BASIC_DELIVERY_MODE_FLAG
        result.delivery_mode = message.isPersistent ? 2 : 1
        if !message.headers.isEmpty {
            result.headers = try table(message.headers)
            flags |= AMQP_BASIC_HEADERS_FLAG
        }
        if let text = message.contentType {
            result.content_type = try shortBytes(of: text, "the content type")
            flags |= AMQP_BASIC_CONTENT_TYPE_FLAG
        }
        if let text = message.messageID {
            result.message_id = try shortBytes(of: text, "the message id")
            flags |= AMQP_BASIC_MESSAGE_ID_FLAG
        }
        if let text = message.type {
            result.type = try shortBytes(of: text, "the type")
            flags |= AMQP_BASIC_TYPE_FLAG
        }
        if let text = message.correlationID {
            result.correlation_id = try shortBytes(of: text, "the correlation id")
            flags |= AMQP_BASIC_CORRELATION_ID_FLAG
        }
        if let seconds = message.timestamp {
            result.timestamp = UInt64(bitPattern: seconds)
            flags |= AMQP_BASIC_TIMESTAMP_FLAG
        }
        if let duration = message.expiration {
            let milliseconds = max(0, duration.components.seconds * 1_000
                + duration.components.attoseconds / 1_000_000_000_000_000)
            result.expiration = bytes(of: String(milliseconds))
            flags |= AMQP_BASIC_EXPIRATION_FLAG
        }
        result._flags = amqp_flags_t(flags)
        return result
    }
}

extension FieldReading {
    /// The message without its body.
    mutating func message(
        exchange: String, routingKey: String, properties: borrowing amqp_basic_properties_t
    ) -> AMQPMessage {
        let flags = Int32(bitPattern: UInt32(properties._flags))
        func has(_ flag: Int32) -> Bool { flags & flag != 0 }
        var message = AMQPMessage(exchange: exchange, routingKey: routingKey, isPersistent: false, body: [])
        if has(AMQP_BASIC_HEADERS_FLAG) { message.headers = table(properties.headers) }
        if has(AMQP_BASIC_CONTENT_TYPE_FLAG) { message.contentType = familiar.string(properties.content_type) }
        if has(AMQP_BASIC_MESSAGE_ID_FLAG) { message.messageID = Self.string(properties.message_id) }
        if has(AMQP_BASIC_TYPE_FLAG) { message.type = familiar.string(properties.type) }
        if has(AMQP_BASIC_CORRELATION_ID_FLAG) { message.correlationID = Self.string(properties.correlation_id) }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { message.timestamp = Int64(bitPattern: properties.timestamp) }
        if has(AMQP_BASIC_EXPIRATION_FLAG) {
            message.expiration = Int64(Self.string(properties.expiration)).map { .milliseconds($0) }
        }
        if has(AMQP_BASIC_DELIVERY_MODE_FLAG) { message.isPersistent = properties.delivery_mode == 2 }
        return message
    }
}
