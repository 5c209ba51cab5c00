import Domain
import HTTP
import JSON
import Kounta
import Logging
import Messaging
import Settings
import Store
import Testing

@testable import Polling

/// What is read of a venue is read beside each other: nothing waits for what matters less, or for another's trouble.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(3)))
struct SeparateReadingTests {
    @Test("an order sold in the middle of a long re-scan is published before the re-scan ends, calls being short")
    func duringRescan() async throws {
        try await ScanWorld.with("during_rescan") { world in
            var world = world
            world.company.venues.removeLast()
            world.start(from: world.time.now.adding(seconds: -2 * 86_400))
            // Two days of orders; all were changed since they were read, as by a batch in the back office.
            for id in 1...40 { try await world.enter(id, ago: 86_400) }
            let lease = try await world.lease()
            for _ in 0..<2 { try await world.scanner().scan(world.venue, of: world.company, lease: lease) }
            let first = try #require(try await world.position())
            try await world.till.store.giveBack(lease)
            for id in 1...40 { try await world.edit(id, #"{"total":22.00}"#) }
            world.time.advance(seconds: 3600)
            let (before, calls) = (await world.outbox.ids.count, Pauses())
            try await world.polling(scanner: world.scanner(callsPerMinute: 12, waiting: calls)) {
                // Every call that re-scans may have is used: its orders wait for the next minute.
                _ = await calls.wait(for: 1)
                try await world.enter(900, ago: 1)
                while await !world.outbox.ids.contains(900) {
                    _ = await world.pauses.wait(for: 2)
                    await world.pauses.wakeAll()
                }
                #expect(try await world.position()?.rescanned == first.rescanned)
                #expect(await world.outbox.ids.count < before + 41)
                // Given minutes enough it ends as well.
                while try await world.position()?.rescanned == first.rescanned {
                    if await calls.count == 0 { continue }
                    world.time.advance(seconds: 61)
                    await calls.wakeAll()
                }
            }
            #expect(await Set(world.outbox.ids.dropFirst(before)) == Set(Array(1...40) + [900]))
        }
    }

    @Test("lists that Kounta refuses keep neither the last days from being read again nor each other, and are told")
    func refusedLists() async throws {
        try await ScanWorld.with("refused_lists") { world in
            let lease = try await world.lease()
            for venue in world.company.venues { try await world.scanner().scan(venue, of: world.company, lease: lease) }
            try await world.till.store.giveBack(lease)
            let before = try #require(try await world.position())
            world.time.advance(seconds: 3600)
            try await world.fault(#"{"status":403}"#, list: "deleted")
            try await world.fault(#"{"status":500}"#, at: ScanWorld.pier, list: "pending")
            try await world.polling {
                // The side lists of both are tried again after twice the interval.
                #expect(await world.pauses.wait(for: 9) == [5, 5, 5, 5, 10, 10, 60, 60, 900].map { .seconds($0) })
            }
            for site in [ScanWorld.bistro, ScanWorld.pier] {
                let position = try #require(try await world.position(site))
                #expect(position.readUntil == world.time.now && position.rescanned == world.time.now)
                #expect(position.sideListsRead == before.sideListsRead)
            }
            let told = world.till.lines.lines(.warning)
            #expect(told.contains { $0.contains("403") } && told.contains { $0.contains("500") }, "\(told)")
            #expect(world.isStopped(ScanWorld.bistro) == false)
        }
    }

    @Test("all readings of all venues ask once for the company's currency, between them")
    func currency() async throws {
        try await ScanWorld.with("currency_once") { world in
            try await world.polling { _ = await world.pauses.wait(for: 9) }
            let calls = try await world.till.call(.get, "/_control/counters")?["calls"]
            #expect(calls?[key: "GET /v1/companies/{id}"]?.integer == 1, "\(calls.debugDescription)")
        }
    }

    @Test("an account that was paid is read though the deleted orders are not listed and another account is not shown")
    func accounts() async throws {
        try await ScanWorld.with("accounts_apart") { world in
            let (scanner, lease) = (world.scanner(), try await world.lease())
            // Older than what any list but that of the accounts shows.
            for id in 1...2 { try await world.enter(id, ago: 40 * 86_400) }
            try await world.enter(3)
            let site = ScanWorld.bistro
            let known: Set<OrderID> = [OrderID("1"), OrderID("2")]
            try await world.till.store.setOpenAccounts(known, company: world.company.key, site: site, lease: lease)
            try await scanner.lookForNew(world.venue, of: world.company, lease: lease)
            try await world.fault(#"{"status":500}"#, list: "deleted")
            try await world.fault(#"{"status":500}"#, ofOrder: "1")
            await #expect(throws: KountaError.self) {
                _ = try await scanner.readSideLists(of: world.venue, in: world.company, lease: lease)
            }
            #expect(await world.outbox.ids == [3, 2])
            #expect(try await world.till.store.openAccounts(company: world.company.key, site: site) == [OrderID("1")])
            try await world.removeFaults()
            world.time.advance(seconds: 60)
            _ = try await scanner.readSideLists(of: world.venue, in: world.company, lease: lease)
            #expect(await world.outbox.ids == [3, 2, 1])
            #expect(try await world.till.store.openAccounts(company: world.company.key, site: site).isEmpty)
        }
    }

    @Test("a look for new orders stops where all is known; what is left of the overlap gets what new orders leave")
    func remainder() async throws {
        try await ScanWorld.with("remainder") { world in
            let (whole, lease) = (world.scanner(), try await world.lease())
            for id in 1...60 { try await world.enter(id, ago: Int64(1000 - id)) }
            try await whole.scan(world.venue, of: world.company, lease: lease)
            let start = world.time.now
            #expect(try await world.position()?.readUntil == start)
            // One that was opened long ago, on the last page, is completed; calls are short.
            world.time.advance(seconds: 60)
            try await world.edit(2, #"{"total":22.00}"#)
            let scanner = world.scanner(callsPerMinute: 12)
            try await scanner.lookForNew(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids.count == 60)
            #expect(try await world.position()?.readUntil == start, "not all of the span is read")
            try await scanner.readOverlap(of: world.venue, in: world.company, lease: lease)
            #expect(await world.outbox.ids.last == 2)
            #expect(try await world.position()?.readUntil == world.time.now)
            // Four of twelve calls are made. The rest may have five more, the look for new orders all.
            for _ in 1...5 { try await scanner.lookForNew(world.venue, of: world.company, lease: lease) }
            await #expect(throws: NoCallLeft.self) {
                try await scanner.readOverlap(of: world.venue, in: world.company, lease: lease)
            }
            try await world.enter(61, ago: 1)
            try await scanner.lookForNew(world.venue, of: world.company, lease: lease)
            #expect(await world.outbox.ids.last == 61)
        }
    }
}
