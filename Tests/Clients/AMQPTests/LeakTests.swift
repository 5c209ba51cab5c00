import AMQP
import Peers
import Testing

/// Each in a process of its own: what other tests open would count as well.
@Suite("What a connection leaves behind", .enabled(if: Broker.url != nil, Broker.absence), .timeLimit(.minutes(2)))
struct AMQPLeakTests {
    @Test("a hundred connections opened, used and closed leave no descriptor and no thread")
    func used() async {
        await #expect(processExitsWith: .success) {
            try await Leak.check(thread: "leak-amqp") {
                let connection = try await AMQPConnection.open(endpoint: Broker.endpoint, name: "leak-amqp")
                try #require(try await connection.queueStatus("tb-test.absent") == nil)
                await connection.close()
            }
        }
    }

    @Test("a hundred connections that were refused leave no descriptor and no thread")
    func refused() async {
        await #expect(processExitsWith: .success) {
            try await Leak.check(thread: "leak-amqp") {
                let nobody = try AMQPEndpoint(url: "amqp://127.0.0.1:1")
                let error = await #expect(throws: AMQPError.self) {
                    try await AMQPConnection.open(endpoint: nobody, name: "leak-amqp")
                }
                try #require(error?.code == .cannotConnect)
            }
        }
    }
}

@Suite("An idle connection", .enabled(if: Broker.url != nil, Broker.absence), .timeLimit(.minutes(1)))
struct AMQPIdleTests {
    @Test("sleeps until something happens, and new work wakes it")
    func sleeps() async throws {
        try await Broker.withQueue("asleep") { _, _, queue async throws in
            let name = "tb\(UInt32.random(in: 0...UInt32.max))"
            let connection = try await AMQPConnection.open(
                endpoint: Broker.endpoint, name: name, heartbeat: .seconds(60))
            try await publish(0, to: queue, connection)
            let thread = try #require(ProcessTable.threads(named: name).first)
            let before = try #require(ProcessTable.usage(of: thread))
            // Time itself is what is tested here.
            try await Task.sleep(for: .seconds(2))
            let after = try #require(ProcessTable.usage(of: thread))
            #expect(after.ticks - before.ticks <= 5, "in hundredths of a second, of two hundred")
            #expect(after.sleeps - before.sleeps <= 5, "woken for nothing")
            // Who is not woken by a call sleeps on until the next heartbeat is due, 15 s each time: the suite's time
            // limit would pass.
            for number in 1...20 {
                while ProcessTable.usage(of: thread)?.isAsleep == false { await Task.yield() }
                try await publish(number, to: queue, connection)
            }
            let end = try #require(ProcessTable.usage(of: thread))
            #expect(end.sleeps - after.sleeps >= 20, "it was awake all the time")
            #expect(end.sleeps - after.sleeps <= 400, "woken more often than there was something to do")
            await connection.close()
        }
    }

    private func publish(_ number: Int, to queue: String, _ connection: AMQPConnection) async throws {
        for outcome in await connection.publish(messages(1, to: queue, first: number), timeout: .seconds(50)) {
            if case .failed(let error) = outcome { throw error }
        }
    }
}
