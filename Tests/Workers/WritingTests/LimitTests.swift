import Domain
import Logging
import Messaging
import Setbacks
import Settings
import Store
import Telemetry
import Testing
import Threads
import Xero

@testable import Writing

/// A ledger that refuses calls for a limit (429), and what becomes of the messages.
@Suite(.timeLimit(.minutes(1))) struct LimitTests {
    private let documents = MemoryDocuments()
    private let ledger = AcceptingLedger()
    private let waits = ShortWaits()

    private func run(
        _ batches: [[IncomingMessage]], chance: @escaping @Sendable () -> Int = { 0 }
    ) async throws -> ScriptedBroker {
        let broker = ScriptedBroker(batches)
        let waits = waits
        let clock = WorkClock(
            now: { Instant(secondsSince1970: 0) },
            sleep: { duration in
                try Task.checkCancellation()
                if await !waits.skips(duration) { try await Task.sleep(for: duration) }
            }, randomInteger: { max($0.lowerBound, min(chance(), $0.upperBound)) })
        try await WriterServiceTests.service(broker, documents, ledger, clock).run()
        return broker
    }

    private func batch(_ ids: some Sequence<Int64>, payments: (Int64) -> Int = { _ in 1 }) async -> [IncomingMessage] {
        var messages: [IncomingMessage] = []
        for id in ids {
            await documents.add(id, payments: payments(id))
            messages.append(message(id))
        }
        return messages
    }

    @Test("while the wait is short the same request is asked again in hand, and no message is sent about")
    func inHand() async throws {
        await ledger.refuse(.invoices, times: Course.atOnceMax)
        let broker = try await run([await batch(1...50)])
        #expect(await ledger.refused.count == 3)
        #expect(await waits.count == 3)
        #expect(await ledger.invoiceCalls == [50])
        #expect(await ledger.paymentCalls == [50])
        #expect(await broker.published.isEmpty)
        #expect(await documents.settled.count == 50)
    }

    @Test("refused once more, the batch goes to a delay queue as if never sent, and comes back in one piece")
    func putOff() async throws {
        await ledger.refuse(.invoices, times: 4)
        let published = await (try await run([await batch(1...50)])).published
        #expect(published.count == 50 && published.allSatisfy { $0.envelope.attempt == 1 })
        #expect(published.allSatisfy { $0.queue == .retry(.fiveSeconds) && $0.returnTo == "write.harbour" })
        #expect(published.allSatisfy { $0.envelope.lastError == CallLimit.park("minute").cause })
        #expect(await documents.notTaken == Set((1...50).map { DocumentID($0) }))
        #expect(await documents.waits == .init(uniqueKeysWithValues: (1...50).map { (DocumentID($0), .seconds(5)) }))
        #expect(await ledger.lookedUp == 0)
        let again = published.map {
            IncomingMessage(body: $0.body, envelope: .success($0.envelope), queue: "write.harbour")
        }
        let broker = try await run([again])
        #expect(await broker.published.isEmpty)
        #expect(await ledger.invoiceCalls == [50])
        #expect(await documents.settled.count == 50)
    }

    @Test("what is put off together is drawn for once: it comes back at one moment, in one piece")
    func oneMoment() async throws {
        await ledger.refuse(.invoices, times: 4)
        let draws = Locked(0)
        let broker = try await run([await batch(1...50)]) {
            draws.withLock { draws in
                draws += 7
                return draws
            }
        }
        let waits = await broker.published.map(\.wait)
        // As chance has it: up to five seconds on top of Retry-After.
        let wait = try #require(waits.first ?? nil)
        #expect(waits.count == 50 && Set(waits).count == 1 && draws.withLock { $0 } > 7)
        #expect(wait > .seconds(1) && wait < .seconds(6), "\(wait)")
    }

    @Test("refused in the middle of the payments: what is not paid comes back, carried payments too, and nothing else")
    func payments() async throws {
        // Of the first 55 payments 5 are carried to the second batch, whose first request is refused for good.
        await ledger.refuse(.payments, times: 4, after: 1)
        var batches: [[IncomingMessage]] = []
        for start: Int64 in [1, 51, 101] {
            batches.append(await batch(start..<(start + 50)) { $0 % 10 == 0 ? 2 : 1 })
        }
        let broker = try await run(batches)
        let published = await broker.published
        let back = Set(published.compactMap { WriterServiceTests.document(of: $0) })
        let settled = Set(await documents.settled)
        #expect(published.allSatisfy { $0.envelope.attempt == 1 } && published.count == back.count)
        #expect(back.isDisjoint(with: settled))
        #expect(back.union(settled) == Set((1...150).map { DocumentID($0) }))
        #expect(back.isSuperset(of: (51...100).map { DocumentID($0) }) && back.count > 50)
        #expect(await broker.acknowledged.reduce(0, +) == 150)
    }

    @Test("refused each time, it ends on the desk as a limit, after seven rounds of four calls")
    func desk() async throws {
        await ledger.refuse(.invoices, times: 1000)
        var waiting = await batch([7])
        var letters: [OutgoingMessage] = []
        for round in 1...7 {
            let published = await (try await run([waiting])).published
            letters = published.filter { $0.queue == .dead }
            waiting = published.filter { $0.queue != .dead }.map {
                IncomingMessage(body: $0.body, envelope: .success($0.envelope), queue: "write.harbour")
            }
            #expect(waiting.count == (round < 7 ? 1 : 0) && letters.count == (round < 7 ? 0 : 1))
        }
        #expect(await ledger.refused.count == 28)
        let failure = try #require(letters.first?.envelope.failure)
        #expect(failure.deadLetterClass == .rateLimit && failure.remedy == CallLimit.remedy)
        #expect(
            failure.cause
                == "To send invoice N-7: It failed 7 times, the last time so: \(CallLimit.park("minute").cause)")
        #expect(letters.first?.envelope.subject.document == 7)
    }
}

/// Waits of one to five seconds are noted, and over at once.
private actor ShortWaits {
    private(set) var count = 0

    func skips(_ duration: Duration) -> Bool {
        guard duration >= .seconds(1), duration <= .seconds(5) else { return false }
        count += 1
        return true
    }
}
