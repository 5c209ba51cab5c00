import Threads

extension AMQPConnection {
    /// Numbers that no two subscriptions of the process share, on whatever connection.
    private static let epochs = Locked<UInt64>(0)

    /// Starts a consumer on a channel of its own and says which, with the epoch its deliveries carry.
    ///
    /// `willStart` is told both before the first delivery can reach the sink.
    func consume(
        queue: String, prefetch: UInt16, sink: any DeliverySink,
        willStart: @Sendable (_ channel: UInt16, _ epoch: UInt64) -> Void
    ) throws(AMQPError) {
        try checkAlive()
        guard queue.utf8.count <= 255 else {
            throw AMQPError(.invalidMessage, operation: "consume", detail: "the queue's name is longer than 255 bytes")
        }
        let number = freeChannel()
        let epoch = Self.epochs.withLock { epochs -> UInt64 in
            epochs += 1
            return epochs
        }
        let channel = ConsumingChannel(number: number, epoch: epoch, queue: queue, sink: sink)
        consuming[number] = channel
        willStart(number, epoch)
        do throws(AMQPError) {
            try failing { () throws(AMQPError) in try wire.openChannel(number) }
            try failing { () throws(AMQPError) in
                try wire.consume(queue: queue, tag: "c\(epoch)", prefetch: prefetch, number)
            }
        } catch {
            consuming[number] = nil
            if error.code == .timedOut { silentQueue.withLock { $0 = queue } }
            throw error
        }
        turn()
    }

    /// Ends a consumer: no more deliveries reach the sink, `unread` and what is under way goes back to the queue. What
    /// was handed out can still be settled; then the channel closes.
    func stopConsuming(_ number: UInt16, epoch: UInt64, unread: [UInt64]) throws(AMQPError) {
        guard failure == nil, let channel = consuming[number], channel.epoch == epoch else { return }
        channel.isStopping = true
        try failing { () throws(AMQPError) in
            try wire.cancel(tag: "c\(epoch)", number)
            for tag in unread + channel.arrived.map(\.tag) where channel.ledger.settle(tag) {
                try wire.giveBack(tag, number)
            }
            channel.arrived = []
        }
        turn()
        guard failure == nil else { return }
        try closeIfDone(channel)
        updatePlan()
    }

    /// Ends a consumer, but hands what is under way to the sink instead of back to the queue.
    func beginDraining(_ number: UInt16, epoch: UInt64) throws(AMQPError) {
        guard failure == nil, let channel = consuming[number], channel.epoch == epoch else { return }
        try failing { () throws(AMQPError) in try wire.cancel(tag: "c\(epoch)", number) }
        turn()
    }

    /// From now on what still comes goes back; the channel closes when all that was handed over is settled.
    func endDraining(_ number: UInt16, epoch: UInt64) throws(AMQPError) {
        guard failure == nil, let channel = consuming[number], channel.epoch == epoch else { return }
        channel.isStopping = true
        try closeIfDone(channel)
        updatePlan()
    }

    /// A verdict about deliveries; dropped if their channel is gone (the broker delivers them again).
    func settle(
        _ number: UInt16, _ epoch: UInt64, _ tags: [UInt64], _ verdict: Mailbox.Verdict
    ) throws(AMQPError) {
        guard let channel = consuming[number], channel.epoch == epoch else { return }
        switch verdict {
        case .acknowledge:
            let steps = channel.ledger.acknowledge(tags)
            let isCorked = steps.count > 1
            if isCorked { wire.cork(true) }
            defer { if isCorked { wire.cork(false) } }
            for step in steps {
                switch step {
                case .upTo(let tag): try wire.acknowledge(tag, multiple: true, number)
                case .single(let tag): try wire.acknowledge(tag, multiple: false, number)
                }
            }
        case .reject(let requeue):
            for tag in tags where channel.ledger.settle(tag) { try wire.reject(tag, requeue: requeue, number) }
        case .giveBack:
            for tag in tags where channel.ledger.settle(tag) { try wire.giveBack(tag, number) }
        }
        try closeIfDone(channel)
    }

    private func closeIfDone(_ channel: ConsumingChannel) throws(AMQPError) {
        guard channel.isStopping, channel.ledger.openCount == 0, consuming[channel.number] === channel else { return }
        consuming[channel.number] = nil
        try wire.closeChannel(channel.number)
        wire.reading.forget(channel.number)
    }

    /// The broker cancelled the consumer. Its channel is closed, so that what it still holds goes back.
    func endConsuming(_ channel: ConsumingChannel, _ error: AMQPError) throws(AMQPError) {
        consuming[channel.number] = nil
        try wire.closeChannel(channel.number)
        wire.reading.forget(channel.number)
        channel.sink.consumerEnded(epoch: channel.epoch, error)
    }
}
