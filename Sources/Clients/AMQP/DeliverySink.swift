/// Where a channel's deliveries go. Called on the connection's thread: must not block.
protocol DeliverySink: AnyObject, Sendable {
    /// In the order they came; what came with one reading of the socket comes in one call.
    func arrived(_ deliveries: [AMQPDelivery], epoch: UInt64)
    /// The broker or a closed channel ended the consumer; the connection goes on.
    func consumerEnded(epoch: UInt64, _ error: AMQPError)
    func connectionEnded(epoch: UInt64)
}

/// A channel that consumes. Lives on the connection's thread.
final class ConsumingChannel {
    let number: UInt16
    let epoch: UInt64
    let queue: String
    let sink: any DeliverySink
    var ledger = AcknowledgementLedger()
    /// Came with this reading of the socket, not handed over yet.
    var arrived: [AMQPDelivery] = []
    /// Cancelled by this side: what still comes goes back.
    var isStopping = false

    init(number: UInt16, epoch: UInt64, queue: String, sink: any DeliverySink) {
        self.number = number
        self.epoch = epoch
        self.queue = queue
        self.sink = sink
    }
}
