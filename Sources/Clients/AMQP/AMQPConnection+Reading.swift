extension AMQPConnection {
    /// So many frames per turn, so that sending and other work get their share of the thread.
    private static let framesPerTurn = 3_000
    private static let framesPerRelease = 64

    func readFrames() throws(AMQPError) {
        hasMoreToRead = true
        for count in 1...Self.framesPerTurn {
            let incoming = try wire.read()
            if case .nothing = incoming {
                hasMoreToRead = false
                break
            }
            try act(on: incoming)
            if count.isMultiple(of: Self.framesPerRelease) { wire.releaseBuffers() }
        }
        wire.releaseBuffers()
        for channel in consuming.values where !channel.arrived.isEmpty {
            let arrived = channel.arrived
            channel.arrived = []
            channel.arrived.reserveCapacity(arrived.count)
            channel.sink.arrived(arrived, epoch: channel.epoch)
        }
    }

    private func act(on incoming: consuming Incoming) throws(AMQPError) {
        switch incoming {
        case .incomplete, .nothing: break
        case .delivered(let number, let message, let tag, let redelivered, let bodyBytes):
            guard let channel = consuming[number] else { return }
            channel.ledger.opened(tag)
            if channel.isStopping {
                _ = channel.ledger.settle(tag)
                try wire.giveBack(tag, number)
                return
            }
            channel.arrived.append(
                AMQPDelivery(
                    message: message, tag: tag, redelivered: redelivered,
                    isTruncated: bodyBytes > UInt64(AMQPMessage.bodyBytesMax), bodyBytes: bodyBytes,
                    epoch: channel.epoch))
        case .returned(_, let message, let code, let text): returned(message, code, text)
        case .confirmed(let number, let tag, let multiple, let isRefused):
            if number == publishChannel { confirmed(tag, multiple: multiple, isRefused: isRefused) }
        case .consumerCancelled(let number):
            guard let channel = consuming[number] else { return }
            let error = AMQPError(
                .notFound, operation: "consume from queue \(channel.queue)",
                detail: "the broker cancelled the consumer: the queue was deleted or moved")
            try endConsuming(channel, error)
        case .blocked(let reason):
            isBlocked = true
            onEvent(.blocked(reason: reason))
        case .unblocked:
            isBlocked = false
            onEvent(.unblocked)
        case .channelClosed(let number, let code, let text): try channelClosed(number, code, text)
        case .connectionClosed(let code, let text):
            try wire.answerConnectionClose()
            throw AMQPError(
                .connectionClosedByBroker, replyCode: code, operation: "keep the connection", detail: text)
        }
    }

    private func channelClosed(_ number: UInt16, _ code: Int, _ text: String) throws(AMQPError) {
        try wire.answerClose(number)
        wire.reading.forget(number)
        if number == publishChannel {
            // What was sent and not confirmed is uncertain now: a new connection is the plain way out.
            blame(code, text)
            throw .closure(
                replyCode: code, text: text, operation: "publish", fallback: .channelClosedByBroker)
        }
        guard let channel = consuming.removeValue(forKey: number) else { return }
        channel.sink.consumerEnded(
            epoch: channel.epoch,
            .closure(
                replyCode: code, text: text, operation: "consume from queue \(channel.queue)",
                fallback: .channelClosedByBroker))
    }
}
