import Domain
import HTTP
import JSON
import Kounta
import Messaging
import Settings
import Store
import Testing

@testable import Polling

/// What a scan asks for, publishes and remembers.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(3)))
struct ScanReadingTests {
    @Test("an order opened before the last poll and completed after it is found within the overlap, only there")
    func overlap() async throws {
        for (overlap, found) in [(Duration.seconds(6 * 3600), [1]), (.zero, [])] {
            try await ScanWorld.with("overlap_\(found.count)") { world in
                var world = world
                world.settings.overlap = overlap
                let (scanner, lease) = (world.scanner(), try await world.lease())
                try await world.enter(1, ago: 5 * 3600, status: "PENDING")
                try await scanner.scan(world.venue, of: world.company, lease: lease)
                #expect(await world.outbox.ids.isEmpty)
                world.time.advance(seconds: 5)
                try await world.edit(1, #"{"status":"COMPLETE"}"#)
                try await scanner.scan(world.venue, of: world.company, lease: lease)
                #expect(await world.outbox.ids == found)
            }
        }
    }

    @Test("what is as it was costs no call of its own, what was edited costs one, and is published again")
    func unchanged() async throws {
        try await ScanWorld.with("unchanged") { world in
            let (scanner, lease) = (world.scanner(), try await world.lease())
            for id in 1...3 { try await world.enter(id) }
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await world.detailCalls() == 3)
            world.time.advance(seconds: 5)
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await world.detailCalls() == 3)
            try await world.edit(2, #"{"total":22.00}"#)
            world.time.advance(seconds: 5)
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await world.detailCalls() == 4)
            #expect(await world.outbox.ids.sorted() == [1, 2, 2, 3])
            let last = try #require(await world.outbox.published.last)
            #expect(try JSON(parsing: last.body)["total"]?.numberText == "22.00")
        }
    }

    @Test("a next page on another host is not followed: the venue stops", arguments: [
        "https://api.kounta.example/v1/companies/162/sites/923/orders/complete.json?page=2", "{base}.example/v1/x.json",
    ])
    func otherHost(_ next: String) async throws {
        try await ScanWorld.with("host_\(next.utf8.count)") { world in
            let lease = try await world.lease()
            let next = next.replacing("{base}", with: world.till.base)
            try await world.fault(#"{"status":200,"body":[],"headers":{"X-Next-Page":"\#(next)"}}"#)
            await #expect {
                try await world.scanner().lookForNew(world.venue, of: world.company, lease: lease)
            } throws: { error in
                guard case KountaError.unexpectedShape(_, let detail) = error else { return false }
                return detail.contains("another host")
            }
            #expect(try await world.position() == nil)
            // It asked for that one page and for nothing else.
            #expect(try await world.till.call(.get, "/_control/counters")?["total"]?.integer == 1)
        }
    }

    @Test("the cursor moves only after the confirms: whichever publication fails, it stays, and nothing is lost")
    func unconfirmed() async throws {
        var number = 1
        var isClean = false
        while !isClean {
            let failing = number
            isClean = try await ScanWorld.unconfirmed(failing)
            number += 1
        }
        // Three pages of orders.
        #expect(number == 5)
    }

    @Test("the pause between polls is the interval and a tenth of jitter at most, at both ends of chance")
    func jitter() async throws {
        for (chance, permille) in [({ @Sendable in $0.lowerBound }, 900), ({ @Sendable in $0.upperBound }, 1100)]
            as [(@Sendable (ClosedRange<Int>) -> Int, Int)] {
            try await ScanWorld.with("jitter_\(permille)") { world in
                // Of each venue what is new, the overlap, what is older, and the side lists; and the lease.
                let pauses = [5, 5, 5, 5, 60, 60, 300, 300].map { Duration.seconds($0) * permille / 1000 }
                try await world.polling(chance: chance) {
                    for _ in 1...2 {
                        #expect(await world.pauses.wait(for: 9) == pauses + [.seconds(900)])
                        await world.pauses.wakeAll()
                    }
                }
            }
        }
    }

    @Test("the budget goes to new orders first: with little left they are read, and what was read before waits")
    func budget() async throws {
        try await ScanWorld.with("budget") { world in
            var world = world
            world.settings.rescanInterval = .seconds(60)
            let lease = try await world.lease()
            try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            let first = try #require(try await world.position())
            // Everything is due: new orders, the deleted ones, the open accounts and the last days.
            world.time.advance(seconds: 3600)
            for id in 1...5 { try await world.enter(id) }
            // Of eight calls re-scans may have six: the list and five orders.
            let scanner = world.scanner(callsPerMinute: 8)
            await #expect(throws: NoCallLeft.self) {
                try await scanner.scan(world.venue, of: world.company, lease: lease)
            }
            #expect(await world.outbox.ids.sorted() == [1, 2, 3, 4, 5])
            let then = try #require(try await world.position())
            #expect(then.readUntil == world.time.now && then.rescanned == first.rescanned)
            #expect(then.sideListsRead == first.sideListsRead)
            // The two that are left are for what is new.
            try await world.enter(6, ago: 1)
            await #expect(throws: NoCallLeft.self) {
                try await scanner.scan(world.venue, of: world.company, lease: lease)
            }
            #expect(await world.outbox.ids.last == 6)
            // A minute on there is room for all of it.
            world.time.advance(seconds: 61)
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await world.position()?.rescanned == world.time.now)
        }
    }
}

extension ScanWorld {
    /// - Returns: whether there were not so many publications.
    fileprivate static func unconfirmed(_ number: Int) async throws -> Bool {
        try await with("unconfirmed_\(number)") { world in
            for id in 1...60 { try await world.enter(id) }
            let (lease, start) = (try await world.lease(), world.company.startFrom)
            await world.outbox.fail(at: number)
            var isClean = false
            do {
                try await world.scanner().scan(world.venue, of: world.company, lease: lease)
                isClean = true
            } catch is RecordingOutbox.Unconfirmed {
                #expect(try await (world.position()?.readUntil ?? start) == start)
                try await world.scanner().scan(world.venue, of: world.company, lease: lease)
            }
            #expect(try await world.position()?.readUntil == world.time.now)
            #expect(await world.outbox.ids.sorted() == Array(1...60))
            return isClean
        }
    }
}
