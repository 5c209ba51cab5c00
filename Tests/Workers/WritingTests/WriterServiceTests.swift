import Domain
import Foundation
import JSON
import Logging
import Messaging
import ServiceLifecycle
import Setbacks
import Settings
import Store
import Telemetry
import Testing
import Xero

@testable import Writing

@Suite(.timeLimit(.minutes(1)))
struct WriterServiceTests {
    private let documents = MemoryDocuments()
    private let ledger = AcceptingLedger()
    private let endurance = Endurance(
        worker: "writer",
        clock: WorkClock(
            now: { Instant(secondsSince1970: 0) }, sleep: { try await Task.sleep(for: $0) },
            randomInteger: { $0.lowerBound }),
        metrics: Metrics(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })

    private func run(_ broker: ScriptedBroker, handMax: Duration = .seconds(300)) async throws {
        let clock = WorkClock(
            now: { Instant(secondsSince1970: 0) }, sleep: { try await Task.sleep(for: $0) },
            randomInteger: { $0.lowerBound })
        try await Self.service(broker, documents, ledger, clock, handMax: handMax).run()
    }

    /// The example's first organisation.
    static func service(
        _ broker: ScriptedBroker, _ documents: MemoryDocuments, _ ledger: AcceptingLedger, _ clock: WorkClock,
        handMax: Duration = .seconds(300)
    ) throws -> WriterService {
        var settings = try Self.settings()
        settings.writing.handMax = handMax
        return WriterService(
            organisation: settings.organisations[0], inbox: broker, outbox: broker, store: documents, ledger: ledger,
            contactNames: [:], settings: settings.writing, clock: clock, metrics: Metrics(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            suspicion: Suspicion(store: documents, turn: SoloTurn()))
    }

    static func settings() throws -> Settings {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let yaml = try String(contentsOf: root.appendingPathComponent("config/example.yaml"), encoding: .utf8)
        var settings = try Settings(
            loading: .init(
                file: "example.yaml", yaml: yaml,
                environment: [
                    "TILLBRIDGE_RABBITMQ_URL": "amqp://a:b@localhost", "TILLBRIDGE_DATABASE_URL": "postgresql://a@b/c",
                ],
                readFile: { _ in nil }, readTimeZone: { _ in .utc }))
        // One loop: the order of requests is then the test's.
        settings.writing.batchesInFlight = 1
        return settings
    }

    static func document(of message: OutgoingMessage) -> DocumentID? {
        (try? JSON(parsing: message.body))?["document"]?.integer.map { DocumentID($0) }
    }

    @Test("an order keeps its distance from a batch before it while few calls are left; the first one waits for none",
        arguments: [100, 60, 0])
    func distance(percent: Int) async throws {
        await ledger.leave(percent: percent)
        for id in [Int64(1), 2] { await documents.add(id, payments: 1) }
        let broker = ScriptedBroker([[message(1)], [message(2)]])
        try await run(broker)
        let lingers = await broker.lingers
        let usual = try Self.settings().writing.linger
        #expect(lingers.count == 2 && lingers[0] == usual)
        switch percent {
        case 100: #expect(lingers[1] == .milliseconds(20))
        case 60: #expect(lingers[1] == usual)
        // Ten seconds, less what this test needed between them.
        default: #expect(lingers[1] > usual && lingers[1] <= .seconds(10))
        }
    }

    @Test("a backlog goes out in full fifties, payments too: what fills no request joins the next batch's")
    func backlog() async throws {
        var batches: [[IncomingMessage]] = []
        for batch in 0..<3 {
            // 55 payments for 50 orders: every tenth order has two.
            let ids = (0..<50).map { Int64(batch * 50 + $0 + 1) }
            for id in ids { await documents.add(id, payments: id % 10 == 0 ? 2 : 1) }
            batches.append(ids.map { message($0) })
        }
        let broker = ScriptedBroker(batches)
        try await run(broker)
        #expect(await ledger.invoiceCalls == [50, 50, 50])
        // Not 50 + 5 three times.
        #expect(await ledger.paymentCalls == [50, 50, 50, 15])
        #expect(await documents.paid.count == 165)
        #expect(await documents.settled.count == 150)
        // Each message is acknowledged once, those with carried payments later.
        let acknowledged = await broker.acknowledged
        #expect(acknowledged.reduce(0, +) == 150)
        #expect(acknowledged[0] < 50)
        #expect(await broker.published.isEmpty)
    }

    @Test("a backlog of large documents is split so that no request is larger than Xero takes")
    func large() async throws {
        // 50 of 110 kB: 5.5 MB.
        for id in Int64(1)...50 { await documents.add(id, payments: 1, padding: 110_000) }
        let broker = ScriptedBroker([(Int64(1)...50).map { message($0) }])
        try await run(broker)
        let sizes = await ledger.sent.map(\.sending.bytes.count)
        #expect(await ledger.invoiceCalls == [30, 20])
        #expect(sizes.allSatisfy { $0 <= 3_500_000 } && sizes[0] > 3_200_000, "\(sizes)")
        #expect(await documents.settled.count == 50)
    }

    @Test("one order alone is written and paid at once: nothing is carried, nothing waited for")
    func lone() async throws {
        await documents.add(1, payments: 2)
        let broker = ScriptedBroker([[message(1)]])
        try await run(broker)
        #expect(await ledger.invoiceCalls == [1])
        #expect(await ledger.paymentCalls == [2])
        #expect(await broker.acknowledged == [1])
    }

    @Test("a second message of a document whose payments are carried waits with the first")
    func twice() async throws {
        var ids = (1...50).map { Int64($0) }
        for id in ids { await documents.add(id, payments: 1) }
        await documents.add(51, payments: 2)
        ids[0] = 51
        let broker = ScriptedBroker([ids.map { message($0) }, [message(51), message(1), message(50)]])
        try await run(broker)
        #expect(await broker.acknowledged.reduce(0, +) == 53)
        #expect(await documents.paid.count == 52)
    }

    @Test("a document on which Xero fails each time spoils ever fewer of its neighbours, and ends on the desk")
    func persistentFailure() async throws {
        for id in 1...50 { await documents.add(Int64(id), payments: 1) }
        await ledger.fail(on: "N-7")
        var waiting = (1...50).map { message(Int64($0)) }
        var rounds = 0
        var letters: [OutgoingMessage] = []
        while !waiting.isEmpty, rounds < 20 {
            let broker = ScriptedBroker([waiting])
            try await run(broker)
            #expect(await broker.acknowledged.reduce(0, +) == waiting.count)
            let published = await broker.published
            letters += published.filter { $0.queue == .dead }
            let delayed = published.filter { $0.queue != .dead }
            rounds += 1
            #expect(delayed.allSatisfy { $0.envelope.attempt == rounds })
            #expect(delayed.allSatisfy { $0.envelope.lastError?.contains("500") == true })
            #expect(delayed.allSatisfy { $0.returnTo == "write.harbour" })
            waiting = delayed.map {
                IncomingMessage(
                    body: $0.body, envelope: .success($0.envelope), queue: "write.harbour", messageID: $0.messageID)
            }
        }
        #expect(rounds == 7)
        #expect(letters.compactMap(\.envelope.failure?.deadLetterClass) == [.connection])
        #expect(letters.first?.envelope.subject.document == 7)
        // All together, then tens, then the ten alone; after that the one by itself.
        let calls = [50] + Array(repeating: 10, count: 5) + Array(repeating: 1, count: 10 + 4)
        #expect(await ledger.invoiceCalls == calls)
        #expect(await documents.paid.count == 49)
    }

    @Test("a message that kills its worker is parked after three crashes, and its neighbours are not")
    func poison() async throws {
        let suspicion = Suspicion(store: documents, turn: SoloTurn())
        let poison = "document/7"
        var left = (1...10).map { message(Int64($0), redelivered: true) }
        var crashes = 1  // The first, when nothing was watched yet.
        var done: [String] = []
        // A process that lives until it touches the poison; then another takes over what is left.
        processes: while true {
            let sorted = try await suspicion.sort(left)
            if !sorted.condemned.isEmpty {
                #expect(sorted.condemned.compactMap(\.messageID) == [poison])
                #expect(crashes == 3)
                break
            }
            #expect(sorted.fresh.isEmpty)
            for group in [sorted.together] + sorted.alone.map({ [$0] }) where !group.isEmpty {
                let ids = group.compactMap(\.messageID)
                if ids.contains(poison) {
                    // Dies: the trial begins and never ends.
                    try await documents.beginTrial(of: ids, in: "write.harbour", isAlone: ids.count == 1)
                    crashes += 1
                    continue processes
                }
                try await suspicion.watching(group, isAlone: group.count == 1, endurance) { done += ids }
                left.removeAll { ids.contains($0.messageID ?? "") }
            }
        }
        // Those behind the poison in the line are tried after it is parked.
        left.removeAll { $0.messageID == poison }
        let rest = try await suspicion.sort(left)
        #expect(rest.condemned.isEmpty)
        #expect(done.count + rest.alone.count + rest.together.count == 9)
    }

    @Test("of a document that was finished before its workers died, nobody is told: there is nothing to put right")
    func finished() async throws {
        for id in [1, 2] { await documents.add(Int64(id), payments: 0) }
        await documents.finish(1)
        let ids = ["document/1", "document/2"]
        for isAlone in [false, true] {
            for id in ids { try await documents.beginTrial(of: [id], in: "write.harbour", isAlone: isAlone) }
        }
        let broker = ScriptedBroker([[message(1, redelivered: true), message(2, redelivered: true)]])
        try await run(broker)
        #expect(await broker.acknowledged.reduce(0, +) == 2)
        #expect(await broker.published.map(\.messageID) == ["document/2"])
        #expect(await broker.published.map(\.queue) == [.dead])
        #expect(await documents.givenUp == [DocumentID(2)])
    }

    @Test("an organisation takes no calls for long: its orders go back to their queue, which is let go till it opens")
    func standstill() async throws {
        for id in 1...3 { await documents.add(Int64(id), payments: 1) }
        await ledger.close(forLooks: 2)
        let broker = ScriptedBroker([(1...3).map { message(Int64($0)) }])
        try await run(broker, handMax: .milliseconds(50))
        // Paused before anything goes back: else it would be delivered again at once.
        #expect(await broker.story == ["pause"] + Array(repeating: "back to write.harbour", count: 3) + ["resume"])
        // Not a failure of theirs.
        #expect(await broker.published.allSatisfy { $0.envelope.attempt == 0 && $0.envelope.lastError == nil })
        #expect(await broker.acknowledged == [3, 3])
        #expect(await documents.paid.count == 3)
        #expect(await ledger.invoiceCalls == [3])
    }

    @Test("an orderly end in the middle of a trial counts as no crash")
    func orderly() async throws {
        let suspicion = Suspicion(store: documents, turn: SoloTurn())
        let suspect = message(1, redelivered: true)
        for _ in 0..<5 {
            await #expect(throws: CancellationError.self) {
                try await suspicion.watching([suspect], isAlone: true, endurance) { throw CancellationError() }
            }
        }
        #expect(try await suspicion.sort([suspect]).together.count == 1)
    }

    @Test("a permit that comes although the claims are lost meanwhile goes back")
    func latePermit() async throws {
        await documents.add(1, payments: 1)
        guard case .claimed(var claim) = try await documents.take([DocumentID(1)], lease: .seconds(1)).first?.outcome
        else { throw CancellationError() }
        claim.isHeld = true
        await documents.loseLeases()
        let patience = Patience(
            organisation: OrganisationKey("harbour"), store: documents, lease: .milliseconds(40),
            clock: WorkClock(
                now: { Instant(secondsSince1970: 0) }, sleep: { try await Task.sleep(for: $0) },
                randomInteger: { $0.lowerBound }),
            metrics: Metrics(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var returned: [Int] = []
        do {
            _ = try await patience.keeping([claim]) {
                while !Task.isCancelled { await Task.yield() }
                return 7
            } orElse: { returned.append($0) }
            Issue.record("the lost lease is not told")
        } catch is LeaseLost {}
        #expect(returned == [7])
    }

    @Test("what only ever died in company is tried alone, and parked by no number of failing machines")
    func company() async throws {
        let suspicion = Suspicion(store: documents, turn: SoloTurn())
        let batch = (1...3).map { message(Int64($0), redelivered: true) }
        let ids = batch.compactMap(\.identity)
        // Two workers with copies of the same messages, and a power cut; three times.
        for _ in 0..<6 { try await documents.beginTrial(of: ids, in: "write.harbour", isAlone: false) }
        let sorted = try await suspicion.sort(batch)
        #expect(sorted.alone.count == 3 && sorted.condemned.isEmpty)
    }

    @Test("a message without a name is known by what it says")
    func nameless() {
        var envelope = Envelope(firstSeen: Instant(secondsSince1970: 0))
        envelope.attempt = 1
        func nameless(_ body: String) -> IncomingMessage {
            IncomingMessage(body: Array(body.utf8), envelope: .success(envelope), queue: "q")
        }
        #expect(nameless("{\"document\":7}").identity == "{\"document\":7}")
        #expect(nameless(String(repeating: "x", count: 1000)).identity == nil)
        // No text of the database's holds a NUL: asking after it would end the worker.
        #expect(nameless("a\0b").identity == "a\u{FFFD}b")
    }

    @Test("what was redelivered is worked on apart from what is fresh")
    func apart() async throws {
        for id in 1...4 { await documents.add(Int64(id), payments: 1) }
        let broker = ScriptedBroker([(1...4).map { message($0, redelivered: $0 % 2 == 0) }])
        try await run(broker)
        #expect(await ledger.invoiceCalls == [2, 2])
        #expect(await broker.acknowledged == [2, 2])
        #expect(try await documents.crashes(of: ["document/2", "document/4"], in: "write.harbour") == [:])
    }
}
