import Testing
import Threads

@testable import AMQP

@Suite struct WaitingLineDrainTests {
    @Test("a line that closes hands out what is there, without lingering, and then nothing")
    func closing() async {
        var line = WaitingLine(prefetch: 10)
        let first = await withCheckedContinuation { (continuation: WaitingLine.Continuation) in
            var actions = line.arrived((1...3).map { Self.delivery(UInt64($0)) })
            actions += line.join(id: line.newID(), max: 10, linger: { .seconds(60) }, continuation)
            actions += line.close()
            for case .resume(let continuation, let batch) in actions { continuation.resume(returning: batch) }
        }
        #expect(first?.map(\.tag) == [1, 2, 3])
        let second = await withCheckedContinuation { (continuation: WaitingLine.Continuation) in
            for case .resume(let continuation, let batch) in line.join(
                id: line.newID(), max: 10, linger: { .seconds(60) }, continuation)
            { continuation.resume(returning: batch) }
        }
        #expect(second?.isEmpty == true)
    }

    @Test("how long a taker lingers is asked once, when its first delivery is there, and its end hands out what came")
    func lingering() async {
        var line = WaitingLine(prefetch: 10)
        let asked = Locked(0)
        let batch = await withCheckedContinuation { (continuation: WaitingLine.Continuation) -> Void in
            let linger = { @Sendable in
                asked.withLock { $0 += 1 }
                return Duration.seconds(3)
            }
            #expect(line.join(id: 7, max: 10, linger: linger, continuation).isEmpty)
            #expect(asked.withLock { $0 } == 0)
            guard case .startLinger(7, .seconds(3))? = line.arrived([Self.delivery(1)]).first else {
                Issue.record("it does not linger")
                return continuation.resume(returning: nil)
            }
            #expect(line.arrived([Self.delivery(2)]).isEmpty)
            #expect(asked.withLock { $0 } == 1)
            for case .resume(let continuation, let batch) in line.lingered(7) { continuation.resume(returning: batch) }
        }
        #expect(batch?.map(\.tag) == [1, 2])
    }

    private static func delivery(_ tag: UInt64) -> AMQPDelivery {
        AMQPDelivery(
            message: AMQPMessage(exchange: "", routingKey: "q", body: []), tag: tag, redelivered: false,
            isTruncated: false, bodyBytes: 0, epoch: 1)
    }
}
