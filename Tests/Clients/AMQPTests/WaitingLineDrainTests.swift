import Testing

@testable import AMQP

@Suite struct WaitingLineDrainTests {
    @Test("a line that closes hands out what is there, without lingering, and then nothing")
    func closing() async {
        var line = WaitingLine(prefetch: 10)
        let first = await withCheckedContinuation { (continuation: WaitingLine.Continuation) in
            var actions = line.arrived((1...3).map { Self.delivery(UInt64($0)) })
            actions += line.join(id: line.newID(), max: 10, linger: .seconds(60), continuation)
            actions += line.close()
            for case .resume(let continuation, let batch) in actions { continuation.resume(returning: batch) }
        }
        #expect(first?.map(\.tag) == [1, 2, 3])
        let second = await withCheckedContinuation { (continuation: WaitingLine.Continuation) in
            for case .resume(let continuation, let batch) in line.join(
                id: line.newID(), max: 10, linger: .seconds(60), continuation)
            { continuation.resume(returning: batch) }
        }
        #expect(second?.isEmpty == true)
    }

    private static func delivery(_ tag: UInt64) -> AMQPDelivery {
        AMQPDelivery(
            message: AMQPMessage(exchange: "", routingKey: "q", body: []), tag: tag, redelivered: false,
            isTruncated: false, bodyBytes: 0, epoch: 1)
    }
}
