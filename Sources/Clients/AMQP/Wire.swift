import CLinux
import CRabbitMQ
import Glibc

/// Owner of one librabbitmq connection, from its making to its end. Lives on the connection's thread.
///
/// It knows calls and frames and nothing of who waits for what: that is ``AMQPConnection``.
struct Wire: ~Copyable {
    /// Never given away: every C call on it stands in this type's extensions. Freed in `deinit`.
    let state: amqp_connection_state_t
    var arena = EncodingArena()
    var reading = FrameReading()

    /// nil when the system has no memory left.
    init?() {
        guard let state = amqp_new_connection() else { return nil }
        self.state = state
    }

    deinit {
        // Closes the socket too and frees every buffer; says nothing to the broker.
        _ = amqp_destroy_connection(state)
    }

    /// -1 once the connection is gone.
    var socket: Int32 { amqp_get_sockfd(state) }

    /// The largest frame both sides agreed to.
    var frameBytesMax: Int { Int(amqp_get_frame_max(state)) }

    /// Whether the kernel takes more without making this thread wait.
    var isWritable: Bool {
        var descriptor = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        return poll(&descriptor, 1, 0) != 0
    }

    /// Blocks until greeted or refused, at most `timeout` for the socket and as long again for the greeting.
    mutating func connect(
        _ endpoint: AMQPEndpoint, name: String, heartbeat: Duration, timeout: Duration
    ) throws(AMQPError) {
        let operation = "connect to \(endpoint)"
        var limit = timeval(timeout)
        // Also the limit of every later call that waits for an answer.
        guard amqp_set_handshake_timeout(state, &limit) == 0, amqp_set_rpc_timeout(state, &limit) == 0 else {
            throw AMQPError(.cannotConnect, operation: operation, detail: "the time-outs were refused")
        }
        let socket = endpoint.isTLS ? try tlsSocket(endpoint, operation) : amqp_tcp_socket_new(state)
        guard let socket else { throw AMQPError(.cannotConnect, operation: operation, detail: "no memory") }
        let status = amqp_socket_open_noblock(socket, endpoint.host, Int32(endpoint.port), &limit)
        guard status == 0 else { throw Self.failure(status, operation, fallback: .cannotConnect) }
        try login(endpoint, name: name, heartbeat: heartbeat, operation)
    }

    private func tlsSocket(_ endpoint: AMQPEndpoint, _ operation: String) throws(AMQPError) -> OpaquePointer? {
        guard let socket = amqp_ssl_socket_new(state) else { return nil }
        amqp_ssl_socket_set_verify_peer(socket, 1)
        amqp_ssl_socket_set_verify_hostname(socket, 1)
        guard amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) == 0 else {
            throw AMQPError(.tlsFailed, operation: operation, detail: "TLS 1.2 is not available")
        }
        guard amqp_ssl_socket_set_cacert(socket, endpoint.trustedCertificates) == 0 else {
            throw AMQPError(
                .tlsFailed, operation: operation,
                detail: "the trusted certificates cannot be read from \(endpoint.trustedCertificates)")
        }
        if let certificate = endpoint.clientCertificate, let key = endpoint.clientKey {
            guard amqp_ssl_socket_set_key(socket, certificate, key) == 0 else {
                throw AMQPError(
                    .tlsFailed, operation: operation, detail: "the client's certificate or key cannot be read")
            }
        }
        return socket
    }

    private mutating func login(
        _ endpoint: AMQPEndpoint, name: String, heartbeat: Duration, _ operation: String
    ) throws(AMQPError) {
        defer { arena.reset() }
        var properties = try arena.table([
            "connection_name": .string(name),
            "product": .string("tillbridge"),
            "capabilities": .table([
                // Without it a publish under an alarm blocks and nobody says why.
                "connection.blocked": .bool(true),
                // Without it a deleted queue leaves a consumer that waits for ever.
                "consumer_cancel_notify": .bool(true),
                "publisher_confirms": .bool(true),
                "basic.nack": .bool(true),
            ]),
        ])
        let beat = Int32(clamping: max(1, heartbeat.components.seconds))
        let reply = tb_amqp_login(
            state, endpoint.virtualHost, 131_072, beat, &properties, endpoint.user, endpoint.password)
        if let error = Self.error(of: reply, operation, fallback: .connectionClosedByBroker) {
            // 403 is a wrong password; a missing or forbidden vhost is 530.
            let isRefusal = error.code == .accessRefused || error.replyCode == 530
            throw AMQPError(
                isRefusal ? .loginRefused : (error.replyCode == nil ? .cannotConnect : error.code),
                replyCode: error.replyCode, operation: operation, detail: error.detail)
        }
    }

    /// The error of a call's reply, nil if all went well. The memory it reads from lives until buffers are released.
    static func error(of reply: amqp_rpc_reply_t, _ operation: String, fallback: AMQPError.Code) -> AMQPError? {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return nil
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            let (code, text) = closure(reply.reply)
            return .closure(replyCode: code, text: text, operation: operation, fallback: fallback)
        case AMQP_RESPONSE_LIBRARY_EXCEPTION: return failure(reply.library_error, operation)
        default: return AMQPError(.connectionLost, operation: operation, detail: "the broker closed the socket")
        }
    }

    /// Code and sentence of a channel.close or connection.close.
    static func closure(_ method: amqp_method_t) -> (code: Int, text: String) {
        guard let decoded = method.decoded else { return (0, "closed without a reason") }
        if method.id == tb_connection_close {
            let close = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            return (Int(close.reply_code), FieldReading.string(close.reply_text))
        }
        guard method.id == tb_channel_close else { return (0, "unexpected answer \(method.id)") }
        let close = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
        return (Int(close.reply_code), FieldReading.string(close.reply_text))
    }

    static func failure(
        _ status: Int32, _ operation: String, fallback: AMQPError.Code = .connectionLost
    ) -> AMQPError {
        let code: AMQPError.Code =
            switch status {
            case AMQP_STATUS_SSL_ERROR.rawValue, AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED.rawValue,
                AMQP_STATUS_SSL_PEER_VERIFY_FAILED.rawValue, AMQP_STATUS_SSL_CONNECTION_FAILED.rawValue: .tlsFailed
            case AMQP_STATUS_TIMEOUT.rawValue where fallback != .cannotConnect: .timedOut
            default: fallback
            }
        return AMQPError(code, operation: operation, detail: String(cString: amqp_error_string2(status)))
    }
}

extension timeval {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(tv_sec: Int(clamping: seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    }
}
