import Messaging

/// Notes what is published and acknowledged, in order.
actor MemoryBroker: Inbox, Outbox {
    enum Event: Equatable {
        case published([QueueName])
        case acknowledged(Int)
    }

    struct Refused: Error {}

    private let refuses: Bool
    private(set) var events: [Event] = []
    private(set) var published: [OutgoingMessage] = []

    init(refuses: Bool = false) { self.refuses = refuses }

    func publish(_ messages: [OutgoingMessage]) async throws {
        if refuses { throw Refused() }
        events.append(.published(messages.map(\.queue)))
        published += messages
    }

    func acknowledge(_ messages: [IncomingMessage]) async { events.append(.acknowledged(messages.count)) }

    func nextBatch(max: Int, linger: @Sendable () -> Duration) async throws -> [IncomingMessage] { [] }

    func stop() async {}
}
