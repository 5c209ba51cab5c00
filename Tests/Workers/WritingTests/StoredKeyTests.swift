import Domain
import Messaging
import Settings
import Testing
import Xero

@testable import Writing

@Suite(.timeLimit(.minutes(1)))
struct StoredKeyTests {
    @Test("whatever is created is sent under a key and with bytes that were stored before, also when it is sent again")
    func storedBefore() async throws {
        let (documents, ledger) = (MemoryDocuments(), AcceptingLedger())
        await ledger.watch(documents)
        for id in 1...60 { await documents.add(Int64(id), payments: 2) }
        await ledger.refuse(.invoices, times: 1)
        await ledger.refuse(.payments, times: 1, after: 1)
        let broker = ScriptedBroker([(1...50).map { message($0) }, (51...60).map { message($0) }])
        let clock = WorkClock(
            now: { Instant(secondsSince1970: 0) }, sleep: { try await Task.sleep(for: $0) },
            randomInteger: { $0.lowerBound })
        try await WriterServiceTests.service(broker, documents, ledger, clock).run()
        #expect(await documents.paid.count == 120)
        #expect(await ledger.refused == [.invoices, .payments])
        let sent = await ledger.sent
        // Two requests of invoices, three of payments, and one of each once more.
        #expect(sent.count == 7)
        #expect(sent.allSatisfy { $0.wasStored })
        #expect(sent.allSatisfy { !$0.sending.key.isEmpty && $0.sending.key.utf8.count <= 128 })
        // One key never stands for two requests.
        let bytes = Dictionary(grouping: sent.map(\.sending), by: \.key).values
        #expect(bytes.allSatisfy { Set($0).count == 1 })
        // Nothing was stored that was not sent.
        #expect(Set(await documents.sendings) == Set(sent.map(\.sending)))
    }
}
