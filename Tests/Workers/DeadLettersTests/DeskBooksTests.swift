import Domain
import Logging
import Mapping
import Messaging
import Settings
import Store
import Synchronization
import Testing

@testable import DeadLetters

/// A mapping that changes while the handler runs.
@Suite("The books that letters are read by") struct DeskBooksTests {
    private struct Bad: Error {}

    private static func books(tips: String) -> [VenueKey: VenueBooks] {
        [
            VenueKey(company: CompanyKey("harbour"), site: SiteID("1")): VenueBooks(
                company: CompanyKey("harbour"), organisation: OrganisationKey("harbour"), site: SiteID("1"),
                name: "Bistro", numberPrefix: "HBR", currency: "AUD", timeZone: .utc, contactNumber: "W", tracking: nil,
                accounts: .init(sales: "230", tips: tips, rounding: "860", outsideTaxType: "BASEXCLUDED"),
                taxTypes: [:], clearingAccounts: [:], fallbackClearingAccount: nil)
        ]
    }

    /// Of a letter about account 4010.
    private static func remedy(_ books: DeskBooks) async -> String {
        var envelope = Envelope(
            firstSeen: Instant(secondsSince1970: 9),
            subject: .init(organisation: OrganisationKey("harbour"), document: 7))
        envelope.failure = .init(
            .archived, cause: ArchivedAccountWords.cause("4010"),
            remedy: ArchivedAccountWords.mapElsewhere(ArchivedAccountWords.anything) + ".")
        let message = IncomingMessage(body: [], envelope: .success(envelope), queue: "t.dead")
        return await books.reading.letter(from: message, now: Instant(secondsSince1970: 9)).remedy
    }

    @Test("a changed mapping is named in the next letters' remedies; a bad one and an absent database change nothing")
    func changes() async throws {
        /// Number of the look, and what the tips are booked to; `bad` is not in order, `away` cannot be looked at.
        let state = Mutex((number: UInt8(1), tips: "825", vain: 0))
        func set(_ tips: String) { state.withLock { $0 = ($0.number + 1, tips, 0) } }
        let books = DeskBooks(Self.books(tips: "825"))
        let watch = DeskBooksWatch(
            books,
            load: {
                let tips = state.withLock { state in
                    if state.tips == "bad" { state.vain += 1 }
                    return state.tips
                }
                if tips == "bad" { throw Bad() }
                return Self.books(tips: tips)
            },
            look: {
                let now = state.withLock { state in
                    if state.tips == "away" { state.vain += 1 }
                    return state
                }
                if now.tips == "away" { throw Bad() }
                return ContentHash(bytes: Array(repeating: now.number, count: 32))
            },
            clock: WorkClock(
                now: { Instant(secondsSince1970: 0) }, sleep: { _ in try await Task.sleep(for: .milliseconds(2)) },
                randomInteger: { $0.lowerBound }),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        func wait(until condition: () async -> Bool) async throws {
            for _ in 0..<5000 {
                if await condition() { return }
                try await Task.sleep(for: .milliseconds(2))
            }
            Issue.record("waited in vain")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watch.run() }
            #expect(await Self.remedy(books) == "map its sales to another account.")
            set("4010")
            try await wait { await Self.remedy(books).hasPrefix("map tips to another account. By command: ") }
            for trouble in ["bad", "away"] {
                set(trouble)
                try await wait { state.withLock { $0.vain } > 2 }
                #expect(await Self.remedy(books).hasPrefix("map tips to another account."))
            }
            set("826")
            try await wait { await Self.remedy(books) == "map its sales to another account." }
            group.cancelAll()
        }
    }
}
