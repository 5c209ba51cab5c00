extension AMQPConnection {
    /// Declares exchanges, then queues, then bindings. What exists already with the same arguments stays as it is.
    ///
    /// Throws `.preconditionFailed` where something exists with other arguments: the detail is the broker's sentence,
    /// which names the queue, the argument, the wanted and the present value.
    package func declare(_ topology: AMQPTopology) throws(AMQPError) {
        try onThrowAwayChannel { (wire, channel) throws(AMQPError) in
            for exchange in topology.exchanges { try wire.declare(exchange, channel) }
            for queue in topology.queues { try wire.declare(queue, channel) }
            for binding in topology.bindings { try wire.bind(binding, channel) }
        }
    }

    /// Ready messages and consumers; nil if there is no such queue.
    package func queueStatus(_ name: String) throws(AMQPError) -> (messages: Int, consumers: Int)? {
        do throws(AMQPError) {
            return try onThrowAwayChannel { (wire, channel) throws(AMQPError) in
                try wire.status(ofQueue: name, channel)
            }
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// Throws away the ready messages of a queue and says how many.
    @discardableResult
    package func purge(_ queue: String) throws(AMQPError) -> Int {
        try onThrowAwayChannel { (wire, channel) throws(AMQPError) in try wire.purge(queue: queue, channel) }
    }

    /// With everything in it. Fine if there is none.
    package func deleteQueue(_ name: String) throws(AMQPError) {
        try onThrowAwayChannel { (wire, channel) throws(AMQPError) in try wire.delete(queue: name, channel) }
    }

    /// Fine if there is none.
    package func deleteExchange(_ name: String) throws(AMQPError) {
        try onThrowAwayChannel { (wire, channel) throws(AMQPError) in try wire.delete(exchange: name, channel) }
    }

    /// A refused call closes its channel, so each call gets one of its own. The refusal costs nobody else anything.
    private func onThrowAwayChannel<Result>(
        _ work: (inout Wire, UInt16) throws(AMQPError) -> Result
    ) throws(AMQPError) -> Result {
        try checkAlive()
        let channel = freeChannel()
        let result = try failing { () throws(AMQPError) -> Result in
            try wire.openChannel(channel)
            do throws(AMQPError) {
                let result = try work(&wire, channel)
                try wire.closeChannel(channel)
                return result
            } catch {
                // Found before anything was sent: the channel still stands.
                if error.code == .invalidMessage { try wire.closeChannel(channel) }
                throw error
            }
        }
        // The call may have queued frames for others.
        turn()
        return result
    }

    /// Runs calls that wait for answers. An error without a reply code means that the connection is gone, and ends it;
    /// not so `.invalidMessage`, which is found before anything is sent.
    func failing<Result>(_ work: () throws(AMQPError) -> Result) throws(AMQPError) -> Result {
        do throws(AMQPError) {
            return try work()
        } catch {
            if error.replyCode == nil && error.code != .invalidMessage { fail(error) }
            throw error
        }
    }

    func checkAlive() throws(AMQPError) {
        if let failure { throw failure }
    }

    /// The lowest channel number nobody uses. Throw-away channels are free again when their call returns.
    func freeChannel() -> UInt16 {
        var number: UInt16 = 1
        while number == publishChannel || consuming[number] != nil { number += 1 }
        return number
    }
}
